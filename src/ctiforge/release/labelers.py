"""Whether a text or an address names one of those who labeled, however the name is written in it."""

import re
import unicodedata
from collections.abc import Collection
from itertools import pairwise, permutations

from ctiforge.records.article import ArticleRecord
from ctiforge.release.addresses import decoded

_BETWEEN_PEOPLE = re.compile(r"[,;/&|+\\\n]|\band\b")
_MAIL_HOST = re.compile(r"(?<=\w)@\S*")
_LETTERS = re.compile(r"[^\W\d_]+")
_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "å": "aa", "ø": "oe"})
_WITHOUT_MARKS = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "ð": "d", "ı": "i", "æ": "ae", "œ": "oe", "þ": "th"})


def people_of(record: ArticleRecord) -> set[str]:
    """Name who labeled an article, one by one; of a mail address what stands before its host."""
    named = [record.annotator or "", *(each.name or "" for each in record.type_labels.values() if each.by == "person")]
    found = {_MAIL_HOST.sub(" ", name).strip() for each in named for name in _BETWEEN_PEOPLE.split(each)}
    return {name for name in found if name}


def names_one(text: str, people: Collection[str]) -> bool:
    """Tell whether an address or a text names somebody.

    Encoded, joined, turned around, without its accents, with an initial for one of its words, or a single word of the
    name that stands between two slashes or alone in a line: rather once too often.

    Args:
        text: An address; or a text, whose lines are looked at one by one.
        people: Names, as `people_of` gives them.

    Returns:
        True where one of them stands in it.
    """
    return any(
        _is_in(_LETTERS.findall(fold(name)), fold(line))
        for line in decoded(text).splitlines()
        for fold in (_folded, _spelled_out)
        for name in people
    )


def _folded(text: str) -> str:
    marked = unicodedata.normalize("NFKD", text.casefold())
    return "".join(char for char in marked if not unicodedata.combining(char)).translate(_WITHOUT_MARKS)


def _spelled_out(text: str) -> str:
    return _folded(unicodedata.normalize("NFC", text.casefold()).translate(_UMLAUTS))


def _is_in(name: list[str], line: str) -> bool:
    words = _LETTERS.findall(line)
    known = [word for word in name if len(word) > 1]
    if len(known) == 1 and known[0] in words:
        return True
    alone = {"".join(_LETTERS.findall(segment)) for segment in line.split("/")}
    if any(word in alone for word in known if len(word) > 2):
        return True
    joined = {*words, *(first + second for first, second in pairwise(words))}
    return any(
        (first in words and second in words)
        or joined & {first[0] + second, second + first[0]}
        or any(word.startswith(first) and word.endswith(second) for word in joined)
        for first, second in permutations(known, 2)
    )
