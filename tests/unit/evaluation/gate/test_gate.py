"""What the gate lets through, what it refuses, and how it says so."""

import numpy as np
import pytest

from ctiforge.errors import DataError, GateError
from ctiforge.evaluation.gate.gate import check_passable, check_same_test_set, decide, primary_figures
from ctiforge.evaluation.gate.sides import Scored, read_side, scored_extraction
from ctiforge.evaluation.scoring.articles import score_article
from ctiforge.evaluation.tables.gate import plain_text
from ctiforge.lines.extract import EXTRACT
from ctiforge.records.decision import Check, Decision
from ctiforge.records.evaluation import Answers, ArticleScore
from tests.unit.evaluation.cases import case, evaluation, item, sampled

RULE = EXTRACT.rules


def scored(
    found: list[int], name: str = "model", valid: int = 5, wrong: int = 0, expected: int = 4, content_hash: str = "abc"
) -> Scored:
    """An article for each entry: so many of `expected` commands found, and beside them one service list to be left
    empty that has so many items; of five windows so many can be read."""
    scores = [_score(number, each, valid, wrong, expected) for number, each in enumerate(found)]
    return scored_extraction(evaluation(scores, name, content_hash))


def _score(number: int, found: int, valid: int, wrong: int, expected: int) -> ArticleScore:
    wanted = [item("cmdline", f"run-{number} /arg{index} x") for index in range(expected)]
    extra = [item("services", f"svc{number}-{index}") for index in range(wrong)]
    text = "\n".join(each.value for each in wanted + extra)
    answers = Answers(windows=5, json_parsed=valid, schema_valid=valid)
    return score_article(case(f"a{number}", wanted, wanted[:found] + extra, text=text, answers=answers))


def found(seed: int, share: float, articles: int = 120) -> list[int]:
    return np.random.default_rng(seed).binomial(4, share, size=articles).tolist()


def checks(decision: Decision, role: str = "guardrail") -> dict[str, Check]:
    return {check.figure: check for check in decision.checks if check.role == role}


CHAMPION = found(1, 0.6)


def test_a_clearly_better_model_passes_and_every_check_is_there() -> None:
    decision = decide("extract", RULE, scored(found(1, 0.8), "new"), scored(CHAMPION, "old"))

    assert decision.passed
    assert decision.reasons == ()
    assert checks(decision, "primary")["micro_f1"].verdict == "better"
    assert {name: check.verdict for name, check in checks(decision).items()} == dict.fromkeys(
        RULE.guardrails, "no loss shown"
    )
    assert decision.primary is not None
    assert decision.primary.value == pytest.approx(checks(decision, "primary")["micro_f1"].after)


def test_a_worse_model_is_refused_with_its_numbers() -> None:
    decision = decide("extract", RULE, scored(found(1, 0.4), "new"), scored(CHAMPION, "old"))

    assert not decision.passed
    assert checks(decision, "primary")["micro_f1"].verdict == "worse"
    assert "micro-F1 0." in decision.reasons[0]
    assert "of old (1)" in decision.reasons[0]
    assert "train again" in decision.reasons[0]


def test_the_same_model_is_equivalent_and_passes_only_where_a_person_asks() -> None:
    sides = scored(CHAMPION, "new"), scored(CHAMPION, "old")
    refused = decide("extract", RULE, *sides)
    accepted = decide("extract", RULE, *sides, accept_equivalent=True)

    assert checks(refused, "primary")["micro_f1"].verdict == "equivalent"
    assert not refused.passed
    assert "--accept-equivalent" in refused.reasons[0]
    assert (accepted.passed, accepted.accepted_equivalent) == (True, True)


def test_few_articles_are_underpowered_whatever_a_person_accepts() -> None:
    sides = scored([4, 0, 3, 1, 4, 2] * 2, "new"), scored([1, 3, 0, 4, 2, 4] * 2, "old")
    decision = decide("extract", RULE, *sides, accept_equivalent=True)

    assert not decision.passed
    assert checks(decision, "primary")["micro_f1"].verdict == "underpowered"
    assert "cannot be excluded" in decision.reasons[0]
    assert "ctiforge testset plan" in decision.reasons[0]


def test_a_gain_that_one_look_would_show_is_not_enough_for_a_year_of_looks() -> None:
    decision = decide("extract", RULE, scored(found(10, 0.82, 30), "new"), scored(found(6, 0.65, 30), "old"))
    primary = checks(decision, "primary")["micro_f1"]

    assert primary.verdict == "likely better"
    assert not decision.passed
    assert primary.level > decision.level
    assert "label more articles" in decision.reasons[0]


