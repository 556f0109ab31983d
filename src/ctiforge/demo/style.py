"""What a report style is: one publisher's phrases for every type."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Style:
    """One publisher's way of writing.

    `{v}` is a value; `{p}` and `{c}` are the two ends of a lineage; `{N}` is a made-up name, `{d}` a
    defanged domain, `{b}` a benign command.
    """

    name: str
    titles: tuple[str, ...]
    openings: tuple[str, ...]
    phrases: dict[str, tuple[str, ...]]
    distractors: tuple[str, ...]
    filler: tuple[str, ...]
    closings: tuple[str, ...]
    paragraph_break: str = "\n\n"
