from pathlib import Path

import numpy as np
import pytest

from ctiforge.data.identity import content_hash, fold
from ctiforge.data.leaks import Leak, find_leaks
from ctiforge.errors import DataError
from ctiforge.records.article import ArticleRecord


def article(article_id: str, content: str, url: str | None = None) -> ArticleRecord:
    return ArticleRecord(id=article_id, url=url, content=content, content_hash=content_hash(fold(content)))


def prose(seed: int) -> str:
    rng = np.random.default_rng(seed)
    return " ".join("".join(chr(97 + letter) for letter in rng.integers(0, 26, size=7)) for _ in range(200))


def write(path: Path, records: list[ArticleRecord]) -> Path:
    path.write_text("".join(f"{record.model_dump_json()}\n" for record in records))
    return path


TEST = [article("t1", prose(1), "https://www.site.example/a/"), article("t2", prose(2)), article("t3", "short")]


def test_other_articles_are_no_leak(tmp_path: Path) -> None:
    others = [article(f"n{seed}", prose(seed), f"https://site.example/n{seed}") for seed in range(10, 30)]
    assert find_leaks(TEST, write(tmp_path / "r.jsonl", others)) == []


@pytest.mark.parametrize(
    ("record", "leak"),
    [
        (article("n", prose(9), "http://site.example/a?utm_source=x"), Leak("t1", "n", "the same page")),
        (article("n", prose(2)), Leak("t2", "n", "the same text or nearly")),
        (article("n", f"{prose(2)} One more line."), Leak("t2", "n", "the same text or nearly")),
        (article("n", " SHORT\n"), Leak("t3", "n", "the same text or nearly")),
    ],
)
def test_a_page_a_text_and_a_near_copy_are_found(tmp_path: Path, record: ArticleRecord, leak: Leak) -> None:
    others = [article(f"n{seed}", prose(seed)) for seed in range(10, 14)]
    assert find_leaks(TEST, write(tmp_path / "r.jsonl", [*others, record])) == [leak]


def test_files_larger_than_a_batch_are_read_to_the_end(tmp_path: Path) -> None:
    many = [article(f"n{number}", f"text {number}") for number in range(2_500)]
    found = find_leaks(TEST, write(tmp_path / "r.jsonl", [*many, article("last", "short")]))
    assert [leak.training_id for leak in found] == ["last"]


def test_a_line_that_is_no_article_is_told(tmp_path: Path) -> None:
    path = write(tmp_path / "r.jsonl", [article("n", "text")])
    path.write_text(f'{path.read_text()}\n{{"prompt": 1}}\n')
    with pytest.raises(DataError, match=r"r\.jsonl, line 3: no article"):
        find_leaks(TEST, path)
