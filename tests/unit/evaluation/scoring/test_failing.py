"""No figure that the gate looks at gets better because an article fails, and hardly any other does."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctiforge.evaluation.scoring.articles import ArticleCase, score_article
from ctiforge.evaluation.scoring.scores import METRICS, Counts
from ctiforge.lines.extract import EXTRACT
from ctiforge.records.evaluation import Answers, ArticleScore
from tests.unit.evaluation.cases import case, item

TYPES = ("cmdline", "services")
CHEAPER = {"seconds_per_article", "prompt_tokens", "answer_tokens"}
OF_WHAT_WAS_GIVEN = {"precision", "platform_accuracy", "windows_precision", "altered", "invented"}
"""Figures over the items that there are: who names none names none wrongly."""
OF_ANSWERS = {"stopped_by_length", "halved", "duplicates"}
"""What only an answer can be."""
OF_SOME_VALUES = {"unseen_f1", "obfuscated_f1"}
"""A wrong item may be among these values where the expected one is not."""
MAY_GET_BETTER = CHEAPER | OF_WHAT_WAS_GIVEN | OF_ANSWERS | OF_SOME_VALUES


def failed(answered: ArticleCase) -> ArticleCase:
    windows = answered.answers.windows
    return case(
        answered.id, list(answered.expected), [], tuple(answered.labelled_types), answered.text,
        Answers(windows=windows, failed=windows), error="ValueError: no",
    )  # fmt: skip


def in_part(answered: ArticleCase) -> ArticleCase:
    """The same with one window of it failed, and with it all items of one type."""
    counts = answered.answers.model_dump() | {"failed": 1, "json_parsed": 0, "schema_valid": 0}
    kept = [each for each in answered.predicted if each.type == TYPES[0]]
    return case(
        answered.id, list(answered.expected), kept, tuple(answered.labelled_types), answered.text, Answers(**counts)
    )


@st.composite
def answers(draw: st.DrawFn, number: int) -> ArticleCase:
    """An article of which each type is answered with no more items than there are, or with one where there is none."""
    expected, predicted, words = [], [], []
    for type_ in TYPES:
        wanted = [item(type_, f"{type_} run-{index} /x", "Windows") for index in range(draw(st.integers(0, 3)))]
        found = wanted[: draw(st.integers(0, len(wanted)))]
        wrong = draw(st.integers(0, max(1, len(wanted)) - len(found)))
        expected += wanted
        predicted += [*found, *(item(type_, f"{type_} net use {index} /y", "Linux") for index in range(wrong))]
        words += [each.value for each in wanted]
    windows = draw(st.integers(1, 3))
    parsed = draw(st.integers(0, windows))
    return case(
        f"a{number}", expected, predicted, TYPES, " | ".join(words),
        Answers(windows=windows, json_parsed=parsed, schema_valid=draw(st.integers(0, parsed)), seconds=1.0),
    )  # fmt: skip


def figures(articles: list[ArticleScore]) -> dict[str, float]:
    counts = Counts.of(articles)
    return {metric.name: float(metric.formula(counts.sums(np.ones((1, len(articles)))))[0]) for metric in METRICS}


def improved(before: list[ArticleScore], after: list[ArticleScore]) -> set[str]:
    old, new = figures(before), figures(after)
    signs = {metric.name: {"higher": 1, "lower": -1, "none": 0}[metric.direction] for metric in METRICS}
    return {name for name, sign in signs.items() if sign * (new[name] - old[name]) > 1e-12}


@pytest.mark.parametrize("fail", [failed, in_part])
@settings(deadline=None, max_examples=60)
@given(articles=st.tuples(*(answers(number) for number in range(3))), which=st.integers(0, 2))
def test_failing_makes_no_figure_better(fail, articles: tuple[ArticleCase, ...], which: int) -> None:  # type: ignore[no-untyped-def]
    answered = [score_article(each) for each in articles]
    without = [score_article(fail(each) if number == which else each) for number, each in enumerate(articles)]

    assert improved(answered, without) <= MAY_GET_BETTER


def test_what_may_get_better_is_nothing_that_the_gate_decides_on() -> None:
    assert MAY_GET_BETTER.isdisjoint({EXTRACT.rules.primary, *EXTRACT.rules.guardrails})
    assert {metric.name for metric in METRICS} >= MAY_GET_BETTER


def test_a_model_that_crashes_on_half_the_articles_leaves_none_of_them_clean() -> None:
    empty = [case(f"a{number}", [], [], answers=Answers(windows=2, json_parsed=2, schema_valid=2)) for number in (1, 2)]
    found = figures([score_article(empty[0]), score_article(failed(empty[1]))])

    assert found["zero_clean"] == 0.5
    assert found["zero_false_positives"] == 1.0 / 2
    assert found["json_validity"] == found["schema_validity"] == found["count_accuracy"] == 0.5
    assert found["failed_articles"] == found["failed_windows"] == 0.5