def week(shares: list[float]) -> list[tuple[float, ...]]:
    """The figures of six candidates that find so much each."""
    return [primary_figures(RULE, scored(found(20 + n, share, 40), f"night {n}")) for n, share in enumerate(shares)]


def test_seven_likely_better_ones_together_are_better() -> None:
    """What none of them shows alone they show together: their own luck cancels out."""
    old, last = scored(found(6, 0.6, 40), "old"), scored(found(27, 0.74, 40), "last")
    alone, together = decide("extract", RULE, last, old), decide("extract", RULE, last, old, before=week([0.72] * 6))

    assert checks(alone, "primary")["micro_f1"].verdict == "likely better"
    assert (alone.passed, together.passed) == (False, True)
    mean = next(check for check in together.checks if check.candidates == 7)
    assert mean.label == "micro-F1, mean of the last 7 candidates"
    assert mean.low is not None
    assert mean.low > 0
    assert "mean of the last 7 candidates" in plain_text(together).replace("\n", " ")


def test_of_a_better_week_none_is_promoted_that_may_be_no_better_itself() -> None:
    old = scored(found(6, 0.6, 40), "old")
    for share in (0.5, 0.62):
        decision = decide("extract", RULE, scored(found(30, share, 40), "equal"), old, before=week([0.85] * 6))
        mean = next(check for check in decision.checks if check.candidates == 7)
        assert (mean.verdict, decision.passed) == ("better", False)


def test_one_very_good_candidate_carries_no_other_and_a_broken_one_stops_none() -> None:
    old, equal, better = (scored(found(seed, share, 40)) for seed, share in ((6, 0.6), (31, 0.62), (27, 0.74)))
    carried = decide("extract", RULE, equal, old, before=week([0.6] * 5 + [1.0]))
    mean = next(check for check in carried.checks if check.candidates == 7)
    assert (mean.verdict == "better", carried.passed) == (False, False)
    assert decide("extract", RULE, better, old, before=week([0.72] * 5 + [0.0])).passed


def test_fewer_than_seven_are_not_looked_at_together() -> None:
    old, last = scored(found(6, 0.6, 40), "old"), scored(found(27, 0.74, 40), "last")
    decision = decide("extract", RULE, last, old, before=week([0.9] * 5))
    assert all(check.candidates == 1 for check in decision.checks)


def test_a_faultless_model_passes_on_thirty_articles() -> None:
    """A guardrail of which no loss is seen is no veto, however few the articles."""
    decision = decide("extract", RULE, scored([4] * 30, "new"), scored(found(6, 0.65, 30), "old"))
    assert decision.passed


def test_it_is_said_beforehand_where_no_model_could_pass() -> None:
    check_passable(RULE, scored(found(6, 0.65, 30), "old"))
    with pytest.raises(
        GateError, match=r"no model can pass against old .*: one without a mistake would gain \+0\.008.*plan"
    ):
        check_passable(RULE, scored([4] * 29 + [2], "old"))


def test_a_type_that_enough_articles_speak_for_is_a_veto() -> None:
    """The whole is better, and one type is shown to be worse: that stood in a table further down alone."""

    def of_two_types(commands: int, services: int) -> Scored:
        scores = []
        for number in range(40):
            wanted = [item("cmdline", f"run-{number} /arg{index} x") for index in range(6)]
            named = [item("services", f"svc-{number}-{index}") for index in range(2)] if number < 12 else []
            scores.append(score_article(case(f"a{number}", wanted + named, wanted[:commands] + named[:services])))
        return scored_extraction(evaluation(scores, f"finds {commands} and {services}"))

    decision = decide("extract", RULE, of_two_types(6, 1), of_two_types(3, 2))
    parts = checks(decision, "part")
    assert (parts["cmdline"].verdict, parts["services"].verdict) == ("no loss shown", "worse")
    assert not decision.passed
    assert decision.reasons[0].startswith("F1, services 0.667 against 1.000")


def test_of_a_type_with_fewer_articles_the_counts_are_shown() -> None:
    few = [_score(number, 2, 5, 0, 4) for number in range(12)]
    some = [item("services", "svc0")]
    few[0] = score_article(case("a0", some, some))
    both = [scored_extraction(evaluation(few, name)) for name in ("new", "old")]
    part = checks(decide("extract", RULE, *both), "part")["services"]

    assert (part.verdict, part.articles) == ("counts only", 1)
    assert part.counts == "before: 1 of 1 found, 0 wrong; after: 1 of 1 found, 0 wrong"
    assert "services, too few articles for a figure (1): before: 1 of 1" in plain_text(decide("extract", RULE, *both))


