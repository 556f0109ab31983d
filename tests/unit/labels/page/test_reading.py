"""What the page is given: articles of any file that holds some, and what models and people found in them."""

from pathlib import Path

import pytest

from ctiforge.errors import DataError, UsageError
from ctiforge.labels.page.candidates import Origin
from ctiforge.labels.page.reading import origin_of, read_articles, read_candidates
from ctiforge.records.evaluation import Answers, ArticleScore, Evaluation, Intervals, ModelInfo, ScoredItem, TestSetInfo
from tests.unit.labels.page.making import NET, article, found

ARTICLE = article(observables=(found("cmdline", NET),))


def test_records_a_review_file_and_a_folder_are_read_and_each_text_once(tmp_path: Path) -> None:
    lines = [
        ARTICLE.model_dump_json(),
        article(id_="again").model_dump_json(),
        '{"id": 9, "content": "x", "annotator": ""}',
    ]
    (tmp_path / "records.jsonl").write_text("\n".join(lines), encoding="utf-8")
    for path in (tmp_path, tmp_path / "records.jsonl"):
        assert [each.id for each in read_articles(path)] == ["7", "9"]


def test_half_characters_and_nul_are_read(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"id": "1", "content": "a\\u0000b \\ud800 c"}', encoding="utf-8")
    assert read_articles(tmp_path / "a.jsonl")[0].content == "a\x00b ? c"


@pytest.mark.parametrize(
    ("text", "said"), [("", "holds no article"), ("{", "line 1: not JSON"), ('{"id": "1"}', "line 1")]
)
def test_what_holds_no_article_is_refused(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=said):
        read_articles(tmp_path / "a.jsonl")


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"holds none of records\.jsonl"):
        read_articles(tmp_path)
    with pytest.raises(UsageError, match="there is no such file"):
        read_articles(tmp_path / "no.jsonl")


def test_records_are_candidates_of_a_model_or_of_who_signed_them(tmp_path: Path) -> None:
    (tmp_path / "newest.jsonl").write_text(ARTICLE.model_dump_json(), encoding="utf-8")
    assert read_candidates(tmp_path / "newest.jsonl")(ARTICLE) == [
        Origin("model", "newest", ARTICLE.observables, ARTICLE.labelled_types)
    ]
    assert read_candidates(tmp_path / "newest.jsonl")(article("another text")) == []
    assert origin_of(ARTICLE.model_copy(update={"annotator": "Grace"}), "x").kind == "person"


def test_an_evaluation_has_what_its_model_found(tmp_path: Path) -> None:
    items = (
        ScoredItem(type="cmdline", outcome="found", expected=NET, predicted=NET, platform_predicted="Windows"),
        ScoredItem(type="cmdline", outcome="missed", expected="x"),
        ScoredItem(type="services", outcome="wrong", predicted="y"),
    )
    score = ArticleScore(
        id="7", counts={}, items=items, expected_observables=2, predicted_observables=2, answers=Answers()
    )
    Evaluation(
        model=ModelInfo(name="tuned", version="abc"),
        test_set=TestSetInfo(name="set", version="1", content_hash="0", articles=1),
        fingerprint="0",
        training_values_known=False,
        scoring=1,
        failed={},
        metrics={},
        rows=(),
        intervals=Intervals(method="none", level=0.95, least_articles=1),
        articles=(score,),
    ).write(tmp_path)
    for path in (tmp_path, tmp_path / "evaluation.json"):
        (origin,) = read_candidates(path)(ARTICLE)
        assert origin == Origin("model", "tuned abc", (found("cmdline", NET, "Windows"), found("services", "y")))
    assert read_candidates(tmp_path)(article(id_="8")) == []
