import numpy as np
import pytest

from ctiforge.labels.likeness import TextLikeness

TEXTS = [
    "the wolf ran powershell on hosts",
    "The wolf ran PowerShell on hosts!",
    "a registry was changed",
    "",
    "🐍",
]


def test_texts_are_alike_by_their_words() -> None:
    similarities = TextLikeness(TEXTS).to_all(0)
    assert similarities[:2] == pytest.approx(1)
    assert similarities[2:] == pytest.approx(0)


def test_the_nearest_of_many_is_found() -> None:
    texts = [f"word{n} word{n + 1} word{n + 2}" for n in range(150)]
    likeness = TextLikeness(texts)
    others = list(range(100, 150))
    each = np.max([likeness.to_all(n) for n in others], axis=0)
    assert likeness.to_nearest(others) == pytest.approx(each)
    assert likeness.to_nearest(range(150)) == pytest.approx(1)
    assert likeness.to_nearest([]).tolist() == [0.0] * 150


def test_texts_without_words_are_like_nothing() -> None:
    assert TextLikeness(["", " \n", "!"]).to_all(0).tolist() == [0, 0, 0]
    assert TextLikeness(["one text alone"]).to_nearest([0]).tolist() == [0.0]
