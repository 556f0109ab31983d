import io
import json

import pytest
from rich.console import Console

from ctiforge.errors import DataError
from ctiforge.evaluation.scoring.articles import score_article, training_keys
from ctiforge.evaluation.tables.evaluation import article_view, print_evaluation
from ctiforge.records.base import SchemaError
from ctiforge.records.evaluation import Evaluation
from ctiforge.tables import plain_text
from tests.unit.evaluation.cases import case, evaluation, item, with_hits


def test_an_evaluation_survives_json() -> None:
    made = evaluation(with_hits([1, 2, 4]))

    assert Evaluation.parse(made.to_json(), "x.json") == made


@pytest.mark.parametrize("text", ["", '{"schema": 2}', "[]", '{"schema_version": 2}', "not json"])
def test_what_is_no_evaluation_is_refused_by_name(text: str) -> None:
    with pytest.raises(DataError, match=r"^x\.json is no evaluation"):
        Evaluation.parse(text, "x.json")


def test_another_schema_is_refused() -> None:
    text = evaluation(with_hits([1])).to_json().replace('"schema": 3', '"schema": 99')

    with pytest.raises(SchemaError, match="schema 99"):
        Evaluation.parse(text, "x.json")


def test_an_evaluation_of_before_the_partial_tier_is_to_be_made_again() -> None:
    old = evaluation(with_hits([1])).model_dump() | {"schema": 1}
    old["rows"] = [{name: value for name, value in row.items() if name != "f1_partial"} for row in old["rows"]]

    with pytest.raises(SchemaError, match=r"schema 1 of evaluation\.json, which can no longer be read"):
        Evaluation.parse(json.dumps(old), "x.json")


def test_an_evaluation_of_the_time_of_the_bootstrap_is_read() -> None:
    old = evaluation(with_hits([1])).model_dump(mode="json") | {"schema": 2}
    del old["intervals"]
    old["bootstrap"] = {"level": 0.95, "replicates": 2000, "seed": 1, "least_articles": 10}

    read = Evaluation.parse(json.dumps(old), "x.json")
    assert read.intervals.method == "bootstrap over articles, 2000 replicates"


def test_a_test_set_without_labels_is_refused() -> None:
    with pytest.raises(DataError, match="no type is labeled"):
        evaluation([score_article(case("1", [], [], ()))])
    with pytest.raises(DataError, match="no type is labeled"):
        evaluation([])


def test_rows_of_types_values_and_tags() -> None:
    seen = training_keys([item("cmdline", "net user")])
    articles = [
        score_article(case("1", [item("cmdline", "net user")], [], tags={"length": "long", "style": "seen"}), seen),
        score_article(case("2", [item("services", "Svc")], [item("services", "Svc")], tags={"length": "normal"}), seen),
    ]
    rows = {row.label: row for row in evaluation(articles, known=True).rows}

    assert list(rows) == [
        "all",
        "cmdline",
        "services",
        "values not in training",
        "obfuscated values",
        "length: long",
        "length: normal",
        "style: seen",
    ]
    assert (rows["length: long"].f1, rows["length: normal"].f1) == (0.0, 1.0)
    assert (rows["values not in training"].expected, rows["values not in training"].found) == (1, 1)
    assert rows["all"].low is None


def test_without_training_values_there_is_no_row_of_unseen_ones() -> None:
    assert "values not in training" not in [row.label for row in evaluation(with_hits([1])).rows]


def test_tables_name_what_they_rest_on() -> None:
    articles = [*with_hits([1, 3] * 6), score_article(case("bad", [], [], error="boom [x]"))]
    console = Console(file=io.StringIO(), width=200)
    print_evaluation(evaluation(articles), console)
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()

    assert "13 articles scored" in text
    assert "1 failed: boom [x]" in text
    assert "none below 10 positive articles" in text
    assert "JSON validity, raw" in text
    assert "n/a" in text


def test_an_article_is_shown_with_found_missed_and_wrong_side_by_side() -> None:
    score = score_article(
        case(
            "a7",
            [item("cmdline", "net  user [x]"), item("cmdline", "whoami /all")],
            [item("cmdline", "net user [x]"), item("cmdline", "vssadmin delete")],
        )
    )
    text = plain_text(article_view(score), width=200)

    assert "cmdline: 1 found, 1 missed, 1 wrong" in text
    line = next(line for line in text.splitlines() if "whoami" in line)
    assert line.index("net user [x] (for net  user [x])") < line.index("whoami /all") < line.index("vssadmin delete")
    assert "(invented)" in line
    assert "services: none here, and none claimed" in text


def test_the_json_has_counts_and_details_per_article() -> None:
    body = json.loads(evaluation(with_hits([1])).model_dump_json())

    assert body["articles"][0]["counts"]["cmdline"] == {
        "expected": 4,
        "predicted": 1,
        "found": 1,
        "missed": 3,
        "wrong": 0,
    }
    assert body["metrics"]["seconds_per_article"]["direction"] == "lower"
    assert len(body["articles"][0]["items"]) == 4
