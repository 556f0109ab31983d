"""Finds articles that say the same: by URL, by content, and nearly (MinHash, LSH, then the shingles themselves).

The shingles of a text are its windows of 24 characters, white space and case left out, at places
that the text itself chooses (one in sixteen): a copy with another layout, header or ending keeps
nearly all of them. Two texts are near duplicates when they share `SHARED` of the shingles that
either has (Jaccard), or when `CONTAINED` of the shorter's stand in the longer, which is at most
twice as long: a copy that was cut, or one among another site's boilerplate. Texts below some 50
characters have too few places: they are only compared exactly.

MinHash values (rensa) of which a band agrees only make candidates; what decides are the shingles.
Of the texts that share a band each is compared with the `WITHIN` next to it in length: boilerplate
that thousands share makes no comparison of all with all, and the order of the rows decides nothing.
"""

import hashlib
from bisect import bisect
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import numpy as np
from numpy.typing import NDArray
from rensa import RMinHash

from ctiforge.data.identity import canonical_url, content_hash, fold

Shingles = NDArray[np.uint32]
Keys = NDArray[np.uint64]

SHARED = 0.8
CONTAINED = 0.6
"""A copy with 30 % other boilerplate keeps 0.7; texts of which half is the same are different ones (0.5)."""
ENOUGH = 32
"""Shingles (some 500 characters) below which 0.6 may be chance: there only `SHARED` counts."""
BANDS = 42
BAND = 3
"""Values a band. The copy with 30 % other boilerplate (Jaccard 0.54) becomes a candidate in 999 cases of 1,000,
two articles that share a quarter of each (0.14) in one of nine."""
WITHIN = 8
_BATCH = 256
_SEED = 1
_WINDOW = 24
_MIX = np.uint64(0x9E3779B97F4A7C15)
_HALF = np.uint64(32)
_SPREAD = np.uint8(167)


def near_pairs_between(texts: Sequence[str], others: Sequence[str]) -> dict[int, int]:
    """Find the texts that repeat one of some others.

    Args:
        texts: What to look at, a batch at a time.
        others: What it may repeat; about 6 kB for each of 10,000 characters stay in memory meanwhile.

    Returns:
        For each index in `texts` that repeats one the index in `others` of the first that was found.
    """
    pairs: dict[int, int] = {}
    known = _Known(others)
    by_hash = {content_hash(fold(text)): other for other, text in reversed(list(enumerate(others)))}
    for start in range(0, len(texts), _BATCH):
        folded = [fold(text) for text in texts[start : start + _BATCH]]
        hashes = [_shingles(each) for each in folded]
        for index, (keys, each) in enumerate(zip(_band_keys(hashes).tolist(), hashes, strict=True)):
            ours = _halves(each)
            found = {other for other in known.candidates(len(ours), keys) if are_near(ours, known.shingles[other])}
            same = by_hash.get(content_hash(folded[index]))
            if found or same is not None:
                pairs[start + index] = min(found if same is None else {*found, same})
    return pairs


def are_near(one: Shingles, other: Shingles) -> bool:
    """Decide whether two texts are near duplicates.

    Args:
        one: The different shingles of a text, sorted.
        other: Those of the other.

    Returns:
        The same for either order.
    """
    shorter, longer = sorted((len(one), len(other)))
    shared = np.intersect1d(one, other, assume_unique=True).size
    if shared and shared >= SHARED * (shorter + longer - shared):
        return True
    return bool(shorter >= ENOUGH and longer <= 2 * shorter and shared >= CONTAINED * shorter)


