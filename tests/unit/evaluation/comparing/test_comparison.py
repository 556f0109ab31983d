import io

import pytest
from rich.console import Console

from ctiforge.errors import UsageError
from ctiforge.evaluation.comparing.comparison import compare, verdict
from ctiforge.evaluation.scoring.articles import score_article
from ctiforge.evaluation.statistics import Interval
from ctiforge.evaluation.tables.comparison import markdown, print_comparison
from ctiforge.records.comparison import Change
from ctiforge.records.evaluation import Answers, ArticleScore, Direction, Unit
from tests.unit.evaluation.cases import case, evaluation, item, sampled, with_hits


def changes(before: list[ArticleScore], after: list[ArticleScore]) -> dict[str, Change]:
    comparison = compare([evaluation(before, "before"), evaluation(after, "after")])
    return {change.label: change for change in comparison.contenders[0].changes}


def test_a_clear_gain_is_better_with_an_interval_above_zero() -> None:
    gain = changes(with_hits([1, 2] * 8), with_hits([3, 4] * 8))["micro-F1"]

    assert gain.verdict == "better"
    assert gain.low is not None
    assert gain.low > 0
    # found 24 and 56 of 64 expected, nothing wrong: 2 found / (64 + found)
    assert gain.difference == pytest.approx(2 * 56 / (64 + 56) - 2 * 24 / (64 + 24))


def test_a_clear_loss_is_worse() -> None:
    assert changes(with_hits([3, 4] * 8), with_hits([1, 2] * 8))["micro-F1"].verdict == "worse"


def test_too_few_articles_are_underpowered_however_large_the_gain() -> None:
    gain = changes(with_hits([0] * 9), with_hits([4] * 9))["micro-F1"]

    assert (gain.verdict, gain.low, gain.high) == ("underpowered", None, None)
    assert gain.difference == 1.0


def test_the_same_model_is_equal() -> None:
    same = with_hits([1, 3] * 6)

    assert changes(same, same)["micro-F1"].verdict == "equal"


def test_pairing_narrows_the_interval() -> None:
    # articles differ much, the gain is one item in each
    gain = changes(with_hits([0, 7] * 8, expected=8), with_hits([1, 8] * 8, expected=8))["recall"]

    assert gain.low is not None
    assert gain.high is not None
    assert gain.high - gain.low < 0.001


def test_a_fallen_error_rate_is_an_improvement() -> None:
    def stopped(number: int) -> list[ArticleScore]:
        answers = Answers(windows=10, json_parsed=10, stopped_by_length=number, seconds=number)
        wanted = [item("cmdline", "net user")]
        return [score_article(case(str(index), wanted, wanted, answers=answers)) for index in range(12)]

    fell, rose = changes(stopped(5), stopped(1)), changes(stopped(1), stopped(5))
    assert (fell["stopped by length"].verdict, rose["stopped by length"].verdict) == ("better", "worse")
    assert fell["seconds per article"].verdict == "better"
    assert fell["JSON validity, raw"].verdict == "equal"


@pytest.mark.parametrize(
    ("difference", "found", "p", "direction", "unit", "expected"),
    [
        (0.2, None, None, "higher", "share", "underpowered"),
        (0.02, Interval(-0.1, 0.14), 0.7, "higher", "share", "underpowered"),
        (0.01, Interval(-0.01, 0.03), 0.3, "higher", "share", "no clear difference"),
        (2.0, Interval(-1.0, 5.0), 0.2, "lower", "number", "no clear difference"),
        (2.0, Interval(1.0, 5.0), 0.01, "none", "number", "changed"),
        # its own interval leaves out 0, but it is one of many
        (0.2, Interval(0.02, 0.38), 0.4, "higher", "share", "underpowered"),
        (-2.0, Interval(-5.0, -1.0), 0.01, "lower", "number", "better"),
        (0.0, Interval(0.0, 0.0), 1.0, "higher", "share", "equal"),
    ],
)
def test_verdicts(
    difference: float, found: Interval | None, p: float | None, direction: Direction, unit: Unit, expected: str
) -> None:
    assert verdict(difference, found, p, direction, unit) == expected


