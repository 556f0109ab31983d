"""Runs llama.cpp's converter with what it cannot know told to it: a process of its own, for its own gguf-py.

    python -m ctiforge.release.convert FOLDER TOLD [the converter's flags]

FOLDER is the converter's; TOLD a JSON file with `facts`, further keys of the file's metadata, and for a whole model
`pretokenizer`, a name for the way that the tokenizer splits text, used where the converter has none or, with `instead`,
in place of its own; and `end`, the id of the token that ends a turn besides the end-of-sequence token. For an adapter
it is `script`, the converter of adapters.
"""

import json
import runpy
import sys
from importlib import import_module
from pathlib import Path
from typing import Any


def main() -> None:
    """Convert as told on the command line."""
    folder, told, *flags = sys.argv[1:]
    sys.path[:0] = [folder, f"{folder}/gguf-py"]
    sys.argv = ["convert_hf_to_gguf.py", *flags]
    wanted = json.loads(Path(told).read_text(encoding="utf-8"))
    if "script" in wanted:
        _add_before_header(import_module("gguf").GGUFWriter, wanted["facts"])
        runpy.run_path(wanted["script"], run_name="__main__")
        return
    if wanted["pretokenizer"]:
        _name_pretokenizer(import_module("conversion.base").TextModel, wanted["pretokenizer"], wanted["instead"])
    _add_to_metadata(import_module("gguf").SpecialVocab, wanted["end"], wanted["facts"])
    import_module("convert_hf_to_gguf").main()


def _name_pretokenizer(model: Any, name: str, instead: bool) -> None:
    """Name the pre-tokenizer where the converter does not know the tokenizer, or whatever it says."""
    known = model.get_vocab_base_pre

    def named(self: Any, tokenizer: Any) -> str:
        try:
            own = str(known(self, tokenizer))
        except NotImplementedError:
            return name
        return name if instead else own

    model.get_vocab_base_pre = named


def _add_to_metadata(vocabulary: Any, end: int | None, facts: dict[str, str | int]) -> None:
    written = vocabulary.add_to_gguf

    def add_to_gguf(self: Any, writer: Any, *args: Any, **named: Any) -> None:
        if end is not None:
            self.special_token_ids.setdefault("eot", end)
        _add(facts, writer)
        written(self, writer, *args, **named)

    vocabulary.add_to_gguf = add_to_gguf


def _add_before_header(writer: Any, facts: dict[str, str | int]) -> None:
    """Add to a file without a vocabulary, as an adapter's is."""
    written = writer.write_header_to_file

    def write_header_to_file(self: Any, *args: Any, **named: Any) -> None:
        _add(facts, self)
        written(self, *args, **named)

    writer.write_header_to_file = write_header_to_file


def _add(facts: dict[str, str | int], writer: Any) -> None:
    for key, value in facts.items():
        add = writer.add_uint32 if isinstance(value, int) else writer.add_string
        add(key, value)


if __name__ == "__main__":
    main()
