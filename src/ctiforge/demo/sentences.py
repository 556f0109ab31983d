"""The sentences of the demo's articles, which lie in `texts/` as data.

In texts of the Extract Agent `{v}` is a value; `{p}` and `{c}` are the two ends of a lineage; `{N}` is a made-up
name, `{d}` a defanged domain, `{b}` a benign command. In those of OS-BERT `{n}` is a made-up name in lower case, `{N}`
one with a capital, `{k}` a number; the other slots are filled from `slots`.
"""

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from pydantic import TypeAdapter

KINDS = ("commands", "places", "footholds", "sentences")
"""What shows an operating system; the first three kinds stand in a frame, the last for itself."""


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


@dataclass(frozen=True)
class Cues:
    """How one operating system shows."""

    commands: tuple[str, ...]
    places: tuple[str, ...]
    footholds: tuple[str, ...]
    sentences: tuple[str, ...]


@dataclass(frozen=True)
class OsPhrases:
    """What shows an operating system; what the unseen part names stands nowhere in the seen part."""

    seen_frames: dict[str, tuple[str, ...]]
    unseen_frames: dict[str, tuple[str, ...]]
    seen_cues: dict[str, Cues]
    unseen_cues: dict[str, Cues]
    spoken: dict[str, str]
    """How an article's prose writes the labels."""


@dataclass(frozen=True)
class Prose:
    """The neutral sentences of a part of the corpus; the unseen part's stand in no training article."""

    titles: tuple[str, ...]
    openings: tuple[str, ...]
    headings: tuple[str, ...]
    filler: tuple[str, ...]
    distractors: tuple[str, ...]
    """Sentences that only seem to show an operating system."""
    past: tuple[str, ...]
    """What the group once did on `{other}` systems, said to play no part here."""
    together: tuple[str, ...]
    """One sentence that names the `{systems}` of an article about several."""
    closings: tuple[str, ...]


@dataclass(frozen=True)
class OsProse:
    """Threat-report prose that shows no operating system."""

    slots: dict[str, tuple[str, ...]]
    composed: tuple[tuple[str, ...], ...]
    """Who, did what, in which circumstances: any of each makes a neutral sentence."""
    seen_prose: Prose
    unseen_prose: Prose


@cache
def extract_texts() -> ExtractTexts:
    """Read the sentences of the Extract Agent's articles."""
    return TypeAdapter(ExtractTexts).validate_json(_read("extract.json"))


@cache
def os_phrases() -> OsPhrases:
    """Read what shows an operating system in OS-BERT's articles."""
    return TypeAdapter(OsPhrases).validate_json(_read("os_phrases.json"))


@cache
def os_prose() -> OsProse:
    """Read the neutral sentences of OS-BERT's articles."""
    return TypeAdapter(OsProse).validate_json(_read("os_prose.json"))


def _read(name: str) -> str:
    return files("ctiforge.demo").joinpath("texts", name).read_text(encoding="utf-8")