def test_only_the_primary_figure_is_judged_by_its_own_interval() -> None:
    compared = changes(with_hits([1, 2, 1, 3] * 5), with_hits([2, 2, 2, 3] * 5))

    assert {label for label, each in compared.items() if each.primary} == {"all", "micro-F1"}
    assert compared["recall"].p is not None
    assert compared["micro-F1"].p is not None
    # the same difference in truth, of one among many
    assert compared["recall"].p > compared["micro-F1"].p


def test_evaluations_of_different_test_sets_are_refused() -> None:
    one, other = evaluation(with_hits([1]), "a"), evaluation(with_hits([1]), "b", content_hash="other")

    with pytest.raises(UsageError, match="evaluate both on one test set"):
        compare([one, other])


def test_one_on_a_sample_is_compared_on_the_articles_of_both_and_says_how_many() -> None:
    whole, other = evaluation(with_hits([1] * 12 + [0] * 12), "a"), evaluation(with_hits([3] * 24), "b")
    first = {f"a{number}" for number in range(12)}

    comparison = compare([whole, sampled(other, first), other])

    of_sample, of_all = comparison.contenders
    assert (of_sample.articles, of_all.articles) == (12, None)
    assert {each.label: each for each in of_sample.changes}["recall"].before == 0.25
    assert {each.label: each for each in of_all.changes}["recall"].before == 0.125
    assert compare([sampled(other, first), whole]).contenders[0].articles == 12
    assert "on set 1, 12 of 24 articles" in markdown(comparison)


def test_samples_without_a_common_article_are_refused() -> None:
    one, other = evaluation(with_hits([1, 1, 1, 1]), "one"), evaluation(with_hits([1, 1, 1, 1]), "other")
    with pytest.raises(UsageError, match="one and other were scored on samples without a common article"):
        compare([sampled(one, {"a0"}), sampled(other, {"a1", "a2"})])


def test_evaluations_of_different_articles_are_refused() -> None:
    with pytest.raises(UsageError, match="different articles"):
        compare([evaluation(with_hits([1, 2])), evaluation(with_hits([1]))])


def test_one_evaluation_is_not_enough() -> None:
    with pytest.raises(UsageError, match="two evaluations"):
        compare([evaluation(with_hits([1]))])


def test_the_first_is_the_baseline_of_all_others() -> None:
    comparison = compare([evaluation(with_hits([hits] * 12), name) for hits, name in [(1, "a"), (2, "b"), (3, "c")]])

    assert comparison.baseline.name == "a"
    assert [contender.model.name for contender in comparison.contenders] == ["b", "c"]
    assert [contender.changes[0].before for contender in comparison.contenders] == [pytest.approx(0.4)] * 2


def test_rows_of_tags_appear_in_tables_with_arrows_and_words() -> None:
    def tagged(found: int) -> list[ArticleScore]:
        wanted = [item("cmdline", f"run x{index} /a") for index in range(4)]
        lengths = ["long"] * 11 + ["normal"] * 3
        return [
            score_article(case(str(number), wanted, wanted[:found], ("cmdline",), tags={"length": length}))
            for number, length in enumerate(lengths)
        ]

    comparison = compare([evaluation(tagged(1), "old"), evaluation(tagged(3), "new")])
    text = markdown(comparison)
    console = Console(file=io.StringIO(), width=200)
    print_comparison(comparison, console)
    assert isinstance(console.file, io.StringIO)

    assert "| F1, length: long | 0.400 | 0.857 | +0.457 | 0.457 … 0.457 | 11 | ↑ better |" in text
    assert "| F1, length: normal | 0.400 | 0.857 | +0.457 | – | 3 | · underpowered |" in text
    assert "old (before) against new (after)" in text
    assert "F1, length: normal" in console.file.getvalue()
    assert "underpowered" in console.file.getvalue()
