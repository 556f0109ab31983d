"""What the rules of all types read a passage by: what the words right around an item say of it, and deny of it."""

import re
from collections.abc import Iterable, Mapping

from ctiforge.serving.placing import PlacedItem

NEAR = 120
"""Characters behind an item in which a property of it is looked for, within its sentence."""
_DENIED = re.compile(
    r"\b(?:not|never|no|nor|neither|cannot|without|unlike|instead|rather|if|should|could|would|might|(?-i:may)|must"
    r"|whether|rarely|seldom|hardly|scarcely|(?:avoid|refrain|abstain)(?:s|ed|ing)?)\b|n['’]t\b|\brespectively\b"
    # what was left off, missed or kept away
    r"|\b(?:stop(?:s|ped|ping)?|ceas(?:es|ed|ing)|quits?|fail(?:s|ed|ing)?|attempt(?:s|ed|ing)?|tr(?:ies|ied|ying))"
    r" (?:in |at )?\w+ing\b"
    r"|\b(?:prevent|block|stop|keep|protect)(?:s|p?ed|p?ing)?\b[^.;]{0,80}\bfrom\b"
    # what is looked at, and what is only so at times
    r"|\b(?:check|verif|confirm|ensur|determin|validat|test)(?:s|e|es|ed|y|ies|ied|ying|ing)? that\b"
    r"|\b(?:when|whenever|once|while|where|(?:look|search|hunt|check|scan)(?:s|es|ed|ing)? for)\s+"
    r"(?:(?:the|an?|any|this|registry|value|key|subkey|service|driver|scheduled|task|job|process|parent)\s+){0,4}\W{0,3}$",
    re.IGNORECASE,
)
# what somebody is told to do or to look for, and what is so before anybody does anything
_ADVISED = re.compile(
    r"\brecommend\w*|\badvis(?:e|es|ed|ing)\b|(?:^|[.:;-]\W*|\bto |\band )make sure\b|(?:^|[.:;-])\W*ensure\b"
    r"|\bdetects?\b|\bdefenders\b|\bmitigat(?:e|es|ing|ions?)\b|\b(?:administrators|admins|users|you) can\b"
    r"|\b(?:should|must) (?:\w+ )?(?:run|execute|use|issue)\b"
    r"|(?:^|[.:;-]\W*|\b(?:to|and|or|by|can|also) )(?:look|hunt|monitor|search|watch|scan)(?:n?ing)?"
    r" (?:\w+ ){0,2}?for\b"
    r"|\balert(?:s|ed|ing)? (?:on|when|whenever|if|that)\b|\bremediat(?:es?|ed|ing|ion)\b|\bundo\b"
    r"|^\W*to \w[^.;]{0,80}?, (?:please |then |simply )?(?:set|add|create|change|modify|delete|remove|enable|disable"
    r"|stop|run|use|execute)\b"
    r"|\bcan be (?!seen|found|observed|viewed|noted|identified)|\bby default\b",
    re.IGNORECASE,
)
ADVERB = r"(?!(?:rarely|hardly|scarcely|normally|usually|typically|supposedly|allegedly)\b)\w+ly"
"""A word that may stand before a verb and leaves what it says as it is."""
# a task's path in the task folder, of which the item is the end
_FOLDERS = re.compile(r"(?:\\[\w.()-]{1,64})*\\$")
_AND = r"(?:\s*,)?\s+(?:(?:and|or|then|later|also|subsequently)\s+){0,2}"
# words between a verb and what it is done to: no further clause, no further thing
_OF_IT = (
    r"(?:\s+(?!(?:and|or|but|which|that|who|to|of|by|from|with|without|into|in|under|on|as|if|when|while|for|after|before)\b)"
    r"[\w'’-]+){0,5}?\s+"
)
_PART_OF = r"\b(?:of|by|from|in|under|for|with|using|via|through)\s+"
# what goes on to say something of what was just named
_GOES_ON = r"\b(?:and|then|but|before|after|later|prior to|which|that|until)\s+"
_HELPS = (
    r"(?:(?:is|was|were|are|been|being|be|has|had|have|it|they|will|\w+ly|then|later|also|again|afterwards)\s+){0,4}"
)
_NOTHING_ELSE = (
    r"\s*(?:$|[.,;:)]|(?:after\w*|later|again|back|by|when|once|with|via|using|at|on|upon|from|shortly|soon|as|to)\b)"
)
_CALLED = r"\W{0,3}(?:(?:(?:that is |which is )?(?:named|called|titled|known as)|with the name(?: of)?)\W{1,3})?"


