"""Test sets drawn from two stored evaluations so that the true gain is known, and the gate's bounds of each.

An article of a drawn test set keeps the counts that one of the stored articles has in both evaluations. `share` says
how often the candidate gets the first evaluation's counts of it rather than the second's. Swapped, the champion gets
the other side, so that a share of one half makes both the same in truth; else it always gets the second's. The true
gain is that of the expected counts.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ctiforge.evaluation.gate.gate import Bounds, bounds
from ctiforge.evaluation.gate.sides import with_shares
from ctiforge.evaluation.scoring.scores import Counts, Metric
from ctiforge.evaluation.statistics import LEVEL, Floats, draws, pseudo_values, student_bounds

Bools = NDArray[np.bool_]
Columns = Mapping[str, Floats]
_TOGETHER = 250
_USED = ("articles", "windows", "json_parsed", "located", "zero.pairs", "zero.wrong")
_GONE = ("found", "exact", "partial", "located", "json_parsed")


@dataclass(frozen=True)
class Pair:
    """Per-article counts of two evaluations of one test set; `swapped`: see above."""

    types: tuple[str, ...]
    first: Columns
    second: Columns
    swapped: bool

    @classmethod
    def of(cls, first: Counts, second: Counts) -> "Pair":
        """Two models that exchange their articles."""
        return cls(first.types, _used(first), _used(second), swapped=True)

    @classmethod
    def losing(cls, counts: Counts) -> "Pair":
        """A model against itself, the first side losing whole articles: nothing found, nothing readable."""
        kept = _used(counts)
        lost = {name: 0 * each if name.endswith(_GONE) else each for name, each in kept.items()}
        lost["zero.wrong"] = kept["zero.wrong"] + kept["zero.pairs"]
        return cls(counts.types, with_shares(lost), kept, swapped=False)

    def gain(self, metric: Metric, share: float) -> float:
        """The true gain at this share."""
        both = [_mixed(self.first, self.second, share), _mixed(self.second, self.first, share)]
        sides = [both[0], both[1] if self.swapped else self.second]
        ours, theirs = (metric.formula(Sums(self.types, {k: v.sum() for k, v in each.items()})) for each in sides)
        return float(ours - theirs) * sign(metric)

    def share_for(self, metric: Metric, gain: float) -> float | None:
        """The share at which the true gain is this one, by bisection; None where none gives it."""
        start = 0.5 if self.swapped else 0.0
        for end in (0.0, 1.0):
            reach = self.gain(metric, end)
            if reach * gain > 0 and abs(reach) >= abs(gain):
                return self._bisect(metric, gain, start, end)
        return None

    def _bisect(self, metric: Metric, gain: float, near: float, far: float) -> float:
        for _ in range(60):
            middle = (near + far) / 2
            near, far = (middle, far) if abs(self.gain(metric, middle)) < abs(gain) else (near, middle)
        return far


class Sums:
    """Column sums by name, of any shape: what a metric's formula takes."""

    def __init__(self, types: tuple[str, ...], columns: Columns) -> None:
        self.types = types
        self._columns = columns

    def __getitem__(self, column: str) -> Floats:
        return self._columns[column] if column in self._columns else 0 * self._columns["articles"]


@dataclass(frozen=True)
class Promoted:
    """Which of the drawn test sets (trials,) promote."""

    by_primary: Bools
    """By the primary figure alone."""
    by_gate: Bools


def simulate_gate(
    pair: Pair, primary: Metric, guardrails: Mapping[Metric, float], share: float, articles: int, trials: int, seed: int
) -> Promoted:
    """Let the gate decide on `trials` drawn test sets; `guardrails` with their margins."""
    rng = np.random.default_rng(seed)
    superior, passed = [], []
    for start in range(0, trials, _TOGETHER):
        candidate, champion = draw(pair, share, (min(_TOGETHER, trials - start), articles), rng)
        whole, without = gains(primary, pair.types, candidate, champion)
        better = student_bounds(whole, pseudo_values(whole, without), LEVEL)[0] > 0
        kept = better.copy()
        for metric, margin in guardrails.items():
            # of those that are refused anyway nothing more need be known
            sides = ({name: each[kept] for name, each in side.items()} for side in (candidate, champion))
            kept[kept] = guarded(metric, pair.types, *sides).cautious > -margin
        superior.append(better)
        passed.append(kept)
    return Promoted(np.concatenate(superior), np.concatenate(passed))


