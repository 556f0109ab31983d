"""Tells whether a file holds an article: by its id, by the hash of its text, or by its page."""

import csv
import gzip
import json
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ctiforge.data.identity import canonical_url, content_hash, fold

_IDS = ("id", "article_id", "training_id", "test_id", "as")
_TEXTS = ("content", "text", "article")
_TABLES = {".csv": ",", ".tsv": "\t"}
_LONGEST_FIELD = 1 << 30
_LONGEST_NUMBER = 4_000


@dataclass(frozen=True)
class ArticleIdentity:
    """What an article is known by."""

    id: str
    """Its id, as records and evaluations have it."""
    hashes: frozenset[str] = frozenset()
    """The hashes of its texts, folded: one page may have had several."""
    urls: frozenset[str] = frozenset()
    """Its pages, canonical."""
    copies: frozenset[str] = frozenset()
    """Other ids that its text or page has: they may be ids of other articles as well, which have texts of their own."""

    def is_in(self, value: Any) -> bool:
        """Tell whether a JSON value speaks of the article.

        Args:
            value: Any JSON value.

        Returns:
            True where an object in it has the article's id, the hash of its text, its page or its text, where its id is
            a key, or where an object that says no more has the id of a copy.
        """
        return any(
            self._is(each) or self._is_copy(each) or isinstance(each.get(self.id), dict | list)
            for each in _objects(value)
        )

    def with_texts_of(self, value: Any) -> "ArticleIdentity":
        """Add the texts and pages that objects with the article's id have in a JSON value."""
        hashes, urls = set(self.hashes), set(self.urls)
        for each in _objects(value):
            if not self._has_id(each):
                continue
            hashes |= {each["content_hash"]} if isinstance(each.get("content_hash"), str) else set()
            hashes |= {content_hash(fold(text)) for text in _texts(each)}
            urls |= {canonical_url(each["url"])} if isinstance(each.get("url"), str) and each["url"] else set()
        return replace(self, hashes=frozenset(hashes), urls=frozenset(urls))

    def with_copies_of(self, value: Any) -> "ArticleIdentity":
        """Add the other ids that objects with the article's text or page have in a JSON value."""
        others = {id_ for each in _objects(value) if self._is_same(each) for id_ in _ids(each)} - {self.id}
        return replace(self, copies=self.copies | others)

    def texts_in(self, value: Any) -> list[str]:
        """List the texts of the objects in a JSON value that have the article's id, its text or its page."""
        return [text for each in _objects(value) if self._is(each) for text in _texts(each)]

    def _has_id(self, entry: dict[str, Any]) -> bool:
        return self.id in _ids(entry)

    def _is(self, entry: dict[str, Any]) -> bool:
        return self._has_id(entry) or self._is_same(entry)

    def _is_same(self, entry: dict[str, Any]) -> bool:
        """Tell whether an entry has the article's text or page, whatever its id."""
        if str(entry.get("content_hash")) in self.hashes:
            return True
        url = entry.get("url")
        if isinstance(url, str) and url and canonical_url(url) in self.urls:
            return True
        return bool(self.hashes) and any(content_hash(fold(text)) in self.hashes for text in _texts(entry))

    def _is_copy(self, entry: dict[str, Any]) -> bool:
        """Tell whether an entry has a copy's id, and nothing that makes it another article."""
        if self.copies.isdisjoint(_ids(entry)):
            return False
        return not (entry.get("content_hash") or entry.get("url") or any(_texts(entry)))


def read_values(path: Path) -> Iterator[Any]:
    """Read a file as JSON, one document or a value a line, or as a table by its suffix.

    Args:
        path: A file of JSON, JSON lines (compressed by gzip too) or CSV.

    Yields:
        The values, rows of tables as objects; nothing of what is none.
    """
    suffix = path.suffix.lower()
    if suffix in _TABLES:
        yield from _rows(path, _TABLES[suffix])
        return
    if suffix == ".gz":
        with (
            suppress(OSError, EOFError, zlib.error),
            gzip.open(path, "rt", encoding="utf-8", errors="replace") as lines,
        ):
            yield from (value for line in lines if (value := _value(line)) is not None)
        return
    value = None if suffix == ".jsonl" else _value(path.read_text(encoding="utf-8-sig", errors="replace"))
    if value is not None:
        yield value
        return
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        yield from (value for line in file if (value := _value(line)) is not None)


def _rows(path: Path, delimiter: str) -> list[dict[str, Any]]:
    before = csv.field_size_limit(_LONGEST_FIELD)
    try:
        with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
            first = file.readline()
            file.seek(0)
            # what parts the names of the columns
            reader = csv.DictReader(file, delimiter=max(delimiter, ";", "\t", key=first.count))
            return [{str(name).strip().lower(): field for name, field in row.items()} for row in reader]
    finally:
        # the limit is everybody's
        csv.field_size_limit(before)


def _value(text: str) -> Any:
    try:
        return json.loads(text, parse_int=_integer)
    except (ValueError, RecursionError):
        return None


def _integer(digits: str) -> int | str:
    """Read a whole number, as a text where it is longer than Python reads."""
    return int(digits) if len(digits) < _LONGEST_NUMBER else digits


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    # without recursion, which is nested less deeply than JSON may be
    left = [value]
    while left:
        each = left.pop()
        if isinstance(each, dict):
            yield each
            left.extend(reversed(each.values()))
        elif isinstance(each, list):
            left.extend(reversed(each))


def _ids(entry: dict[str, Any]) -> set[str]:
    ids = (entry.get(name) for name in _IDS)
    return {str(id_) for id_ in ids if isinstance(id_, str | int) and not isinstance(id_, bool)}


def _texts(entry: dict[str, Any]) -> Iterator[str]:
    return (entry[name] for name in _TEXTS if isinstance(entry.get(name), str) and entry[name].strip())
