"""The demo's tokenizer: byte-level BPE under which an article and its JSON answer tokenize alike.

Digits and punctuation stand alone, by llama.cpp's `chameleon` pre-tokenizer sequence, so that an
export can name it. No merge holds a space: a word has the same tokens behind a space, a quote or a
backslash, and copying it into JSON is copying its tokens.
"""

import inspect
import json
import pydoc_data.topics
import re
from collections.abc import Iterator
from importlib import import_module, resources
from typing import Any

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

VOCABULARY = 1536
PAD, BEGIN, END, USER, ASSISTANT = "<pad>", "<s>", "<end>", "<user>", "<assistant>"
CHAT_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}{% if message['role'] == 'assistant' %}"
    "<assistant>{% generation %}{{ message['content'] }}<end>{% endgeneration %}"
    "{% else %}{% if message['role'] == 'system' %}{{ raise_exception('no system role') }}{% endif %}"
    "<user>{{ message['content'] }}<end>{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)
_CHAMELEON = (r"([\t\n]|    |  )", r"\p{N}", r"[\p{P}!-/:-@\[-`{-~]")
# Public text that every Python brings: its language reference and some of its library.
_LIBRARY = (
    *("subprocess", "winreg", "shutil", "os", "argparse", "logging", "socket", "ssl", "email.message"),
    *("urllib.request", "http.client", "ctypes", "asyncio.base_events", "unittest.mock", "zipfile", "tarfile"),
    *("smtplib", "ftplib", "platform", "tempfile", "typing", "datetime", "inspect", "doctest", "pathlib"),
)
# How often the field's own words are shown beside that text, so that they become tokens.
_WORDS_REPEATED = 250


def make_tokenizer() -> Any:
    """Train the tokenizer and wrap it for transformers, with its chat template."""
    from transformers import PreTrainedTokenizerFast

    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=_train(),
        bos_token=BEGIN,
        eos_token=END,
        pad_token=PAD,
        additional_special_tokens=[USER, ASSISTANT],
        model_max_length=4096,
        clean_up_tokenization_spaces=False,
    )
    tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer


def manual() -> list[str]:
    """Read the sentences of Python's language reference, which every Python brings."""
    text = " ".join(" ".join(pydoc_data.topics.topics.values()).split())
    return re.split(r"(?<=[.:;]) ", text)


def _train() -> Tokenizer:
    splits = [pre_tokenizers.Split(Regex(pattern), "isolated") for pattern in _CHAMELEON]
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    learner = Tokenizer(models.BPE())
    # Spaces stand alone while merges are learnt, and only then.
    space = pre_tokenizers.Split(Regex(" "), "isolated")
    learner.pre_tokenizer = pre_tokenizers.Sequence([*splits, space, byte_level])
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=[PAD, BEGIN, END, USER, ASSISTANT],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        max_token_length=14,
        show_progress=False,
    )
    learner.train_from_iterator(_corpus(), trainer)
    learnt = json.loads(learner.to_str())
    final = Tokenizer(models.BPE())
    final.pre_tokenizer = pre_tokenizers.Sequence([*splits, byte_level])
    final.decoder = decoders.ByteLevel()
    merged = json.loads(final.to_str())
    return Tokenizer.from_str(json.dumps(learnt | {key: merged[key] for key in ("pre_tokenizer", "decoder")}))


def _corpus() -> Iterator[str]:
    yield from pydoc_data.topics.topics.values()
    for name in _LIBRARY:
        try:
            yield inspect.getsource(import_module(name))
        except (ImportError, OSError):
            continue
    words = " ".join((resources.files(__package__) / "words.txt").read_text(encoding="utf-8").split())
    for _ in range(_WORDS_REPEATED):
        yield words
