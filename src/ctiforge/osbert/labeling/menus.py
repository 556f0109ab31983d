"""Finds a site's menus in the text of its pages: names of links in a row, without the words that make a sentence."""

import re

MENU = 20
"""Words; a title with its author and the path to it has fewer."""
EDGE = 0.2
"""Menus stand in the first and the last fifth of a page; names in a row between them may be a table of the article."""
_SENTENCE = 4
"""So many words in a row that no capital begins are a sentence's."""
_SUBJECT = 2
"""Words with capitals before them that may begin the sentence."""
_WORD = re.compile(r"\S+")
# no stop, comma or path: words, short numbers ("Windows 11"), and what stands between links
_OF_LINK = re.compile(r"[^\W\d_]+(?:[-'’&/][^\W\d_]+)*|\d{1,4}|[|•·›»>&/+–—-]+")


def menus_of(content: str) -> list[tuple[int, int]]:
    """Find the menus at the head and the foot of a page; the time is linear in the text's length.

    Args:
        content: The page's text, in lines or flattened into one.

    Returns:
        Where each starts and ends, in order: at least `MENU` words of which half begin with a capital.
    """
    menus: list[tuple[int, int]] = []
    run: list[re.Match[str]] = []
    small = 0
    for word in _WORD.finditer(content):
        links = _OF_LINK.fullmatch(word[0]) is not None
        small = small + 1 if links and word[0][0].isalpha() and not word[0][0].isupper() else 0
        if links and small < _SENTENCE:
            run.append(word)
            continue
        # the words in small letters before this one were the sentence's already, and what it speaks of
        begun = _SUBJECT + (_SENTENCE - 1 if links else 0)
        _keep(menus, run[:-begun], len(content))
        run.clear()
    _keep(menus, run, len(content))
    return menus


def _keep(menus: list[tuple[int, int]], run: list[re.Match[str]], length: int) -> None:
    words = [word for word in run if word[0][0].isalpha()]
    if len(words) < MENU or 2 * sum(word[0][0].isupper() for word in words) < len(words):
        return
    start, end = run[0].start(), run[-1].end()
    if start < EDGE * length or end > (1 - EDGE) * length:
        menus.append((start, end))