def is_denied(text: str) -> bool:
    """Tell whether a text denies, supposes or advises what it says, or says it of several things `respectively`."""
    return bool(_DENIED.search(text)) or is_advice(text)


def is_advice(text: str) -> bool:
    """Tell whether a text says what to do or to look for, or what is so by default, rather than what was done."""
    return bool(_ADVISED.search(text))


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


def the_one(kinds: Iterable[str | None]) -> str | None:
    """Name the one kind of what is done to an item; None for several. What is set up or started as well is created."""
    found = set(kinds)
    if "created" in found:
        found -= {"modified", "started", "executed"}
    return found.pop() if len(found) == 1 else None


def done_behind(item: PlacedItem, verbs: Mapping[str, str], nouns: str) -> set[str]:
    """Name what the sentence goes on to say is done to an item: `… and then deletes it`, `…, later removed`.

    Args:
        item: The item.
        verbs: Kind → the forms of its verbs, as a pattern.
        nouns: What the item is called in the sentence, as a pattern.

    Returns:
        The kinds; of the next sentence, too, where that begins with the item (`It was later deleted.`).
    """
    behind = item.sentence[2]
    text = item.around[2].partition("\n")[0]
    next_one = re.match(rf"\s*(?:it|they|(?:the|this|that) (?:{nouns}))\s", text[len(behind) :], re.IGNORECASE)
    if next_one:
        behind += f" and {text[len(behind) + next_one.end() :][:NEAR]}"
    found = set()
    for kind, forms in verbs.items():
        object_ = rf"\s+(?:it|them|both|this|(?:the|that|this) (?:same )?(?:{nouns}))\b|{_NOTHING_ELSE}"
        if re.search(rf"{_GOES_ON}{_HELPS}\b(?:{forms})\b(?:{object_})", behind[: 2 * NEAR], re.IGNORECASE):
            found.add(kind)
    return found


def done_to(item: PlacedItem, verbs: Mapping[str, str], nouns: str) -> str | None:
    """Name the one thing that the sentence says is done to an item.

    Args:
        item: The item.
        verbs: Kind → the forms of its verbs, as a pattern.
        nouns: What the item is called in the sentence, as a pattern: `service`.

    Returns:
        The kind: its verb stands right before the item, or before the noun that leads to it, or is said of it behind
        it (`the task X was created`); None where no verb does, those of several kinds do, what follows speaks of
        another, or the sentence denies it.
    """
    before, after = _FOLDERS.sub("", item.sentence[0][-2 * NEAR :]), item.sentence[2][:NEAR]
    if is_denied(item.sentence[0]) or is_advice(item.sentence[2]):
        return None
    led = rf"(?:{_OF_IT}(?:{nouns})\b{_CALLED}|\s+(?:the |an? )?\W{{0,3}})$"
    told = rf"\W{{0,3}}(?:(?:{nouns}) )?(?:is|was|were|are|gets|being) (?:{ADVERB} |then |also |later )?"
    # what is said behind it is said of the thing before it: the log of the service X was deleted
    is_of_another = re.search(
        rf"{_PART_OF}(?:the |an? |its |this )?(?:(?:{nouns})\s+)?\W{{0,3}}$", before, re.IGNORECASE
    )
    found = set()
    for kind, forms in verbs.items():
        leading = re.search(rf"\b(?:{forms})\b{led}", before, re.IGNORECASE)
        telling = not is_of_another and re.match(rf"{told}(?:{forms})\b", after, re.IGNORECASE)
        if not leading and not telling:
            continue
        found.add(kind)
        # stopped and deleted: both are done to it
        for other, others in verbs.items():
            joined = leading and re.search(rf"\b(?:{others}){_AND}$", before[: leading.start()], re.IGNORECASE)
            if joined or (telling and re.match(rf"{_AND}(?:{others})\b", after[telling.end() :], re.IGNORECASE)):
                found.add(other)
    return the_one(found | done_behind(item, verbs, nouns)) if found else None
