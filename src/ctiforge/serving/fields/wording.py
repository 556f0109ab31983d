"""What the rules of all types read a passage by: the options of a command, and the verbs that speak of an item."""

import re
from collections.abc import Mapping

from ctiforge.serving.placing import PlacedItem

NEAR = 120
"""Characters behind an item in which a property of it is looked for, within its sentence."""
_OPTION = re.compile(
    r"\s+(?:(?P<flag>[/-]\w[\w:]*)|(?P<name>\w+)=)"
    r"(?:\s*(?:\"(?P<double>[^\"\n]*)\"|'(?P<single>[^'\n]*)'|(?P<word>(?![/-]\w)[^\s\"']+))(?=[\s.,;)]|$))?"
)
_CLOSED = re.compile(r"[\"'”’`]?")


def options_behind(item: PlacedItem) -> dict[str, str]:
    """Read the options of the command that an item stands in: `/v NAME`, `-Value 1`, `start= auto`; names in small."""
    return {name: value for name, value, _ in _options(item.around[2])}


def command_end(behind: str) -> int:
    """Count the characters behind an item that are options of its command."""
    return max((end for _, _, end in _options(behind)), default=0)


def _options(behind: str) -> list[tuple[str, str, int]]:
    found = []
    closed = _CLOSED.match(behind)
    at = closed.end() if closed else 0
    while match := _OPTION.match(behind, at):
        value = match["double"] or match["single"] or match["word"] or ""
        found.append(((match["flag"] or match["name"]).lstrip("/-").lower(), value, match.end()))
        at = match.end()
    return found


def said_behind(item: PlacedItem) -> str:
    """Give what the sentence says right behind an item, up to a bracket or semicolon that ends it."""
    return re.split(r"[;)\]\[]", item.sentence[2][:NEAR], maxsplit=1)[0]


def only(kinds: Mapping[str, re.Pattern[str]], text: str) -> str | None:
    """Name the one kind that a text speaks of; None where it speaks of none, or of several."""
    found = [kind for kind, pattern in kinds.items() if pattern.search(text)]
    return found[0] if len(found) == 1 else None


def done_to(item: PlacedItem, verbs: Mapping[str, str], nouns: str) -> str | None:
    """Name the one thing that the sentence says is done to an item.

    Args:
        item: The item.
        verbs: Kind → the forms of its verbs, as a pattern.
        nouns: What the item is called in the sentence, as a pattern: `service`.

    Returns:
        The kind: its verb stands right before the item, or before the noun that leads to it, or is said of it behind
        it (`the task X was created`); None where no verb does, or those of several kinds.
    """
    before, after = item.sentence[0][-2 * NEAR :], item.sentence[2][:NEAR]
    found = set()
    for kind, forms in verbs.items():
        noun = rf"[^.;:!?]{{0,60}}?\b(?:{nouns})\b\W{{0,3}}(?:\w+\W{{1,3}}){{0,3}}"
        led = rf"\b(?:{forms})\b(?:{noun}|\s+(?:the |an? )?)\W{{0,3}}$"
        told = rf"^\W{{0,3}}(?:(?:{nouns}) )?(?:is|was|were|are|gets|being) (?:\w+ly |then |also |later )?(?:{forms})\b"
        if re.search(led, before, re.IGNORECASE) or re.match(told, after, re.IGNORECASE):
            found.add(kind)
    return found.pop() if len(found) == 1 else None
