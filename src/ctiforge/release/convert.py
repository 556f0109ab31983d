"""Runs llama.cpp's converter with what it cannot know told to it: a process of its own, for its own gguf-py.

    python -m ctiforge.release.convert FOLDER PRETOKENIZER END [the converter's flags]

FOLDER is the converter's; PRETOKENIZER is the name for a tokenizer that it does not know, END the id of the
token that ends a turn besides the end-of-sequence token; `-` is none.
"""

import sys
from importlib import import_module
from typing import Any


def main() -> None:
    """Convert as told on the command line."""
    folder, pretokenizer, end, *flags = sys.argv[1:]
    sys.path[:0] = [folder, f"{folder}/gguf-py"]
    sys.argv = ["convert_hf_to_gguf.py", *flags]
    if pretokenizer != "-":
        _name_pretokenizer(import_module("conversion.base").TextModel, pretokenizer)
    if end != "-":
        _add_end_of_turn(import_module("gguf").SpecialVocab, int(end))
    import_module("convert_hf_to_gguf").main()


def _name_pretokenizer(model: Any, name: str) -> None:
    """Name the pre-tokenizer, only where the converter does not know the tokenizer: its own names come first."""
    known = model.get_vocab_base_pre

    def named(self: Any, tokenizer: Any) -> str:
        try:
            return str(known(self, tokenizer))
        except NotImplementedError:
            return name

    model.get_vocab_base_pre = named


def _add_end_of_turn(vocabulary: Any, end: int) -> None:
    written = vocabulary.add_to_gguf

    def add_to_gguf(self: Any, *args: Any, **named: Any) -> None:
        self.special_token_ids.setdefault("eot", end)
        written(self, *args, **named)

    vocabulary.add_to_gguf = add_to_gguf


if __name__ == "__main__":
    main()
