"""The rules of process lineages."""

import re

from ctiforge.observables.values import lineage_names
from ctiforge.serving.placing import PlacedItem

_VERB = re.compile(
    r"(?<![\w-])(?:spawn(?:s|ed|ing)?|launch(?:es|ed|ing)?|execut(?:e|es|ed|ing)|start(?:s|ed|ing)?"
    r"|creat(?:e|es|ed|ing)|invok(?:e|es|ed|ing)|initiat(?:e|es|ed|ing)|runs?|ran|running)(?![\w-])",
    re.IGNORECASE,
)
_BY = re.compile(r"\W{0,3}by\b", re.IGNORECASE)
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
    """Give the one verb between parent and child, as the article writes it: `spawned`, `launched`."""
    if item.paragraph is None or len(item.parts) != 2:
        return None
    first, second = sorted(item.parts, key=lambda part: part.start)
    between = item.paragraph[first.end : second.start]
    found = [] if _ENDS.search(between) else list(_VERB.finditer(between))
    if len(found) != 1:
        return None
    # a parent spawns; what was spawned by it is the child
    parent_first = first == item.parts[0]
    return found[0].group() if parent_first != bool(_BY.match(between, found[0].end())) else None
