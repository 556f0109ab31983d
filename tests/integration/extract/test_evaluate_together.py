"""Processes that share the articles of an evaluation come to the figures of one."""

from pathlib import Path

import pytest

from ctiforge.demo.articles import make_corpus
from ctiforge.extract import evaluate
from ctiforge.extract.answers_file import ANSWERS_NAME
from ctiforge.extract.evaluate_together import SharedEvaluation, evaluate_together
from ctiforge.extract.scored_articles import TestData
from tests.in_process import run_here

ARTICLES = 7


@pytest.fixture
def test_data(tmp_path: Path) -> Path:
    file = tmp_path / "articles.jsonl"
    short = sorted(make_corpus(0).test, key=lambda each: len(each.content))[:ARTICLES]
    file.write_text("".join(each.model_dump_json() + "\n" for each in short), encoding="utf-8")
    return file


@pytest.mark.slow
@pytest.mark.parametrize(("model", "count", "sample"), [("regex", 3, None), ("regex", 2, 3), ("demo", 2, None)])
def test_the_evaluation_is_that_of_one(
    model: str, count: int, sample: int | None, test_data: Path, tmp_path: Path
) -> None:
    alone, together = tmp_path / "alone", tmp_path / "together"
    for each in (alone, together):
        each.mkdir()
    articles = TestData.read(test_data, sample=sample)
    extractor = evaluate.open_extractor(model, {}, device="cpu", batch_size=4)
    one = evaluate.evaluate_on(articles, extractor, "1", answers=alone)
    asked = SharedEvaluation(model, "1", {"test_data": test_data}, None, "cpu", batch_size=4, sample=sample)
    found = evaluate_together(asked, count, together, tmp_path / "scratch")
    for name in ("micro_f1", "precision", "recall"):
        assert found.metrics[name].value == one.metrics[name].value
    timeless = [[each.model_copy(update={"answers": None}) for each in made.articles] for made in (found, one)]
    assert timeless[0] == timeless[1]
    assert found.fingerprint == one.fingerprint
    assert found.test_set == one.test_set
    assert (together / ANSWERS_NAME).exists() == (alone / ANSWERS_NAME).exists()


def test_what_is_served_is_not_shared(tmp_path: Path) -> None:
    result = run_here("eval_extract", "--model", "demo", "--nproc", "2", "--endpoint", "http://x/v1", cwd=tmp_path)
    assert result.returncode == 2
    assert "--nproc shares a model of this machine: leave it out with --endpoint" in result.stderr
