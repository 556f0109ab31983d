"""Whether a text or an address names one of those who labeled, however the name is written in it."""

import re
import unicodedata
from collections.abc import Collection, Iterator
from itertools import pairwise, permutations

from ctiforge.records.article import ArticleRecord
from ctiforge.release.addresses import decoded

_BETWEEN_PEOPLE = re.compile(r"[,;/&|+\\\n]|\band\b")
_OTHER_BREAK = re.compile(r"[;/&|+\\\n]|\band\b")
_MAIL_HOST = re.compile(r"(?<=\w)@\S*")
_LETTERS = re.compile(r"[^\W\d_]+")
_SIGNS = re.compile(r"[^\W_]+")
_APOSTROPHE = re.compile(r"(?<=\w)['’](?=\w)")
# scripts without spaces between words, and Korean as it is taken apart
_WRITTEN_TOGETHER = re.compile(r"[\u1100-\u11ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+")
_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "å": "aa", "ø": "oe"})
_WITHOUT_MARKS = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "ð": "d", "ı": "i", "æ": "ae", "œ": "oe", "þ": "th"})


def people_of(record: ArticleRecord) -> set[str]:
    """Name who labeled an article, one by one; of a mail address what stands before its host."""
    named = [record.annotator or "", *(each.name or "" for each in record.type_labels.values() if each.by == "person")]
    found = {_MAIL_HOST.sub(" ", name).strip() for each in named for name in _BETWEEN_PEOPLE.split(each)}
    turned = {f"{first} {last}" for each in named for last, first in _pairs_at_commas(each)}
    return {name for name in (*found, *turned) if name}


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
        _is_in(fold(name), fold(line))
        for line in decoded(text).splitlines()
        for fold in (_folded, _spelled_out)
        for name in people
    )


def _pairs_at_commas(names: str) -> Iterator[tuple[str, str]]:
    """Give what stands around each comma where it may be one person, as directories write `Doe, Jane`."""
    for before, after in pairwise(names.split(",")):
        last, first = (
            _MAIL_HOST.sub(" ", _OTHER_BREAK.split(part)[at]).strip() for part, at in ((before, -1), (after, 0))
        )
        if last and first and not (" " in last and " " in first):
            yield last, first


def _folded(text: str) -> str:
    marked = unicodedata.normalize("NFKD", text.casefold())
    return "".join(char for char in marked if not unicodedata.combining(char)).translate(_WITHOUT_MARKS)


def _spelled_out(text: str) -> str:
    return _folded(unicodedata.normalize("NFC", text.casefold()).translate(_UMLAUTS))


def _is_in(name: str, line: str) -> bool:
    if _WRITTEN_TOGETHER.search(name):
        together = "".join(_WRITTEN_TOGETHER.findall(name))
        return len(together) > 1 and together in line.replace(" ", "")
    parted = _LETTERS.findall(name)
    if not any(len(word) > 1 for word in parted):
        # of single letters between digits: only whole
        return "".join(_SIGNS.findall(name)) in _SIGNS.findall(line)
    return any(_are_in(words, line) for words in (parted, _LETTERS.findall(_APOSTROPHE.sub("", name))))


def _are_in(name: list[str], line: str) -> bool:
    words = _LETTERS.findall(line)
    known = [word for word in name if len(word) > 1]
    if len(known) == 1 and known[0] in words:
        return True
    initials = "".join(word[0] for word in name[:-1])
    if len(initials) > 1 and not {initials + name[-1], name[-1] + initials}.isdisjoint(words):
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
