"""What the rules of all types read a passage by: what the words right around an item say of it, and deny of it."""

import re
from collections.abc import Mapping

from ctiforge.serving.placing import PlacedItem

NEAR = 120
"""Characters behind an item in which a property of it is looked for, within its sentence."""
_DENIED = re.compile(
    r"\b(?:not|never|no|nor|neither|cannot|without|unlike|instead|rather|if|should|could|would|might|(?-i:may)|must)\b"
    r"|n['’]t\b|\brespectively\b",
    re.IGNORECASE,
)
# a task's path in the task folder, of which the item is the end
_FOLDERS = re.compile(r"(?:\\[\w.()-]{1,64})*\\$")
_AND = r"(?:\s*,)?\s+(?:(?:and|or|then|later|also|subsequently)\s+){0,2}"
# words between a verb and what it is done to: no further clause, no further thing
_OF_IT = (
    r"(?:\s+(?!(?:and|or|but|which|that|who|to|by|from|with|without|into|in|on|as|if|when|while|for|after|before)\b)"
    r"[\w'’-]+){0,5}?\s+"
)
_CALLED = r"\W{0,3}(?:(?:(?:that is |which is )?(?:named|called|titled|known as)|with the name(?: of)?)\W{1,3})?"


def is_denied(text: str) -> bool:
    """Tell whether a text denies or supposes what it says, or says it of several things `respectively`."""
    return bool(_DENIED.search(text))


def said_behind(item: PlacedItem) -> str:
    """Give what the sentence says right behind an item, up to a bracket or semicolon; empty where it denies it."""
    behind = re.split(r"[;)\]\[]", item.sentence[2], maxsplit=1)[0]
    if is_denied(item.sentence[0]) or is_denied(item.sentence[2]):
        return ""
    return behind if len(behind) <= NEAR else f"{behind[:NEAR]}…"


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
        it (`the task X was created`); None where no verb does, those of several kinds do, or the sentence denies it.
    """
    before, after = _FOLDERS.sub("", item.sentence[0][-2 * NEAR :]), item.sentence[2][:NEAR]
    if is_denied(item.sentence[0]):
        return None
    led = rf"(?:{_OF_IT}(?:{nouns})\b{_CALLED}|\s+(?:the |an? )?\W{{0,3}})$"
    told = rf"\W{{0,3}}(?:(?:{nouns}) )?(?:is|was|were|are|gets|being) (?:\w+ly |then |also |later )?"
    found = set()
    for kind, forms in verbs.items():
        leading = re.search(rf"\b(?:{forms})\b{led}", before, re.IGNORECASE)
        telling = re.match(rf"{told}(?:{forms})\b", after, re.IGNORECASE)
        if not leading and not telling:
            continue
        found.add(kind)
        # stopped and deleted: both are done to it
        for other, others in verbs.items():
            joined = leading and re.search(rf"\b(?:{others}){_AND}$", before[: leading.start()], re.IGNORECASE)
            if joined or (telling and re.match(rf"{_AND}(?:{others})\b", after[telling.end() :], re.IGNORECASE)):
                found.add(other)
    return found.pop() if len(found) == 1 else None
