from pathlib import Path

from ctiforge.data.articles import Article
from ctiforge.data.identity import content_hash, fold
from ctiforge.osbert.gather import gather
from ctiforge.records.article import ArticleRecord


def _text(name: str) -> str:
    return " ".join(f"{name} sentence {n} about something else entirely, {name}{n * 7919}." for n in range(30))


def _article(id_: str, content: str | None) -> Article:
    return Article(id_, f"https://example.org/{id_}", id_, content, 90.0)


def _record(content: str) -> ArticleRecord:
    return ArticleRecord(id="t", content=content, content_hash=content_hash(fold(content)))


def test_the_first_usable_articles_are_taken_and_the_rest_counted(tmp_path: Path) -> None:
    articles = [
        _article("1", None),
        _article("2", "  \n "),
        _article("3", _text("alpha")),
        _article("4", _text("alpha") + " First published elsewhere."),
        _article("5", _text("beta")),
        _article("6", _text("gamma")),
        _article("7", _text("delta")),
    ]
    gathered = gather(articles, [("in test set mine@1, or near to it", _record(_text("beta")))], 2, tmp_path)
    assert [each.article.id for each in gathered.candidates] == ["3", "6"]
    assert gathered.candidates[0].copies == ("4",)
    assert dict(gathered.set_aside) == {
        "no content": 2,
        "near duplicate of another article": 1,
        "in test set mine@1, or near to it": 1,
    }
    # what comes after the last one taken was not even read
    assert gathered.read == 6


def test_without_a_limit_all_are_taken(tmp_path: Path) -> None:
    articles = [_article(str(n), _text(f"name{n}x")) for n in range(5)]
    assert len(gather(articles, [], None, tmp_path).candidates) == 5


def test_nothing_in_nothing_out(tmp_path: Path) -> None:
    gathered = gather([], [], 10, tmp_path)
    assert (gathered.read, gathered.candidates) == (0, [])
