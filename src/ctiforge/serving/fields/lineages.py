"""The rules of process lineages."""

import re

from ctiforge.observables.values import lineage_names
from ctiforge.serving.fields.wording import words
from ctiforge.serving.placing import PlacedItem

_VERB = words(
    *("spawn(?:s|ed|ing)?", "launch(?:es|ed|ing)?", "execut(?:e|es|ed|ing)", "start(?:s|ed|ing)?"),
    *("creat(?:e|es|ed|ing)", "invok(?:e|es|ed|ing)", "initiat(?:e|es|ed|ing)", "runs?", "ran", "running"),
)
_ENDS = re.compile(r"[.!?]\s|\n\s*\n")


def parent(item: PlacedItem) -> str | None:
    """Give the process that starts the other."""
    names = lineage_names(item.value)
    return names[0] if len(names) == 2 else None


def child(item: PlacedItem) -> str | None:
    """Give the process that is started."""
    names = lineage_names(item.value)
    return names[1] if len(names) == 2 else None


def creation_verb(item: PlacedItem) -> str | None:
    """Give the one verb between parent and child, as the article writes it: `spawned`, `launched` …"""
    if item.paragraph is None or len(item.parts) != 2:
        return None
    first, second = sorted(item.parts, key=lambda part: part.start)
    between = item.paragraph[first.end : second.start]
    found = [] if _ENDS.search(between) else _VERB.findall(between)
    return found[0] if len(found) == 1 else None