class DuplicateIndex:
    """Groups any number of rows; shingles and keys lie in files of `folder`, about 2.5 kB for 10,000 characters.

    What grows in memory is 60 bytes a row, whatever its length, while `groups()` runs, and nothing
    before. A row is compared with at most `BANDS` times `WITHIN` others. Add the rows in order, then
    ask for `groups()` once. Use as a context manager.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._shingles: IO[bytes] = (folder / "shingles").open("w+b")
        self._columns: list[IO[bytes]] = [(folder / f"keys-{n}").open("w+b") for n in range(BANDS + 3)]
        self._pending: list[Keys] = []
        self._pending_keys: list[tuple[int, int, int]] = []
        self._position = 0
        self.rows = 0
        self.compared = 0
        """Pairs of rows whose shingles were compared: it grows as the rows do."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for file in (self._shingles, *self._columns):
            file.close()

    def add(self, folded: bytes, shingle_hash: str, url: str | None) -> int:
        """Add one row.

        Args:
            folded: Its text, folded (`identity.fold`).
            shingle_hash: The hash of that (`identity.content_hash`): equal texts are one group.
            url: Its page, which makes rows one group as well; None where there is none.

        Returns:
            The row's number, counted from 0.
        """
        url_hash = hashlib.sha256(canonical_url(url).encode("utf-8", "replace")).hexdigest() if url else "0"
        hashes = _shingles(folded)
        self._position += len(hashes)
        self._pending.append(hashes)
        # 16 hex digits are 64 bits: as a number they are one more key of the row, like those of the bands
        self._pending_keys.append((int(url_hash[:16], 16), int(shingle_hash[:16], 16), self._position))
        if len(self._pending) >= _BATCH:
            self._flush()
        self.rows += 1
        return self.rows - 1

    def groups(self) -> NDArray[np.int32]:
        """Group the rows that were added.

        Returns:
            (rows,): for each row the number of the first row of its group.
        """
        self._flush()
        self._shingles.flush()
        parents = np.arange(self.rows, dtype=np.int32)
        for number in (BANDS, BANDS + 1):
            for bucket in _buckets(self._column(number)):
                for row in bucket[1:]:
                    _join(parents, int(bucket[0]), int(row))
        texts, ends = self._column(BANDS + 1), self._column(BANDS + 2).view(np.int64)
        read = lru_cache(maxsize=2 * WITHIN)(lambda row: self._read(row, ends))
        sizes = np.diff(ends, prepend=0)
        for number in range(BANDS):
            for bucket in _buckets(self._column(number)):
                # by length, then by what the text is: the same order however the rows were added, each text once
                rows = sorted(zip(sizes[bucket].tolist(), texts[bucket].tolist(), bucket.tolist(), strict=True))
                different = {text: row for _, text, row in reversed(rows)}
                self._join_near(parents, [*different.values()][::-1], read)
        for row in range(self.rows):
            # a leader has the smaller number: it points at its own group already
            parents[row] = parents[parents[row]]
        return parents

    def _join_near(self, parents: NDArray[np.int32], rows: Sequence[int], read: Callable[[int], Shingles]) -> None:
        """Join those of some rows that are near duplicates; each is compared with the `WITHIN` before it."""
        before: deque[int] = deque(maxlen=WITHIN)
        for row in rows:
            for other in before:
                if _root(parents, other) != _root(parents, row):
                    self.compared += 1
                    if are_near(read(other), read(row)):
                        _join(parents, other, row)
            before.append(row)

    def _column(self, number: int) -> Keys:
        self._columns[number].flush()
        return np.fromfile(self._folder / f"keys-{number}", dtype=np.uint64)

    def _read(self, row: int, ends: NDArray[np.int64]) -> Shingles:
        start = int(ends[row - 1]) if row else 0
        self._shingles.seek(start * 4)
        return np.frombuffer(self._shingles.read((int(ends[row]) - start) * 4), dtype=np.uint32)

    def _flush(self) -> None:
        if not self._pending:
            return
        _halves(np.concatenate(self._pending)).tofile(self._shingles)
        keys = np.hstack([_band_keys(self._pending), np.array(self._pending_keys, dtype=np.uint64)])
        for number, column in enumerate(self._columns):
            keys[:, number].tofile(column)
        self._pending.clear()
        self._pending_keys.clear()


class _Known:
    """Texts that others may repeat: their shingles, and for each key those that have it, by length."""

    def __init__(self, texts: Sequence[str]) -> None:
        self.shingles: list[Shingles] = []
        self._by_key: list[dict[int, list[tuple[int, int]]]] = [{} for _ in range(BANDS)]
        for start in range(0, len(texts), _BATCH):
            hashes = [_shingles(fold(text)) for text in texts[start : start + _BATCH]]
            for keys, each in zip(_band_keys(hashes).tolist(), hashes, strict=True):
                for by_key, key in zip(self._by_key, keys, strict=True):
                    by_key.setdefault(key, []).append((len(each), len(self.shingles)))
                self.shingles.append(_halves(each))
        for by_key in self._by_key:
            for bucket in by_key.values():
                bucket.sort()

    def candidates(self, size: int, keys: Sequence[int]) -> set[int]:
        """Find those that share a key; of each band the `WITHIN` next to this size on either side."""
        found: set[int] = set()
        for by_key, key in zip(self._by_key, keys, strict=True):
            bucket = by_key.get(key, []) if key else []
            place = bisect(bucket, (size, -1))
            found.update(other for _, other in bucket[max(0, place - WITHIN) : place + WITHIN])
        return found


