from pathlib import Path

import pytest

from ctiforge.extract.scored_articles import TestData
from ctiforge.records.article import ArticleRecord


def record(number: int, labeled: bool = True) -> ArticleRecord:
    return ArticleRecord(
        id=str(number),
        content="net user",
        content_hash=str(number),
        observables=(),
        labelled_types=("cmdline",) if labeled else (),
        labelled_by="human",
        annotator="a",
    )


def test_a_test_set_is_named_by_its_reference_or_its_file(tmp_path: Path) -> None:
    file = tmp_path / "mine.jsonl"
    file.write_text("{}\n")
    by_file, by_reference = TestData(file, []).describe(), TestData(file, [], "demo@3").describe()

    assert (by_reference.name, by_reference.version) == ("demo", "3")
    assert by_file.name == "mine"
    assert by_file.version == by_file.content_hash[:12]
    assert by_file.content_hash == by_reference.content_hash


def test_a_sample_is_spread_over_the_labeled_articles_and_says_of_how_many(tmp_path: Path) -> None:
    file = tmp_path / "mine.jsonl"
    file.write_text("".join(f"{record(number, number != 4).model_dump_json()}\n" for number in range(10)))

    sample = TestData.read(file, sample=3)
    assert [each.id for each in sample.records] == ["0", "3", "7"]
    described, whole = sample.describe(), TestData.read(file).describe()
    assert (described.articles, described.drawn_from, described.whole) == (3, 9, 9)
    assert (whole.articles, whole.drawn_from, whole.whole) == (9, None, 9)
    assert described.content_hash == whole.content_hash


@pytest.mark.parametrize("count", [9, 20])
def test_of_few_articles_a_sample_is_all_of_them(tmp_path: Path, count: int) -> None:
    data = TestData(tmp_path / "mine.jsonl", [record(number) for number in range(9)])
    assert data.sampled(count) is data