def test_fewer_than_ten_positive_articles_have_no_interval() -> None:
    decision = decide("extract", RULE, scored([4] * 9, "new"), scored([0] * 9, "old"))
    primary = checks(decision, "primary")["micro_f1"]

    assert (primary.verdict, primary.low, primary.articles) == ("underpowered", None, 9)
    assert "9 articles speak for it, fewer than 10" in decision.reasons[0]


@pytest.mark.parametrize(
    ("figure", "changes"), [("json_validity", {"valid": 3}), ("zero_false_positives", {"wrong": 1})]
)
def test_a_better_model_that_is_worse_at_a_guardrail_is_refused(figure: str, changes: dict[str, int]) -> None:
    decision = decide("extract", RULE, scored(found(1, 0.9), "new", **changes), scored(CHAMPION, "old"))

    assert checks(decision)[figure].verdict == "worse"
    assert checks(decision)[figure].gain < 0  # type: ignore[operator]
    assert not decision.passed
    assert [reason.partition(",")[0] for reason in decision.reasons] == [
        reason.partition(",")[0] for reason in decision.reasons if "worse" in reason
    ]


def test_a_guardrail_is_held_against_the_best_version_ever() -> None:
    old, best = scored(CHAMPION, "old", valid=4), scored(CHAMPION, "best", valid=5)
    slowly_worse = scored(found(1, 0.8), "new", valid=4)

    assert decide("extract", RULE, slowly_worse, old).passed
    decision = decide("extract", RULE, slowly_worse, old, [best])
    against = [(check.against, check.verdict) for check in decision.checks if check.figure == "json_validity"]
    assert against == [("old (1)", "no loss shown"), ("best (1)", "worse")]
    assert not decision.passed


def test_what_a_floor_has_no_figure_for_is_said_and_not_held_against_the_model() -> None:
    rule = scored_extraction(
        evaluation([score_article(case(f"a{n}", [item("cmdline", f"run-{n} /x y")], [])) for n in range(80)], "regex")
    )
    model = [_score(number, 1, 5, 0, 1) for number in range(80)]
    model = [each.model_copy(update={"id": f"a{number}"}) for number, each in enumerate(model)]
    decision = decide("extract", RULE, scored_extraction(evaluation(model, "new")), rule)

    verdicts = {name: check.verdict for name, check in checks(decision).items()}
    assert (verdicts["json_validity"], verdicts["grounded"]) == ("n/a", "n/a")
    assert decision.passed
    assert [reason.partition(":")[0] for reason in decision.reasons] == [
        checks(decision)[name].label for name in ("json_validity", "grounded")
    ]


def test_figures_of_other_articles_are_not_compared() -> None:
    one = scored(CHAMPION, "one")
    with pytest.raises(GateError, match="only figures of one test set say which is better; do this"):
        check_same_test_set(one, scored(CHAMPION, "two", content_hash="other"), "do this")
    with pytest.raises(GateError, match="different articles or labels"):
        check_same_test_set(one, scored(CHAMPION[:-1], "two"), "do this")


@pytest.mark.parametrize("swapped", [False, True])
def test_what_was_scored_on_a_sample_passes_no_gate(swapped: bool) -> None:
    whole = evaluation([_score(number, 3, 5, 0, 4) for number in range(12)], "new")
    pair = (scored_extraction(whole), scored_extraction(sampled(whole, {"a0", "a5"})))
    with pytest.raises(GateError, match="on a sample, 2 of 12 articles: evaluate it without --sample"):
        check_same_test_set(*(reversed(pair) if swapped else pair), "do this")


def test_the_table_shows_every_check_and_the_reasons() -> None:
    decision = decide("extract", RULE, scored(found(1, 0.9), "new", valid=3), scored(CHAMPION, "old"))
    text = plain_text(decision.model_copy(update={"looks": 3}))

    assert text.count("old (1)") >= len(decision.checks)
    assert "the gate is not passed" in text
    assert "looked at on this test set so far: 3" in text.replace("\n", " ")
    assert Decision.model_validate_json(decision.model_dump_json()) == decision


@pytest.mark.parametrize(
    ("line", "text"),
    [("extract", '{"schema": 1, "kind": "classification"}'), ("os-bert", '{"schema": 2}'), ("os-bert", "garbage")],
)
def test_an_evaluation_of_another_line_is_called_that(line: str, text: str) -> None:
    """Their schema numbers are their own: by the number it would be told as too old or too new."""
    with pytest.raises(DataError, match=f"^other.json is no evaluation of {line}: "):
        read_side(line, text, "other.json")
