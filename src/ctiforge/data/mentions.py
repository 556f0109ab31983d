"""Tells whether a file holds an article: by its id, by the hash of its text, or by its page."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ctiforge.data.identity import canonical_url, content_hash, fold

_IDS = ("id", "article_id", "training_id", "test_id", "as")
_TEXTS = ("content", "text", "article")


@dataclass(frozen=True)
class ArticleIdentity:
    """What an article is known by."""

    id: str
    """Its id, as records and evaluations have it."""
    hashes: frozenset[str] = frozenset()
    """The hashes of its texts, folded: one page may have had several."""
    urls: frozenset[str] = frozenset()
    """Its pages, canonical."""

    def is_in(self, value: Any) -> bool:
        """Tell whether a JSON value speaks of the article.

        Args:
            value: Any JSON value.

        Returns:
            True where an object in it has the article's id, the hash of its text, its page or its text, or where its
            id is a key.
        """
        if isinstance(value, list):
            return any(self.is_in(each) for each in value)
        if not isinstance(value, dict):
            return False
        return self._is(value) or any(
            (key == self.id and isinstance(each, dict | list)) or self.is_in(each) for key, each in value.items()
        )

    def with_texts_of(self, value: Any) -> "ArticleIdentity":
        """Add the texts and pages that objects with the article's id have in a JSON value."""
        hashes, urls = set(self.hashes), set(self.urls)
        for each in _objects(value):
            if not self._has_id(each):
                continue
            hashes |= {str(each["content_hash"])} if each.get("content_hash") else set()
            hashes |= {content_hash(fold(text)) for text in _texts(each)}
            urls |= {canonical_url(each["url"])} if isinstance(each.get("url"), str) and each["url"] else set()
        return ArticleIdentity(self.id, frozenset(hashes), frozenset(urls))

    def texts_in(self, value: Any) -> list[str]:
        """List the texts of the objects with the article's id in a JSON value."""
        return [text for each in _objects(value) if self._has_id(each) for text in _texts(each)]

    def _has_id(self, entry: dict[str, Any]) -> bool:
        return any(str(entry[name]) == self.id for name in _IDS if isinstance(entry.get(name), str | int))

    def _is(self, entry: dict[str, Any]) -> bool:
        if self._has_id(entry) or entry.get("content_hash") in self.hashes:
            return True
        url = entry.get("url")
        if isinstance(url, str) and url and canonical_url(url) in self.urls:
            return True
        return bool(self.hashes) and any(content_hash(fold(text)) in self.hashes for text in _texts(entry))


def read_values(path: Path) -> Iterator[Any]:
    """Read a file as JSON: one document, or a value a line.

    Args:
        path: A file of JSON or JSON lines.

    Yields:
        The values; nothing of what is none.
    """
    if path.suffix == ".jsonl":
        with path.open(encoding="utf-8", errors="replace") as file:
            yield from (value for line in file if (value := _value(line)) is not None)
        return
    value = _value(path.read_text(encoding="utf-8", errors="replace"))
    if value is not None:
        yield value


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
    for each in value if isinstance(value, list) else value.values() if isinstance(value, dict) else ():
        yield from _objects(each)


def _texts(entry: dict[str, Any]) -> Iterator[str]:
    return (entry[name] for name in _TEXTS if isinstance(entry.get(name), str) and entry[name].strip())