def _shingles(folded: bytes) -> Keys:
    """Hash the windows that start where a hash of three characters is small: about one place in sixteen.

    Returns:
        The different ones, sorted.
    """
    places = len(folded) - _WINDOW
    if places <= 0:
        return np.empty(0, dtype=np.uint64)
    text = np.frombuffer(folded, dtype=np.uint8)
    spread = text * _SPREAD
    # bytes wrap around: a hash of 0 to 255, and below 16 is one place in sixteen
    chosen = spread[:places] ^ text[1 : places + 1]
    chosen += spread[2 : places + 2]
    starts = np.flatnonzero(chosen < 16)
    # eight characters from each place on, read as one number
    eights = np.ndarray((len(folded) - 7,), dtype=np.uint64, buffer=folded, strides=(1,))
    hashes = eights[starts] * _MIX
    hashes ^= eights[starts + 8]
    hashes *= _MIX
    hashes ^= hashes >> _HALF
    hashes += eights[starts + 16]
    hashes *= _MIX
    return _distinct(hashes)


def _distinct(hashes: Keys) -> Keys:
    """Sort hashes, each once; of a few hundred this takes a fifth of what np.unique does."""
    hashes.sort()
    keep = np.ones(len(hashes), dtype=bool)
    np.not_equal(hashes[1:], hashes[:-1], out=keep[1:])
    distinct: Keys = hashes[keep]
    return distinct


def _halves(hashes: Keys) -> Shingles:
    """Keep the upper half of each hash: enough to compare two texts, in half the space, and in the same order."""
    return (hashes >> _HALF).astype(np.uint32)


def _band_keys(hashes: Sequence[Keys]) -> Keys:
    """Compute a key for each text and band: texts that share one agree in that band's MinHash values; 0 is no key."""
    keys = np.zeros((len(hashes), BANDS), dtype=np.uint64)
    values = _min_hash(hashes).reshape(len(hashes), BANDS, BAND)
    for position in range(BAND):
        keys ^= values[:, :, position]
        keys *= _MIX
        keys ^= keys >> _HALF
    # a text without shingles is near to nothing
    keys[[len(each) == 0 for each in hashes]] = 0
    return keys


def _min_hash(hashes: Sequence[Keys]) -> Shingles:
    """Compute MinHash values (Broder 1997), one row for each text."""
    offsets = np.zeros(len(hashes) + 1, dtype=np.uint64)
    np.cumsum([len(each) for each in hashes], out=offsets[1:])
    matrix = RMinHash.digest_matrix_from_flat_token_hashes(np.concatenate(hashes), offsets, BANDS * BAND, _SEED)
    return np.array(matrix.to_rows(), dtype=np.uint32)


def _buckets(keys: Keys) -> Iterator[NDArray[np.int64]]:
    """Yield rows that share a key, in order, where there are at least two; key 0 is none."""
    order = np.argsort(keys, kind="stable")
    # the unsorted keys may go: an array more is 8 bytes a row
    keys = keys[order]
    again = np.concatenate([[False], keys[1:] == keys[:-1], [False]])
    for start in np.flatnonzero(again[1:] & ~again[:-1]).tolist():
        if keys[start] != 0:
            length = int(np.argmin(again[start + 1 :])) + 1
            yield order[start : start + length]


def _root(parents: NDArray[np.int32], row: int) -> int:
    while parents[row] != row:
        parents[row] = parents[parents[row]]
        row = int(parents[row])
    return row


def _join(parents: NDArray[np.int32], one: int, other: int) -> None:
    """Join two groups; the smaller row number leads."""
    first, second = sorted((_root(parents, one), _root(parents, other)))
    parents[second] = first
