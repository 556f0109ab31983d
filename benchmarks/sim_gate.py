"""What the gate does where the truth is known: test sets drawn from the articles of two stored evaluations.

    python benchmarks/sim_gate.py [FIRST.json SECOND.json] [--trials 5000]

Prints how often it promotes at no true difference, how often a guardrail passes a loss of exactly its margin, how
often 95 % intervals hold the truth, and its power. Ends with 1 where one is off its target by more than chance.
"""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from ctiforge.errors import UsageError
from ctiforge.evaluation.gate.sides import GATE_METRICS, scored_extraction
from ctiforge.evaluation.scoring.scores import Counts
from ctiforge.lines.extract import EXTRACT
from ctiforge.pod.entry import run_program
from ctiforge.records.evaluation import Evaluation
from ctiforge.tables import print_table
from gate_simulation import Columns, Pair, Promoted, coverage, simulate_gate, simulate_guardrail

RULE = EXTRACT.rules
METRIC = {metric.name: metric for metric in GATE_METRICS if metric.name in (RULE.primary, *RULE.guardrails)}
Margins = Mapping[str, float]
PAIR = ("tuned", "regex")
SIZES = (30, 100, 200)
GAINS = (0.02, 0.05, 0.10)
RISK = 0.05
OFTEN = 4
"""So many times more test sets for the rate that matters most."""
COVERED = (0.92, 0.97)


def main(
    evaluations: Annotated[
        list[Path] | None, typer.Argument(help="Two of one test set, the better one first; default: tuned and regex.")
    ] = None,
    outputs: Annotated[Path, typer.Option(help="Where runs left theirs.")] = Path("outputs/evaluations"),
    trials: Annotated[int, typer.Option(min=100, help="Test sets drawn for each figure.")] = 5000,
    seed: int = 0,
) -> None:
    """Print the gate's error rates, coverage and power over test sets of known truth."""
    first, second = read_pair(evaluations or newest(outputs))
    counts, others = Counts.of(first.articles), Counts.of(second.articles)
    pair, losing = Pair.of(counts, others), Pair.losing(counts)
    held = describe(first, second, pair)
    well = [
        promotions(pair, held, OFTEN * trials, seed),
        guardrails(pair, held, "articles of both mixed", trials, seed),
        guardrails(losing, RULE.guardrails, "whole articles lost", trials, seed),
        intervals(pair, trials, seed),
    ]
    power(pair, held, trials, seed)
    if not all(well):
        sys.exit(1)


def promotions(pair: Pair, held: Margins, trials: int, seed: int) -> bool:
    """No true difference: sides swapped at random in every article."""
    rows, rates = [], []
    for articles in SIZES:
        found = promoted(pair, held, 0.5, articles, trials, seed)
        rates.append(rate(found.by_gate))
        rows.append((articles, shown(rates[-1], trials), shown(rate(found.by_primary), trials)))
    print_table(
        f"promoted at no true difference (at most {RISK:.0%})",
        ("articles", "by the whole gate", "by its primary figure alone"),
        rows,
    )
    return within(rates, trials)


def guardrails(pair: Pair, held: Margins, how: str, trials: int, seed: int) -> bool:
    """A true loss of exactly the margin."""
    rows, rates = [], []
    for name, margin in held.items():
        share = pair.share_for(METRIC[name], -margin)
        if share is None:
            rows.append((name, f"{margin:g}", "not so far apart", *[""] * (len(SIZES) - 1)))
            continue
        found = [simulate_guardrail(pair, METRIC[name], share, each, trials, seed) for each in SIZES]
        rates += [rate(each.cautious > -margin) for each in found]
        rows.append((name, f"{margin:g}", *(shown(each, trials) for each in rates[-len(SIZES) :])))
    print_table(
        f"guardrails passed at a true loss of the margin (at most {RISK:.0%}): {how}",
        ("figure", "margin", *(f"{each} articles" for each in SIZES)),
        rows,
    )
    return within(rates, trials)


