"""How like texts are by their words: TF-IDF over hashed words, with nothing but numpy and scipy."""

import re
import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from ctiforge.evaluation.statistics import Floats

_WORD = re.compile(r"\w{2,40}")
_BUCKETS = 2**18
_TOGETHER = 64


class TextLikeness:
    """Compares some texts with each other by the cosine of their words' weights, 0 to 1.

    A word's weight is (1 + ln count) · ln(texts / texts with it), as in Salton and Buckley 1988; what stands in
    every text counts nothing.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        found = [np.unique(_buckets(text), return_counts=True) for text in texts]
        ends = np.cumsum([0, *(len(each) for each, _ in found)])
        columns = np.concatenate([each for each, _ in found])
        times = np.concatenate([count for _, count in found])
        texts_with = np.bincount(columns, minlength=_BUCKETS)
        weights = (1 + np.log(times)) * np.log(len(texts) / texts_with[columns])
        rows = np.repeat(np.arange(len(texts)), np.diff(ends))
        lengths = np.sqrt(np.bincount(rows, weights**2, minlength=len(texts)))
        weights /= np.where(lengths > 0, lengths, 1)[rows]
        self._matrix = csr_array((weights, columns, ends), shape=(len(texts), _BUCKETS))

    def to_all(self, number: int) -> Floats:
        """Compute how like one text is to each: (texts,)."""
        similarities: Floats = (self._matrix @ self._matrix[[number]].T).toarray().ravel()
        return similarities

    def to_nearest(self, others: Sequence[int]) -> Floats:
        """Compute how like each text is to the most similar of some others, (texts,); 0 where there are none."""
        nearest = np.zeros(self._matrix.shape[0])
        for start in range(0, len(others), _TOGETHER):
            block = self._matrix @ self._matrix[list(others[start : start + _TOGETHER])].T
            nearest = np.maximum(nearest, block.max(axis=1).toarray().ravel())
        return nearest


def _buckets(text: str) -> NDArray[np.int32]:
    words = _WORD.findall(text.lower())
    return np.array([zlib.crc32(word.encode("utf-8", "replace")) % _BUCKETS for word in words], dtype=np.int32)
