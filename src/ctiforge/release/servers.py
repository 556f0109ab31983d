"""What other servers need to ask an exported model as training did: a Modelfile for Ollama, a line for vLLM."""

from typing import Any

from ctiforge.records.exported import Dtype
from ctiforge.release.gguf import ChatForm
from ctiforge.release.weights import TORCH_TYPES

_SYSTEM, _USER = "SYSTEM-MARKER", "USER-MARKER"


def modelfile(file: str, form: ChatForm, tokenizer: Any, context: int) -> str:
    """Write Ollama's description of a GGUF, so that a system's and a user's words become the prompt of training.

    Ollama does not run a file's own Jinja; its template is what the model's makes of one such conversation.

    Args:
        file: The name of the GGUF beside it.
        form: How the model is asked.
        tokenizer: The model's tokenizer.
        context: Tokens of prompt and answer together.

    Returns:
        The Modelfile's text.
    """
    turns = [{"role": "system", "content": _SYSTEM}, {"role": "user", "content": _USER}]
    rendered = str(
        tokenizer.apply_chat_template(turns, chat_template=form.template, tokenize=False, add_generation_prompt=True)
    )
    if form.opened and tokenizer.bos_token:
        # the server puts it there itself
        rendered = rendered.removeprefix(tokenizer.bos_token)
    template = rendered.replace(_SYSTEM, "{{ .System }}").replace(_USER, "{{ .Prompt }}")
    end = tokenizer.convert_ids_to_tokens(form.end)
    return (
        f'FROM ./{file}\nTEMPLATE """{template}"""\nPARAMETER stop "{end}"\nPARAMETER num_ctx {context}\n'
        "PARAMETER temperature 0\n"
    )


def vllm_line(folder: str, name: str, dtype: Dtype, context: int) -> str:
    """Write the command that serves a merged model with vLLM."""
    return f"vllm serve {folder} --served-model-name {name} --dtype {TORCH_TYPES[dtype]} --max-model-len {context}"