def intervals(pair: Pair, trials: int, seed: int) -> bool:
    """95 % intervals of the primary figure's gain, at none and at the middle one."""
    rows, rates = [], []
    metric = METRIC[RULE.primary]
    for gain in (0.0, GAINS[1]):
        share = 0.5 if gain == 0 else pair.share_for(metric, gain)
        for articles in SIZES if share is not None else ():
            found = coverage(pair, metric, share or 0.5, articles, trials, seed)
            rates.append(found["gate"])
            rows.append((f"{gain:+.2f}", articles, shown(found["gate"], trials), shown(found["comparison"], trials)))
    print_table(
        f"95 % intervals that hold the true gain ({COVERED[0]:.0%} to {COVERED[1]:.0%})",
        ("true gain", "articles", "the gate's", "of `compare` (percentiles)"),
        rows,
    )
    return all(COVERED[0] <= each <= COVERED[1] for each in rates)


def power(pair: Pair, held: Margins, trials: int, seed: int) -> None:
    """How often a true gain is promoted."""
    rows = []
    for gain in GAINS:
        share = pair.share_for(METRIC[RULE.primary], gain)
        for articles in SIZES if share is not None else ():
            found = promoted(pair, held, share or 0.5, articles, trials, seed)
            both = (rate(found.by_gate), rate(found.by_primary))
            rows.append((f"{gain:+.2f}", articles, *(shown(each, trials) for each in both)))
        if share is None:
            rows.append((f"{gain:+.2f}", "", "not so far apart", ""))
    print_table(
        "promoted at a true gain (power)",
        ("true gain", "articles", "by the whole gate", "by its primary figure alone"),
        rows,
    )


def promoted(pair: Pair, held: Margins, share: float, articles: int, trials: int, seed: int) -> Promoted:
    """What the gate says of drawn test sets."""
    guardrails = {METRIC[name]: margin for name, margin in held.items()}
    return simulate_gate(pair, METRIC[RULE.primary], guardrails, share, articles, trials, seed)


def describe(first: Evaluation, second: Evaluation, pair: Pair) -> Margins:
    """Say what the test sets are drawn from; gives back the guardrails that hold between the two."""
    sides = [scored_extraction(each) for each in (first, second)]
    for side in sides:
        print(f"{side.who}: {RULE.primary} {side.shown[RULE.primary].value:.3f}")
    positive = int((pair.first["all.expected"] > 0).sum())
    print(f"{len(first.articles)} articles of {first.test_set.name}, {positive} with anything to find")
    for name in ("all.found", "all.predicted", "zero.wrong"):
        print(f"correlation over articles, {name}: {correlation(pair.first, pair.second, name)}")
    held = {name: each for name, each in RULE.guardrails.items() if all(s.figures[name].size.any() for s in sides)}
    print(f"guardrails between the two: {', '.join(held)}")
    return held


def correlation(first: Columns, second: Columns, name: str) -> str:
    """Of one column of counts between the two models."""
    if not (first[name].std() and second[name].std()):
        return "none, it does not vary"
    return f"{np.corrcoef(first[name], second[name])[0, 1]:.2f}"


def read_pair(paths: list[Path]) -> tuple[Evaluation, Evaluation]:
    """The two evaluations. Raises UsageError where they are not two of one test set."""
    if len(paths) != 2:
        raise UsageError("give two evaluations of one test set, the better one first")
    one, other = (Evaluation.load(path) for path in paths)
    if [each.id for each in one.articles] != [each.id for each in other.articles]:
        raise UsageError(f"{paths[0]} and {paths[1]} are of different test sets")
    return one, other


def newest(outputs: Path) -> list[Path]:
    """The tuned model's and the regex floor's newest evaluations. Raises UsageError where there is none."""
    found = [sorted(outputs.glob(f"eval_{name}-*.json"), key=lambda path: path.stat().st_mtime) for name in PAIR]
    if not all(found):
        raise UsageError(f"no evaluations in {outputs}: run make train-extract first, or name two")
    return [each[-1] for each in found]


def rate(hits: "np.ndarray[tuple[int], np.dtype[np.bool_]]") -> float:
    """Share of the drawn test sets."""
    return float(hits.mean())


def within(rates: list[float], trials: int) -> bool:
    """Whether no rate is above the target by more than chance."""
    return all(each <= RISK + chance(RISK, trials) for each in rates)


def shown(value: float, trials: int) -> str:
    """A rate with its Monte-Carlo error."""
    return f"{value:.1%} ± {chance(value, trials):.1%}"


def chance(value: float, trials: int) -> float:
    """Twice the standard error of a rate."""
    return 2 * float(np.sqrt(value * (1 - value) / trials))


if __name__ == "__main__":
    run_program(main)
