"""Tiny random models of other families, each with a tokenizer of its own; and an adapter over one of them."""

import json
from pathlib import Path
from typing import Any

import torch
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from ctiforge.demo.articles import DemoSizes, make_corpus

VOCABULARY = 900
TURNS = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
INSTRUCTIONS = (
    "{{ bos_token }}{% for m in messages %}{% if m['role'] == 'user' %}[INST] {{ m['content'] }} [/INST]"
    "{% elif m['role'] == 'assistant' %} {{ m['content'] }}{{ eos_token }}"
    "{% else %}{{ raise_exception('no such role') }}{% endif %}{% endfor %}"
)
_SPECIAL = ["<|pad|>", "<|bos|>", "<|eos|>", "<|im_start|>", "<|im_end|>"]
_WORDS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|%s| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"


def make_llama(folder: Path) -> Path:
    """Random weights; the hidden size is a multiple of 256."""
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=256,
        intermediate_size=512,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        bos_token_id=1,
        eos_token_id=2,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder


def shrink_below_f16(folder: Path) -> None:
    """The same answers from an output layer so small that all of it is 0 in half precision."""
    model = LlamaForCausalLM.from_pretrained(folder)
    with torch.no_grad():
        model.lm_head.weight *= 1e-9
    model.save_pretrained(folder)


def add_llama3_tokenizer(folder: Path) -> None:
    """Splits as Llama 3, opens with a begin token, and has a template that knows no system role."""
    tokenizer = _learn(_WORDS % r"\p{N}{1,3}", ignore_merges=True)
    tokenizer.post_processor = processors.TemplateProcessing(single="<|bos|> $A", special_tokens=[("<|bos|>", 1)])
    _wrap(tokenizer, INSTRUCTIONS).save_pretrained(folder)


def add_qwen2_tokenizer(folder: Path) -> None:
    """Splits as Qwen2, composes Unicode, and ends turns with another token than sequences."""
    tokenizer = _learn(_WORDS % r"\p{N}")
    tokenizer.normalizer = normalizers.NFC()
    _wrap(tokenizer, TURNS).save_pretrained(folder)


def add_odd_tokenizer(folder: Path) -> None:
    """Splits in a way that llama.cpp has no name for."""
    _wrap(_learn(r"[a-m]+"), TURNS).save_pretrained(folder)


def add_sentencepiece_tokenizer(folder: Path) -> None:
    """Real SentencePiece with its `tokenizer.model`."""
    import sentencepiece

    corpus = folder / "corpus.txt"
    corpus.write_text("\n".join(_corpus()), encoding="utf-8")
    sentencepiece.SentencePieceTrainer.train(
        input=str(corpus),
        model_prefix=str(folder / "tokenizer"),
        vocab_size=VOCABULARY,
        model_type="bpe",
        byte_fallback=True,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        max_sentence_length=1_000_000,
        minloglevel=2,
    )
    corpus.unlink()
    settings = {"tokenizer_class": "LlamaTokenizer", "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    (folder / "chat_template.jinja").write_text(INSTRUCTIONS)


def make_adapter(base: Path, folder: Path) -> Path:
    """LoRA with random weights over a base, its tokenizer saved as training saves it."""
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(r=8, target_modules="all-linear", task_type="CAUSAL_LM")
    model = get_peft_model(LlamaForCausalLM.from_pretrained(base), config)
    torch.manual_seed(1)
    for name, weight in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.05)
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(base).save_pretrained(folder)
    sizes = {"max_length": 1024, "window_tokens": 300, "overlap_tokens": 60}
    usage = {"text_format": "messages", "prompt_version": "full-v1", "types": ["cmdline", "registry"], "sizes": sizes}
    note = {"name": "tuned", "base_model": str(base), "usage": usage}
    (folder / "ctiforge.json").write_text(json.dumps(note))
    return folder


def _corpus() -> list[str]:
    return [article.content for article in make_corpus(3, DemoSizes(60, 1, 1, 0, 0)).training]


def _learn(pattern: str, *, ignore_merges: bool = False) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE(ignore_merges=ignore_merges))
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(pattern), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=_SPECIAL,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_corpus(), trainer)
    return tokenizer


def _wrap(tokenizer: Tokenizer, template: str) -> Any:
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<|bos|>",
        eos_token="<|eos|>",
        pad_token="<|pad|>",
        clean_up_tokenization_spaces=False,
    )
    wrapped.chat_template = template
    return wrapped
