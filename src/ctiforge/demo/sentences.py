"""The sentences of the demo's articles for the Extract Agent, which lie in `texts/` as data.

`{v}` is a value; `{p}` and `{c}` are the two ends of a lineage; `{N}` is a made-up name, `{d}` a defanged domain, `{b}`
a benign command.
"""

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from pydantic import TypeAdapter


@dataclass(frozen=True)
class Style:
    """One publisher's way of writing: its phrases for every type."""

    name: str
    titles: tuple[str, ...]
    openings: tuple[str, ...]
    phrases: dict[str, tuple[str, ...]]
    distractors: tuple[str, ...]
    filler: tuple[str, ...]
    closings: tuple[str, ...]
    paragraph_break: str = "\n\n"


@dataclass(frozen=True)
class ExtractTexts:
    """What the articles of the Extract Agent are made of."""

    seen: tuple[Style, ...]
    """The styles of training articles; the test set has them too, with other values."""
    held_out: tuple[Style, ...]
    """The styles that are in the test set alone: what a model makes of wording it has never seen."""
    benign_commands: tuple[str, ...]


@cache
def extract_texts() -> ExtractTexts:
    """Read the sentences of the Extract Agent's articles."""
    return TypeAdapter(ExtractTexts).validate_json(_read("extract.json"))


def _read(name: str) -> str:
    return files("ctiforge.demo").joinpath("texts", name).read_text(encoding="utf-8")
