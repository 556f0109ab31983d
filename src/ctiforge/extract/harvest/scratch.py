"""Where a harvest's candidates wait on disk until all are read: lines in a file, what decides about them in SQLite.

So the memory of a harvest does not grow with the length of its articles, and by about 100 bytes with each: 32 for the
id of an execution, 60 to 69 for finding near duplicates.
"""

import errno
import hashlib
import json
import os
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from pydantic_core import to_json

from ctiforge.data.articles import Article
from ctiforge.data.near_duplicates import DuplicateIndex
from ctiforge.extract.harvest.choosing import Choice

_BATCH = 1000
_BUFFER = 1 << 20
_SCHEMA = """
PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA temp_store = FILE; PRAGMA cache_size = -4000;
CREATE TABLE rows (
    n INTEGER PRIMARY KEY, id TEXT, number INTEGER, start INTEGER, length INTEGER, hash TEXT, held_out TEXT,
    completed INTEGER, labeled INTEGER, finished TEXT, found INTEGER, lot INTEGER,
    generation TEXT, characters INTEGER, counts TEXT);
CREATE TABLE groups (n INTEGER PRIMARY KEY, lead INTEGER);
CREATE TABLE excluded (n INTEGER PRIMARY KEY, reason TEXT);
"""
# a group with a held-out article is out altogether
_EXCLUDE_HELD_OUT = """
INSERT INTO excluded SELECT rows.n, out.reason FROM rows JOIN groups USING (n) JOIN (
    SELECT lead, min(held_out) AS reason FROM rows JOIN groups USING (n) WHERE held_out IS NOT NULL GROUP BY lead
) AS out USING (lead) WHERE rows.held_out IS NULL
"""
# of a group the best execution stays: completed before others, most labeled types, newest, smallest id
_EXCLUDE_DUPLICATES = """
INSERT INTO excluded SELECT n, 'duplicate of another article' FROM (
    SELECT n, row_number() OVER (
        PARTITION BY lead
        ORDER BY completed DESC, labeled DESC, finished DESC, number IS NULL, number, id, hash) AS place
    FROM rows JOIN groups USING (n)
    WHERE held_out IS NULL AND n NOT IN (SELECT n FROM excluded)
      AND lead IN (SELECT lead FROM groups GROUP BY lead HAVING count(*) > 1)
) WHERE place > 1
"""
_EXCLUDE_NEGATIVES = """
INSERT INTO excluded SELECT n, 'true negative beyond --negative-ratio' FROM rows
WHERE found = 0 AND held_out IS NULL AND n NOT IN (SELECT n FROM excluded)
ORDER BY lot, hash, id LIMIT -1 OFFSET ?
"""
_COUNT_POSITIVES = (
    "SELECT count(*) FROM rows WHERE found > 0 AND held_out IS NULL AND n NOT IN (SELECT n FROM excluded)"
)
_INSERT = "INSERT INTO rows VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_KEPT_ROWS = """
SELECT start, length, id, smallest, found, generation, characters, counts
FROM rows JOIN groups USING (n) JOIN (
    SELECT lead, min(hash) AS smallest FROM rows JOIN groups USING (n) WHERE held_out IS NULL GROUP BY lead
) USING (lead)
WHERE held_out IS NULL AND n NOT IN (SELECT n FROM excluded)
ORDER BY number IS NULL, number, id, hash
"""


@dataclass(slots=True)
class HarvestedArticle:
    """An article that may become a record: its text, and what its executions say of it together."""

    article: Article
    content: str
    content_hash: str
    choice: Choice


@dataclass(frozen=True, slots=True)
class KeptRow:
    """One line of the output and what the report counts of it."""

    line: bytes
    generation: str | None
    characters: int
    found: int
    counts: dict[str, Any]
    """`types` and `platforms` → observables; `labelers` → types; `in_part`: the types that were seen in part."""


class HarvestScratch:
    """The candidates of one harvest in `folder`; use as a context manager, which removes what it wrote."""

    def __init__(self, folder: Path, seed: int) -> None:
        self._folder = folder / f"harvest-{os.getpid()}"
        self._folder.mkdir(parents=True)
        self._lines = _open_lines(self._folder / "lines")
        self._index = DuplicateIndex(self._folder)
        self._database = sqlite3.connect(self._folder / "rows.sqlite")
        self._database.executescript(_SCHEMA)
        self._pending: list[tuple[Any, ...]] = []
        self._position = 0
        self._seed = seed

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._database.close()
        self._index.__exit__(kind, error, trace)
        try:
            self._lines.close()
        finally:
            for path in self._folder.iterdir():
                path.unlink()
            self._folder.rmdir()

    def add(self, candidate: HarvestedArticle, folded: bytes) -> None:
        """Keep a candidate; `folded` is its content without layout."""
        article, choice, hash_ = candidate.article, candidate.choice, candidate.content_hash
        # an ArticleRecord without `id` and `group`, which are settled at the end
        observables = [{"type": o.type, "value": o.value, "platform": o.platform} for o in choice.observables]
        body = to_json(
            {
                "url": article.url,
                "title": article.title,
                "content": candidate.content,
                "content_hash": hash_,
                "observables": observables,
                "labelled_types": list(choice.labels),
                "type_labels": {type_: each.model_dump() for type_, each in choice.labels.items()},
                "labelled_by": "human" if choice.annotator else "model",
                "annotator": choice.annotator,
                "generation": choice.generation,
                "hunt_score": article.hunt_score,
                "tags": {},
            }
        )
        with _disk_full_as_os_error():
            self._lines.write(body)
            self._add_row(
                folded,
                article.url,
                (
                    article.id,
                    _number(article.id),
                    self._position,
                    len(body),
                    hash_,
                    None,
                    *choice.rank,
                    len(observables),
                    self._lot(hash_),
                    choice.generation,
                    len(candidate.content),
                    _counts(candidate),
                ),
            )
        self._position += len(body)

    def add_held_out(self, folded: bytes, hash_: str, url: str | None, reason: str) -> None:
        """Add an article that no kept one may repeat."""
        with _disk_full_as_os_error():
            self._add_row(folded, url, ("", None, 0, 0, hash_, reason, 0, 0, "", 0, 0, "", 0, ""))

    def decide(self, negative_ratio: float) -> Counter[str]:
        """Settle what stays, once all are added; returns how many are excluded for which reason."""
        with _disk_full_as_os_error():
            self._flush()
            self._lines.flush()
            leads = enumerate(self._index.groups().tolist())
            self._database.executemany("INSERT INTO groups VALUES (?, ?)", leads)
            self._database.execute(_EXCLUDE_HELD_OUT)
            self._database.execute(_EXCLUDE_DUPLICATES)
            (positives,) = self._database.execute(_COUNT_POSITIVES).fetchone()
            # of k kept articles, k × ratio may be negative; the sum of the parts is rounded down
            negatives = int(positives * negative_ratio / (1 - negative_ratio) + 1e-9)
            self._database.execute(_EXCLUDE_NEGATIVES, (negatives,))
            return Counter(dict(self._database.execute("SELECT reason, count(*) FROM excluded GROUP BY reason")))

    def kept(self) -> Iterator[KeptRow]:
        """Assemble the lines of the output, by id; of articles that differ and share one the second becomes `id~2`."""
        last_id, times = None, 0
        for start, length, id_, smallest, found, generation, characters, counts in self._database.execute(_KEPT_ROWS):
            times = times + 1 if id_ == last_id else 1
            last_id = id_
            # pread moves no file position, and sees all: `decide` has flushed the lines
            body = os.pread(self._lines.fileno(), length, start)
            head = to_json({"id": id_ if times == 1 else f"{id_}~{times}"})
            # spliced as bytes, not parsed again: {"id":…} without its `}`, the body without its braces, the group
            line = head[:-1] + b"," + body[1:-1] + b',"group":"' + smallest[:16].encode() + b'"}\n'
            yield KeptRow(line, generation, characters, found, json.loads(counts))

    def _add_row(self, folded: bytes, url: str | None, columns: tuple[Any, ...]) -> None:
        number = self._index.add(folded, columns[4], url)
        self._pending.append((number, *columns))
        if len(self._pending) >= _BATCH:
            self._flush()

    def _flush(self) -> None:
        self._database.executemany(_INSERT, self._pending)
        self._pending.clear()

    def _lot(self, hash_: str) -> int:
        """Draw a number for an article: the same for the same seed, whatever the order of reading."""
        return int.from_bytes(hashlib.blake2b(f"{self._seed}:{hash_}".encode(), digest_size=7).digest())


def _open_lines(path: Path) -> IO[bytes]:
    return path.open("w+b", buffering=_BUFFER)


def _number(id_: str) -> int | None:
    """Turn the id into a number, to sort by, where it is one that SQLite can hold."""
    return int(id_) if id_.isascii() and id_.isdigit() and len(id_) < 19 else None


def _counts(candidate: HarvestedArticle) -> str:
    """Count what the report says of an article, as JSON: observables by labeled type and platform, types by labeler."""
    choice = candidate.choice
    types = dict.fromkeys(choice.labels, 0)
    platforms: dict[str, int] = {}
    for observable in choice.observables:
        types[observable.type] += 1
        platform = observable.platform or "unknown"
        platforms[platform] = platforms.get(platform, 0) + 1
    labelers = Counter(f"{each.by} {each.name or 'unknown'}" for each in choice.labels.values())
    in_part = [type_ for type_, each in choice.labels.items() if each.seen is not None]
    return to_json({"types": types, "platforms": platforms, "labelers": labelers, "in_part": in_part}).decode()


@contextmanager
def _disk_full_as_os_error() -> Iterator[None]:
    """Turn SQLite's own error for a full disk into the system's, which programs know."""
    try:
        yield
    except sqlite3.OperationalError as error:
        if getattr(error, "sqlite_errorcode", None) != sqlite3.SQLITE_FULL:
            raise
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "scratch") from error
