"""Finds articles that say the same: by URL, by content, and nearly (MinHash over text windows, LSH).

The shingles of a text are its windows of 24 characters, white space and case left out, at places
that the text itself chooses (one in sixteen): a copy with another layout, header or ending keeps
nearly all of them. Two texts are near duplicates when the Jaccard similarity of their shingles,
estimated from 128 MinHash values (rensa), is at least 0.8. Texts below some 50 characters have too
few places: they are only compared exactly.
"""

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import numpy as np
from numpy.typing import NDArray
from rensa import RMinHash

from ctiforge.data.identity import canonical_url, content_hash, fold

Signatures = NDArray[np.uint32]
Keys = NDArray[np.uint64]

THRESHOLD = 0.8
PERMUTATIONS = 128
BANDS = 16
_BATCH = 256
_SEED = 1
_EMPTY = 0xFFFFFFFF
_WINDOW = 24
_MIX = np.uint64(0x9E3779B97F4A7C15)
_HALF = np.uint64(32)
_SPREAD = np.uint8(167)


def near_pairs_between(texts: Sequence[str], others: Sequence[str]) -> dict[int, int]:
    """Find, for each index in `texts`, the index in `others` of its first exact or near duplicate there."""
    pairs: dict[int, int] = {}
    ours, theirs = _signatures(texts), _signatures(others)
    our_keys, their_keys = _band_keys(ours), _band_keys(theirs)
    for band in range(BANDS):
        by_key: dict[int, list[int]] = {}
        for other, key in enumerate(their_keys[:, band].tolist()):
            by_key.setdefault(key, []).append(other)
        shared = np.isin(our_keys[:, band], their_keys[:, band]) & (our_keys[:, band] != 0)
        for index in np.flatnonzero(shared).tolist():
            for other in by_key[int(our_keys[index, band])]:
                if other < pairs.get(index, len(others)) and _are_similar(ours[index], theirs[other]):
                    pairs[index] = other
    by_hash = {content_hash(fold(text)): other for other, text in reversed(list(enumerate(others)))}
    for index, text in enumerate(texts):
        other_or_none = by_hash.get(content_hash(fold(text)))
        if other_or_none is not None:
            pairs[index] = min(other_or_none, pairs.get(index, other_or_none))
    return pairs


class DuplicateIndex:
    """Groups any number of rows; signatures and keys lie in files of `folder`, so memory stays small.

    Add the rows in order, then ask for `groups()` once. Use as a context manager.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._signatures: IO[bytes] = (folder / "signatures").open("w+b")
        self._columns: list[IO[bytes]] = [(folder / f"keys-{n}").open("w+b") for n in range(BANDS + 2)]
        self._pending: list[Any] = []
        self._pending_keys: list[tuple[int, int]] = []
        self.rows = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for file in (self._signatures, *self._columns):
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
        self._pending.append(_shingles(folded))
        # 16 hex digits are 64 bits: as a number they are one more key of the row, like those of the bands
        self._pending_keys.append((int(shingle_hash[:16], 16), int(url_hash[:16], 16)))
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
        parents = np.arange(self.rows, dtype=np.int32)
        for number, column in enumerate(self._columns):
            column.flush()
            keys = np.fromfile(self._folder / f"keys-{number}", dtype=np.uint64)
            for bucket in _buckets(keys):
                if number >= BANDS:
                    for row in bucket[1:]:
                        _join(parents, bucket[0], row)
                else:
                    self._join_similar(parents, bucket)
        for row in range(self.rows):
            # a leader has the smaller number: it points at its own group already
            parents[row] = parents[parents[row]]
        return parents

    def _join_similar(self, parents: NDArray[np.int32], bucket: list[int]) -> None:
        """Join the rows of one bucket that are similar: each is compared with those unlike one another so far."""
        unlike: list[tuple[int, Signatures]] = []
        for row in bucket:
            signature = self._signature(row)
            for other, other_signature in unlike:
                if _root(parents, other) == _root(parents, row):
                    break
                if _are_similar(signature, other_signature):
                    _join(parents, other, row)
                    break
            else:
                unlike.append((row, signature))

    def _signature(self, row: int) -> Signatures:
        self._signatures.seek(row * PERMUTATIONS * 4)
        return np.frombuffer(self._signatures.read(PERMUTATIONS * 4), dtype=np.uint32)

    def _flush(self) -> None:
        if not self._pending:
            return
        signatures = _min_hash(self._pending)
        signatures.tofile(self._signatures)
        keys = np.hstack([_band_keys(signatures), np.array(self._pending_keys, dtype=np.uint64)])
        for number, column in enumerate(self._columns):
            keys[:, number].tofile(column)
        self._pending.clear()
        self._pending_keys.clear()


def _shingles(folded: bytes) -> Keys:
    """Hash the windows that start where a hash of three characters is small: about one place in sixteen."""
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
    return hashes


def _signatures(texts: Sequence[str]) -> Signatures:
    batches = [
        _min_hash([_shingles(fold(text)) for text in texts[start : start + _BATCH]])
        for start in range(0, len(texts), _BATCH)
    ]
    return np.concatenate(batches) if batches else np.empty((0, PERMUTATIONS), dtype=np.uint32)


def _min_hash(shingles: Sequence[Keys]) -> Signatures:
    """Compute MinHash values (Broder 1997), one row of `PERMUTATIONS` per set of shingles."""
    import numpy as np

    offsets = np.zeros(len(shingles) + 1, dtype=np.uint64)
    np.cumsum([len(s) for s in shingles], out=offsets[1:])
    matrix = RMinHash.digest_matrix_from_flat_token_hashes(np.concatenate(shingles), offsets, PERMUTATIONS, _SEED)
    return np.array(matrix.to_rows(), dtype=np.uint32)


def _band_keys(signatures: Signatures) -> Keys:
    """Compute one key per row and band: rows that share a key agree in that band's eight values; 0 is no key."""
    # two 32-bit values read as one 64-bit number: half as many to mix
    pairs = np.ascontiguousarray(signatures).view(np.uint64).reshape(len(signatures), BANDS, PERMUTATIONS // BANDS // 2)
    keys = np.zeros(pairs.shape[:2], dtype=np.uint64)
    for position in range(pairs.shape[2]):
        keys ^= pairs[:, :, position]
        keys *= _MIX
        keys ^= keys >> _HALF
    # a text without shingles is near to nothing
    keys[(signatures == _EMPTY).all(axis=1)] = 0
    return keys


def _are_similar(one: Signatures, other: Signatures) -> bool:
    return int((one == other).sum()) >= THRESHOLD * PERMUTATIONS


def _buckets(keys: Keys) -> Iterator[list[int]]:
    """Yield rows that share a key, in order, where there are at least two; key 0 is none."""
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    edges = np.flatnonzero(np.diff(ordered)) + 1
    starts = np.concatenate([[0], edges])
    ends = np.concatenate([edges, [len(keys)]])
    for index in np.flatnonzero(ends - starts > 1):
        if ordered[starts[index]] != 0:
            yield order[starts[index] : ends[index]].tolist()


def _root(parents: NDArray[np.int32], row: int) -> int:
    while parents[row] != row:
        parents[row] = parents[parents[row]]
        row = int(parents[row])
    return row


def _join(parents: NDArray[np.int32], one: int, other: int) -> None:
    """Join two groups; the smaller row number leads."""
    first, second = sorted((_root(parents, one), _root(parents, other)))
    parents[second] = first
