"""Other servers get the prompt of training."""

from ctiforge.release.chat_template import chat_template
from ctiforge.release.gguf import ChatForm
from ctiforge.release.servers import modelfile, vllm_line
from ctiforge.training.encoding import encode_prompt, end_token_id, load_tokenizer


def test_ollama_s_template_makes_the_prompt_of_training():
    tokenizer = load_tokenizer("demo")
    form = ChatForm(chat_template("messages", tokenizer), bool(encode_prompt(tokenizer, "")), end_token_id(tokenizer))
    text = modelfile("demo-Q8_0.gguf", form, tokenizer, 304)
    turns = [{"role": "system", "content": "Find them."}, {"role": "user", "content": "Text:\nwhoami"}]
    rendered = tokenizer.apply_chat_template(
        turns, chat_template=form.template, tokenize=False, add_generation_prompt=True
    )

    template = text.split('"""')[1].replace("{{ .System }}", "Find them.").replace("{{ .Prompt }}", "Text:\nwhoami")
    assert (tokenizer.bos_token if form.opened else "") + template == rendered
    assert text.startswith("FROM ./demo-Q8_0.gguf\n")
    assert text.endswith('PARAMETER stop "<end>"\nPARAMETER num_ctx 304\nPARAMETER temperature 0\n')


def test_vllm_is_told_name_type_and_length():
    assert vllm_line("merged", "agent", "bf16", 2048) == (
        "vllm serve merged --served-model-name agent --dtype bfloat16 --max-model-len 2048"
    )