def simulate_guardrail(pair: Pair, metric: Metric, share: float, articles: int, trials: int, seed: int) -> Bounds:
    """The bounds of a guardrail's gain in `trials` drawn test sets."""
    rng = np.random.default_rng(seed)
    found = []
    for start in range(0, trials, _TOGETHER):
        sides = draw(pair, share, (min(_TOGETHER, trials - start), articles), rng)
        found.append(guarded(metric, pair.types, *sides))
    names = ("value", "low", "cautious", "high")
    return Bounds(*(np.concatenate([getattr(each, name) for each in found]) for name in names))


def coverage(
    pair: Pair, metric: Metric, share: float, articles: int, trials: int, seed: int
) -> dict[Literal["gate", "comparison"], float]:
    """How often 95 % intervals of the gain hold the true one: the gate's kind, and the percentile bootstrap's."""
    rng = np.random.default_rng(seed)
    truth = pair.gain(metric, share)
    weights = np.concatenate(list(draws(articles)))
    held: dict[Literal["gate", "comparison"], list[Floats]] = {"gate": [], "comparison": []}
    for start in range(0, trials, _TOGETHER):
        sides = draw(pair, share, (min(_TOGETHER, trials - start), articles), rng)
        whole, without = gains(metric, pair.types, *sides)
        low, high = student_bounds(whole, pseudo_values(whole, without), (1 + LEVEL) / 2)
        held["gate"].append((low <= truth) & (truth <= high))
        ours, theirs = (metric.formula(Sums(pair.types, {k: weights @ v.T for k, v in each.items()})) for each in sides)
        low, high = np.nanquantile(sign(metric) * (ours - theirs), [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
        held["comparison"].append((low <= truth) & (truth <= high))
    return {kind: float(np.concatenate(parts).mean()) for kind, parts in held.items()}


def draw(pair: Pair, share: float, shape: tuple[int, int], rng: np.random.Generator) -> tuple[Columns, Columns]:
    """Candidate's and champion's counts, (trials, articles) each."""
    rows = rng.integers(len(pair.first["articles"]), size=shape)
    taken = rng.random(shape) < share
    candidate = {name: np.where(taken, pair.first[name][rows], pair.second[name][rows]) for name in pair.second}
    other = pair.first if pair.swapped else pair.second
    champion = {name: np.where(taken, pair.second[name][rows], other[name][rows]) for name in pair.second}
    return candidate, champion


def gains(metric: Metric, types: tuple[str, ...], candidate: Columns, champion: Columns) -> tuple[Floats, Floats]:
    """The gain in each drawn test set (trials,), and without each of its articles (trials, articles)."""
    whole, without = [], []
    for side in (candidate, champion):
        sums = {name: each.sum(axis=1) for name, each in side.items()}
        whole.append(metric.formula(Sums(types, sums)))
        without.append(metric.formula(Sums(types, {name: sums[name][:, None] - side[name] for name in side})))
    return sign(metric) * (whole[0] - whole[1]), sign(metric) * (without[0] - without[1])


def guarded(metric: Metric, types: tuple[str, ...], candidate: Columns, champion: Columns) -> Bounds:
    """The gate's bounds of the gain in each drawn test set."""
    size = np.maximum(candidate[metric.support], champion[metric.support])
    return bounds(*gains(metric, types, candidate, champion), size)


def sign(metric: Metric) -> int:
    """What turns a difference into a gain."""
    return -1 if metric.direction == "lower" else 1


def _used(counts: Counts) -> Columns:
    """The columns that the gate's figures are made of."""
    of_items = tuple(f"{prefix}." for prefix in ("all", *(f"type:{type_}" for type_ in counts.types)))
    return with_shares(
        {name: each for name, each in counts.columns.items() if name in _USED or name.startswith(of_items)}
    )


def _mixed(one: Columns, other: Columns, share: float) -> Columns:
    return {name: share * one[name] + (1 - share) * other[name] for name in other}
