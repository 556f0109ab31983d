"""The bounds that the gate decides by hold what they say, also where few articles decide."""

import numpy as np
import pytest

from benchmarks.gate_simulation import Pair, coverage, simulate_gate, simulate_guardrail
from ctiforge.evaluation.gate.gate import LEVEL
from ctiforge.evaluation.gate.sides import GATE_METRICS
from ctiforge.evaluation.scoring.scores import Counts
from ctiforge.evaluation.statistics import cautious_low, pseudo_values, student_bounds, student_quantile
from ctiforge.lines.extract import EXTRACT
from tests.unit.evaluation.cases import case, item, score_article

METRIC = {metric.name: metric for metric in GATE_METRICS}
TRIALS = 1500
CHANCE = 3 * np.sqrt(0.05 * 0.95 / TRIALS)


def counts(seed: int, share: float) -> Counts:
    """Articles of unlike length and difficulty, the same articles for every seed."""
    sizes = np.random.default_rng(0).integers(1, 12, size=90)
    rng = np.random.default_rng(seed)
    scores = []
    for number, size in enumerate(sizes):
        wanted = [item("cmdline", f"run-{number} /arg{index} x") for index in range(size)]
        hits = int(rng.binomial(size, rng.beta(6 * share, 6 * (1 - share))))
        wrong = [item("services", f"svc{number}")] * int(rng.random() < 0.2)
        scores.append(score_article(case(f"a{number}", wanted, wanted[:hits] + wrong)))
    return Counts.of(scores)


GOOD, POOR = counts(1, 0.8), counts(2, 0.5)


@pytest.mark.parametrize("articles", [30, 100])
def test_no_true_difference_is_rarely_called_better(articles: int) -> None:
    guardrails = {METRIC["macro_f1"]: EXTRACT.rules.guardrails["macro_f1"]}
    found = simulate_gate(Pair.of(GOOD, POOR), METRIC["micro_f1"], guardrails, 0.5, articles, TRIALS, seed=3)
    assert found.by_primary.mean() <= 1 - LEVEL + CHANCE
    assert 0 < found.by_gate.sum() <= found.by_primary.sum()


@pytest.mark.parametrize("name", ["macro_f1", "zero_false_positives"])
@pytest.mark.parametrize("articles", [30, 100])
def test_a_guardrail_rarely_passes_a_loss_of_its_margin_when_whole_articles_are_lost(name: str, articles: int) -> None:
    margin = EXTRACT.rules.guardrails[name]
    pair = Pair.losing(GOOD)
    share = pair.share_for(METRIC[name], -margin)
    assert share is not None
    assert pair.gain(METRIC[name], share) == pytest.approx(-margin)

    found = simulate_guardrail(pair, METRIC[name], share, articles, TRIALS, seed=4)
    assert (found.cautious > -margin).mean() <= 1 - LEVEL + CHANCE


def test_the_usual_bound_passes_losses_that_few_articles_have_not_shown_yet() -> None:
    margin, metric = EXTRACT.rules.guardrails["macro_f1"], METRIC["macro_f1"]
    pair = Pair.losing(GOOD)
    found = simulate_guardrail(pair, metric, pair.share_for(metric, -margin) or 0, 30, TRIALS, seed=4)
    assert (found.low > -margin).mean() > 0.1


def test_paired_intervals_hold_the_truth_as_often_as_they_say() -> None:
    pair = Pair.of(GOOD, POOR)
    share = pair.share_for(METRIC["micro_f1"], 0.05)
    assert share is not None
    assert 0.92 <= coverage(pair, METRIC["micro_f1"], share, 30, TRIALS, seed=5)["gate"] <= 0.97


def test_pseudo_values_of_a_mean_are_its_values() -> None:
    values = np.array([0.0, 0.5, 1.0, 0.25])
    without = (values.sum() - values) / 3
    assert pseudo_values(np.array(values.mean()), without) == pytest.approx(values)
    unknown = np.array([np.nan, *without[1:]])
    assert pseudo_values(np.array(values.mean()), unknown)[0] == pytest.approx(values.mean())


def test_the_cautious_bound_of_a_share_is_the_exact_one() -> None:
    for articles in (20, 59, 150):
        bound = cautious_low(np.zeros((1, articles)), 0.95, np.array([-1.0]))[0]
        assert bound == pytest.approx(-(1 - 0.05 ** (1 / articles)), rel=0.05)


def test_an_unseen_loss_is_never_excluded_by_articles_that_are_all_alike() -> None:
    pseudo = np.full((1, 40), 0.03)
    assert student_bounds(np.array([0.03]), pseudo, 0.95)[0] == pytest.approx(0.03)
    assert cautious_low(pseudo, 0.95, np.array([-1.0]))[0] < -0.03


@pytest.mark.parametrize(("freedom", "value"), [(5, 2.0150), (9, 1.8331), (29, 1.6991), (200, 1.6525)])
def test_students_quantiles_are_those_of_the_tables(freedom: float, value: float) -> None:
    assert student_quantile(0.95, np.array(freedom)) == pytest.approx(value, abs=1e-3)
