import numpy as np
import pytest

from ctiforge.evaluation.scoring.articles import score_article, training_keys
from ctiforge.evaluation.scoring.scores import METRICS, Counts, figure
from ctiforge.evaluation.statistics import MIN_POSITIVE_ARTICLES
from ctiforge.records.evaluation import Answers, ArticleScore
from tests.unit.evaluation.cases import case, item, with_hits

SEEN = training_keys([item("cmdline", "net user")])


@pytest.fixture
def articles() -> list[ArticleScore]:
    """Worked by hand: cmdline 2 of 4 found, 2 wrong; services 1 of 1 found; one zero pair with 2 wrong, one clean."""
    text = "net user | whoami /all | c^md /c x | dir /s | Svc | net view"
    first = case(
        "1",
        [
            item("cmdline", "net user", "Windows"),
            item("cmdline", "whoami /all", "Windows"),
            item("cmdline", "c^md /c x", "Windows"),
            item("services", "Svc", "Linux"),
        ],
        [
            item("cmdline", "NET user", "Windows"),
            item("cmdline", "whoami /all", "Linux"),
            item("services", "Svc", "Linux"),
            item("services", "Svc", "Linux"),
        ],
        text=text,
        answers=Answers(windows=4, json_parsed=3, schema_valid=2, stopped_by_length=1, halved=2, duplicates=2, failed=1,
                        prompt_tokens=400, answer_tokens=40, seconds=3.0),
    )  # fmt: skip
    second = case(
        "2",
        [item("cmdline", "dir /s")],
        [item("cmdline", "net view"), item("services", "InventedSvc"), item("services", "xx")],
        text=text,
        answers=Answers(windows=1, json_parsed=1, schema_valid=1, prompt_tokens=100, answer_tokens=10, seconds=1.0),
    )
    third = case("3", [], [], ("services",), text=text)
    return [score_article(each, SEEN) for each in (first, second, third)]


EXPECTED = {
    # expected 5, predicted 6 (the repeated Svc once), found 3: 2 commands and 1 service
    "precision": 3 / 6,
    "recall": 3 / 5,
    # a window of the first article failed: it owes the third command
    "micro_f1": 6 / 12,
    # exact: whoami and Svc; NET user is found at the normalized tier only
    "micro_f1_strict": 4 / 12,
    # beside the 3: dir /s and net view share no word, no service is missed
    "micro_f1_partial": 6 / 12,
    # cmdline: 4 expected, 3 predicted, 1 owed, 2 found; services: 1 expected, 3 predicted, 1 found
    "macro_f1": (4 / 8 + 2 / 4) / 2,
    # without net user: expected 4, predicted 5, owed 1, found 2
    "unseen_f1": 4 / 10,
    # c^md is expected, never predicted
    "obfuscated_f1": 0.0,
    # zero pairs: (2, services) with 2 wrong, (3, services) with none
    "zero_false_positives": 1.0,
    "zero_clean": 1 / 2,
    # pairs: (1, cmd) 3/2, (1, svc) 1/1 in what was read of it, (2, cmd) 1/1, (2, svc) 0/2, (3, svc) 0/0
    "count_accuracy": 2 / 5,
    "json_validity": 4 / 5,
    "schema_validity": 3 / 5,
    "stopped_by_length": 1 / 5,
    "halved": 2 / 5,
    "failed_windows": 1 / 5,
    "duplicates": 2 / 5,
    # predicted: net user, whoami, Svc, net view stand in the text, InventedSvc and xx do not; one is owed
    "grounded": 4 / 7,
    "altered": 0.0,
    "invented": 2 / 6,
    "observables_per_article": 7 / 3,
    "discrete_huntables": 6 / 3,
    # found items: net user right, whoami wrong, Svc right
    "platform_accuracy": 2 / 3,
    "windows_precision": 1.0,
    "windows_recall": 1.0,
    "failed_articles": 0.0,
    "seconds_per_article": 4 / 3,
    "prompt_tokens": 500 / 3,
    "answer_tokens": 50 / 3,
}


def test_every_metric_is_worked_out_by_hand() -> None:
    assert {metric.name for metric in METRICS} == set(EXPECTED)


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_metric(metric, articles: list[ArticleScore]) -> None:  # type: ignore[no-untyped-def]
    found = figure(metric, Counts.of(articles), least=MIN_POSITIVE_ARTICLES)

    assert found.value == pytest.approx(EXPECTED[metric.name])
    assert found.interval is None


def test_figures_are_shown_beside_the_truth_and_the_floor(articles: list[ArticleScore]) -> None:
    counts = Counts.of(articles)
    beside = {metric.name: figure(metric, counts, least=10).beside for metric in METRICS if metric.beside}

    assert beside == {
        "observables_per_article": pytest.approx(5 / 3),
        "discrete_huntables": pytest.approx(5 / 3),
        "windows_precision": 1.0,
        "windows_recall": 1.0,
    }


def test_what_nothing_speaks_for_is_not_available() -> None:
    counts = Counts.of([score_article(case("1", [item("cmdline", "net user")], [], ("cmdline",)))])
    figures = {metric.name: figure(metric, counts, least=10) for metric in METRICS}

    for name in (
        "json_validity",
        "platform_accuracy",
        "windows_precision",
        "windows_recall",
        "zero_clean",
        "unseen_f1",
    ):
        assert figures[name].value is None
    assert figures["micro_f1"].value == 0.0
    assert figures["precision"].value is None


def test_intervals_begin_at_ten_positive_articles() -> None:
    nine, ten = [with_hits([1, 3] * 5)[:count] for count in (9, 10)]
    micro = METRICS[0]

    assert figure(micro, Counts.of(nine), least=MIN_POSITIVE_ARTICLES).interval is None
    found = figure(micro, Counts.of(ten), least=MIN_POSITIVE_ARTICLES)
    assert found.interval is not None
    assert found.value is not None
    assert found.interval.low < found.value < found.interval.high


def test_articles_without_a_label_weigh_nothing() -> None:
    scored = with_hits([2, 2])
    unlabeled = score_article(case("x", [], [], ()))

    with_it = figure(METRICS[0], Counts.of([*scored, unlabeled]), least=10)
    assert with_it == figure(METRICS[0], Counts.of(scored), least=10)
    assert np.array_equal(Counts.of([*scored, unlabeled]).columns["articles"], [1, 1, 0])


def test_directions_of_metrics() -> None:
    lower = {metric.name for metric in METRICS if metric.direction == "lower"}

    assert {"zero_false_positives", "stopped_by_length", "invented", "altered", "seconds_per_article"} <= lower
    assert {"micro_f1", "json_validity", "grounded"}.isdisjoint(lower)
