"""Copies that were cut, or that stand among another site's words, and articles that only share some."""

import json
import random
from itertools import pairwise
from pathlib import Path

import pytest

from ctiforge.data.identity import content_hash, fold
from ctiforge.data.near_duplicates import BANDS, WITHIN, DuplicateIndex, near_pairs_between

PARTS = {"head": 0.0, "middle": 0.5, "tail": 1.0}
COPIES = range(20)


def words(seed: int, number: int) -> str:
    rng = random.Random(seed)
    return " ".join("".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=rng.randint(2, 9))) for _ in range(number))


def cut(text: str, share: float, part: str = "middle") -> str:
    kept = int(len(text) * share)
    start = int((len(text) - kept) * PARTS[part])
    return text[start : start + kept]


def among_others(text: str, share: float, seed: int) -> str:
    """The text within so many of another site's words that they are `share` of the whole."""
    other = words(seed, int(len(text) / 6.5 * share / (1 - share)))
    return f"{other[: len(other) // 2]} {text} {other[len(other) // 2 :]}"


def groups_of(folder: Path, texts: list[str]) -> list[int]:
    with DuplicateIndex(folder) as index:
        for text in texts:
            folded = fold(text)
            index.add(folded, content_hash(folded), None)
        return index.groups().tolist()


def compared(folder: Path, texts: list[str]) -> int:
    with DuplicateIndex(folder) as index:
        for text in texts:
            folded = fold(text)
            index.add(folded, content_hash(folded), None)
        assert index.groups().tolist() == list(range(len(texts)))
        return index.compared


CHANGES = {
    **{f"cut to 70 %, {part}": lambda text, seed, part=part: cut(text, 0.7, part) for part in PARTS},
    "30 % other words around it": lambda text, seed: among_others(text, 0.3, seed),
    "30 % of it are other words": lambda text, seed: among_others(cut(text, 0.7), 0.3, seed),
    "both, less of each": lambda text, seed: among_others(cut(text, 0.8, "head"), 0.2, seed),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_cut_copies_and_changed_boilerplate_are_found(tmp_path: Path, change) -> None:
    texts = [words(seed, 800) for seed in COPIES]
    copies = [change(text, 1000 + seed) for seed, text in enumerate(texts)]

    assert near_pairs_between(copies, texts) == {index: index for index in COPIES}
    assert near_pairs_between(texts, copies) == {index: index for index in COPIES}
    assert groups_of(tmp_path, [*texts, *copies]) == [*COPIES, *COPIES]


def test_a_copy_that_replaces_its_own_boilerplate_by_another_is_found(tmp_path: Path) -> None:
    bodies = [words(seed, 800) for seed in COPIES]
    here, there = ([among_others(body, 0.3, site) for body in bodies] for site in (1001, 1002))

    assert groups_of(tmp_path, [*here, *there]) == [*COPIES, *COPIES]


@pytest.mark.parametrize("share", [0.25, 0.4])
def test_articles_of_one_site_are_not_one(tmp_path: Path, share: float) -> None:
    texts = [among_others(words(seed, 800), share, 1001) for seed in range(60)]

    assert groups_of(tmp_path, texts) == list(range(60))
    assert near_pairs_between(texts[:30], texts[30:]) == {}


def test_reports_that_quote_the_same_commands_are_not_one(tmp_path: Path) -> None:
    commands = "\n".join(f"cmd.exe /c {words(3000 + number, 10)} > out{number}.txt" for number in range(10))
    texts = [f"{words(seed, 150)}\n{commands}\n{words(100 + seed, 150)}" for seed in range(10)]

    assert groups_of(tmp_path, texts) == list(range(10))


def test_a_short_part_of_a_long_article_is_another_text(tmp_path: Path) -> None:
    texts = [words(seed, 800) for seed in range(5)]

    assert groups_of(tmp_path, ["\n".join(texts), *texts]) == list(range(6))


def test_short_texts_share_more_than_chance_to_be_one(tmp_path: Path) -> None:
    text = words(1, 50)

    assert groups_of(tmp_path, [text, cut(text, 0.7)]) == [0, 1]


def test_the_order_of_the_rows_decides_nothing(tmp_path: Path) -> None:
    bodies = [words(seed, 300) for seed in range(12)]
    texts = [among_others(body, share, 50) for body in bodies for share in (0.0, 0.25, 0.35)]
    texts += [cut(body, share, part) for body in bodies[:8] for share, part in ((0.7, "head"), (0.65, "tail"))]
    partitions = set()
    for seed in range(5):
        shuffled = random.Random(seed).sample(texts, len(texts))
        groups: dict[int, set[str]] = {}
        for text, group in zip(shuffled, groups_of(tmp_path, shuffled), strict=True):
            groups.setdefault(group, set()).add(text)
        partitions.add(frozenset(map(frozenset, groups.values())))

    assert len(partitions) == 1


def test_comparisons_grow_with_the_articles_of_a_site_not_with_their_pairs(tmp_path: Path) -> None:
    texts = [among_others(words(seed, 100), 0.3, 10_001) for seed in range(1600)]
    a_row = [compared(tmp_path, texts[:rows]) / rows for rows in (400, 800, 1600)]

    assert all(more < 1.3 * less for less, more in pairwise(a_row))
    assert a_row[-1] < BANDS * WITHIN / 20


def test_no_two_real_articles_are_one_and_their_cut_copies_are_found(tmp_path: Path, real_articles: Path) -> None:
    lines = real_articles.read_text(encoding="utf-8").splitlines()
    # a text that is padded with white space would be cut in its padding
    texts = [" ".join(json.loads(line)["content"].split()) for line in lines]
    each = list(range(len(texts)))

    assert groups_of(tmp_path, texts) == each
    for number, change in enumerate(CHANGES.values()):
        copies = [change(text, 1000 * number + index) for index, text in enumerate(texts)]
        assert groups_of(tmp_path, [*texts, *copies]) == [*each, *each]
