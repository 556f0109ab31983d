"""How like texts are by their words: TF-IDF over hashed words, with nothing but numpy and scipy."""

import re
import zlib
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

_WORD = re.compile(r"\w{2,40}")
_BUCKETS = 2**18
_TOGETHER = 64


class TextLikeness:
    """Compares some texts with each other by the cosine of their words' weights, 0 to 1.

    A word's weight is (1 + ln count) · ln(texts / texts with it), as in Salton and Buckley 1988; what stands in
    every text counts nothing.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        counts = [Counter(_buckets(text)) for text in texts]
        ends = np.cumsum([0, *(len(each) for each in counts)])
        columns = np.array([bucket for each in counts for bucket in each], dtype=np.int32)
        times = np.array([count for each in counts for count in each.values()], dtype=np.float64)
        texts_with = np.bincount(columns, minlength=_BUCKETS)
        weights = (1 + np.log(times)) * np.log(len(texts) / texts_with[columns])
        rows = np.repeat(np.arange(len(texts)), np.diff(ends))
        lengths = np.sqrt(np.bincount(rows, weights**2, minlength=len(texts)))
        weights /= np.where(lengths > 0, lengths, 1)[rows]
        self._matrix = csr_array((weights, columns, ends), shape=(len(texts), _BUCKETS))

    def to_all(self, number: int) -> NDArray[np.float64]:
        """Compute how like one text is to each: (texts,)."""
        similarities: NDArray[np.float64] = (self._matrix @ self._matrix[[number]].T).toarray().ravel()
        return similarities

    def to_nearest(self, others: Sequence[int]) -> NDArray[np.float64]:
        """Compute how like each text is to the most similar of some others, (texts,); 0 where there are none."""
        nearest = np.zeros(self._matrix.shape[0])
        for start in range(0, len(others), _TOGETHER):
            block = self._matrix @ self._matrix[list(others[start : start + _TOGETHER])].T
            nearest = np.maximum(nearest, block.max(axis=1).toarray().ravel())
        return nearest


def _buckets(text: str) -> list[int]:
    return [zlib.crc32(word.encode("utf-8", "replace")) % _BUCKETS for word in _WORD.findall(text.lower())]
