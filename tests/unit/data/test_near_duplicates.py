import random

import numpy as np
import pytest

from ctiforge.data.identity import canonical_url, content_hash, fold
from ctiforge.data.near_duplicates import DuplicateIndex, near_pairs_between


def make_text(seed: int, words: int = 400) -> str:
    rng = random.Random(seed)
    return " ".join("".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=rng.randint(2, 9))) for _ in range(words))


def groups_of(folder, texts, urls=None):
    with DuplicateIndex(folder) as index:
        for number, text in enumerate(texts):
            folded = fold(text)
            index.add(folded, content_hash(folded), urls[number] if urls else None)
        return index.groups().tolist()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("https://Example.com/a/", "http://www.example.com/a"),
        ("https://example.com/a?utm_source=x&id=1", "https://example.com/a?id=1#part"),
        ("https://example.com:443/a", "https://example.com/a"),
    ],
)
def test_urls_of_one_page_are_one(one: str, other: str) -> None:
    assert canonical_url(one) == canonical_url(other)


@pytest.mark.parametrize("other", ["https://example.com/a?id=2", "https://example.com/A", "https://other.com/a?id=1"])
def test_urls_of_other_pages_differ(other: str) -> None:
    assert canonical_url("https://example.com/a?id=1") != canonical_url(other)


@pytest.mark.parametrize("url", ["", "no url", "http://[broken", "file:///x"])
def test_odd_urls_do_not_raise(url: str) -> None:
    assert canonical_url(url) == canonical_url(url)


def test_layout_and_case_do_not_matter(tmp_path) -> None:
    text = make_text(1)

    assert groups_of(tmp_path, [text, text.upper().replace(" ", "\n\n"), make_text(2)]) == [0, 0, 2]


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text + " first published elsewhere",
        lambda text: "a header of the other site " + text,
        lambda text: text.replace(text.split()[200], "changed", 1),
    ],
)
def test_near_copies_share_a_group(tmp_path, change) -> None:
    text = make_text(1)

    assert groups_of(tmp_path, [make_text(2), text, make_text(3), change(text)]) == [0, 1, 2, 1]


def test_texts_that_share_half_are_no_duplicates(tmp_path) -> None:
    half = make_text(1, 200)

    assert groups_of(tmp_path, [half + make_text(2, 200), half + make_text(3, 200)]) == [0, 1]


def test_same_url_is_one_group_and_groups_chain(tmp_path) -> None:
    texts = [make_text(1), make_text(2), make_text(2) + " tail", make_text(3)]
    urls = ["https://a.invalid/1", "https://www.a.invalid/1/", None, "https://a.invalid/3"]

    assert groups_of(tmp_path, texts, urls) == [0, 0, 0, 3]


def test_short_and_empty_texts_are_only_compared_exactly(tmp_path) -> None:
    assert groups_of(tmp_path, ["short", "brief", "", "Short ", "x"]) == [0, 1, 2, 0, 4]


def test_more_rows_than_a_batch_and_no_rows_at_all(tmp_path) -> None:
    texts = [make_text(seed, 60) for seed in range(600)]

    groups = groups_of(tmp_path, [*texts, texts[0], texts[599]])

    assert groups == [*range(600), 0, 599]
    assert groups_of(tmp_path, []) == []


def test_the_first_of_the_held_out_texts_is_named() -> None:
    texts = [make_text(1), make_text(2) + " tail", "short", make_text(4)]
    others = [make_text(9), make_text(2), make_text(2), "short"]

    assert near_pairs_between(texts, others) == {1: 1, 2: 3}


@pytest.mark.parametrize(("texts", "others"), [([], []), (["a"], []), ([], ["a"])])
def test_nothing_is_near_to_nothing(texts, others) -> None:
    assert near_pairs_between(texts, others) == {}


def test_lone_surrogates_fold() -> None:
    assert fold("a\ud800B c") == b"a?bc"


def test_estimates_are_close_to_the_true_similarity(tmp_path) -> None:
    rng = np.random.default_rng(0)
    base = make_text(5, 600).split()
    near = [w if keep else "zzz" for w, keep in zip(base, rng.random(600) > 0.005, strict=True)]
    far = [w if keep else "zzz" for w, keep in zip(base, rng.random(600) > 0.3, strict=True)]

    assert groups_of(tmp_path, [" ".join(base), " ".join(near), " ".join(far)]) == [0, 0, 2]
