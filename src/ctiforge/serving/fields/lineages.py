"""The rules of process lineages."""

import re

from ctiforge.observables.values import lineage_names
from ctiforge.serving.fields.wording import ADVERB, is_denied
from ctiforge.serving.placing import PlacedItem

_VERB = re.compile(
    r"(?<![\w-])(?:spawn(?:s|ed|ing)?|launch(?:es|ed|ing)?|execut(?:e|es|ed|ing)|start(?:s|ed|ing)?"
    r"|creat(?:e|es|ed|ing)|invok(?:e|es|ed|ing)|initiat(?:e|es|ed|ing)|runs?|ran|running)(?![\w-])",
    re.IGNORECASE,
)
# between the first name and the verb: nothing that has a verb's subject of its own
_TO_VERB = re.compile(
    r"(?!\W{0,2}[.!?]\s)\W{0,3}(?:\(pid\W{0,2}\d+\)\s*)?"
    r"(?:(?:process|binary|executable|then|also|later|in|turn|that|which|itself|has|had|have|is|was|were|been|being"
    rf"|{ADVERB}|to|will)\s+){{0,5}}",
    re.IGNORECASE,
)
# what is started is not the program but what it has
_OWNS = re.compile(r"['’]s\s")
# creates a file as well as a process
_MAKES = re.compile(r"creat|initiat", re.IGNORECASE)
_A_PROCESS = re.compile(r"\b(?:process(?:es)?|instances?|child(?:ren)?|subprocess)\b", re.IGNORECASE)
# between the verb and the second name: no comma, no other program, no other clause
_TO_NAME = re.compile(
    r"(?:\s+(?P<by>by))?(?:\s+(?!(?:and|or|then|that|which|as|with|via|using|before|after|by|from|to|for|in|into|on|at"
    r"|under|inside|where|while|when|because|within|through|against|alongside|unlike|off|out|over|files?|services?"
    r"|tasks?(?! manage)|jobs?|threads?|keys?|folders?|shortcuts?|(?!following)\w+ing)\b)"
    r"[\w'’-]+){0,8}:?\s+[\"'“‘`(\[]?(?:(?:[A-Za-z]:|%\w+%)?\\[^\s\"']*)?",
    re.IGNORECASE,
)


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
    found = [] if is_denied(item.sentence[0]) else list(_VERB.finditer(between))
    if len(found) != 1 or not _TO_VERB.fullmatch(between, 0, found[0].start()):
        return None
    leads = _TO_NAME.fullmatch(between, found[0].end())
    if _MAKES.match(found[0].group()) and not _A_PROCESS.search(between):
        return None
    if _OWNS.match(item.paragraph, second.end):
        return None
    # a parent spawns; what was spawned by it is the child
    return found[0].group() if leads and (first == item.parts[0]) != bool(leads["by"]) else None
