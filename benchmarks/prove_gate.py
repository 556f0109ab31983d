"""What the gate does where the truth is known: false promotions a year, power, coverage, false verdicts.

    make prove-gate ARGS="--years 400 --output benchmarks/results/gate.md"

Models of known quality (`simulated_models`) are held against each other on test sets with the items of the demo's
test articles and, where CTIFORGE_REAL_DATA names them, of the 30 real ones. A year is 365 distinct candidates that are
as good as the champion, all on one test set. Power: one recipe is better by 8 points (of micro-F1, 0.65 → 0.73), its
models arrive one a night after a week of models that are no better; guardrails and types refuse as they do in the gate.
"""

import os
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray

from ctiforge.evaluation.comparing.comparison import compare_counts
from ctiforge.evaluation.gate.gate import decide
from ctiforge.evaluation.gate.looks import TOGETHER, YEAR, own_level, together_level
from ctiforge.evaluation.gate.power import CANDIDATES, Spread, power
from ctiforge.evaluation.gate.sides import Scored, scored_counts
from ctiforge.evaluation.scoring.report import RowSpec
from ctiforge.evaluation.statistics import LEVEL, Estimate, Floats, jackknife
from ctiforge.lines.extract import EXTRACT
from ctiforge.pod.entry import run_program
from ctiforge.records.evaluation import ModelInfo, TestSetInfo
from ctiforge.tables import Cell, Table, markdown, print_tables, table_of, wide_console
from real_data import VARIABLE, real_articles
from simulated_models import (
    Drawn,
    Population,
    Recipe,
    Spreads,
    agreement,
    draw,
    f1_parts,
    micro_f1,
    recipe_with,
)

SIZES = (30, 50, 100)
CHAMPION, GAIN = 0.65, 0.08
ALIKE, UNLIKE = Spreads(), Spreads(item=1.5, own=1.0)
NEW = (0, 10, 25, 50)
Bools = NDArray[np.bool_]
TEST_SET = TestSetInfo(name="simulated", version="1", content_hash="0" * 64, articles=0)


def main(
    years: Annotated[int, typer.Option(min=20, help="Simulated years, or test sets, for each figure.")] = 400,
    output: Annotated[Path | None, typer.Option(help="A Markdown file for the tables.")] = None,
) -> None:
    """Print what the gate does on simulated models of known quality."""
    populations = [demo_population()]
    if os.environ.get(VARIABLE):
        populations.append(real_population())
    else:
        print(f"the items of the 30 real articles are left out: {VARIABLE} does not name them")
    parts: list[Table | Cell] = []
    makers: Sequence[Callable[[Sequence[Population], int], Table]] = (
        years_table,
        fresh_table,
        intervals_table,
        words_table,
    )
    for maker in makers:
        parts.append(maker(populations, years))
        print_tables(parts[-1:], wide_console())
    if output:
        made = f"`make prove-gate` · {datetime.now(UTC):%Y-%m-%d} · {years} years a figure"
        head = f"# The gate on simulated models\n\n{made}\n\n"
        output.write_text(head + markdown(parts) + "\n", encoding="utf-8")


def years_table(populations: Sequence[Population], years: int) -> Table:
    """False promotions in a year of equal candidates, and power by how many candidates of a better recipe were seen."""
    rows = []
    for population in populations:
        for spreads in (ALIKE, UNLIKE):
            equal, better = (recipe_with(population, figure, spreads) for figure in (CHAMPION, CHAMPION + GAIN))
            for articles in SIZES:
                false = np.mean(
                    [passes(year(population, equal, equal, YEAR, articles, spreads, s)).any() for s in range(years)]
                )
                runs = [later(population, equal, better, articles, spreads, 10_000 + s) for s in range(years)]
                passed = np.array([passes(each)[TOGETHER - 1 :] for each in runs])
                planned = planned_power(runs, articles)
                rows.append((
                    population.name, f"{agreement(population, equal, spreads):.0%}", articles, share(false, years),
                    *(share(passed[:, :each].any(axis=1).mean(), years) for each in CANDIDATES),
                    " / ".join(f"{each:.0%}" for each in planned),
                ))  # fmt: skip
    level = f"each look at {own_level():.3%}, seven together at {together_level():.2%}"
    caption = f"365 equal candidates on one test set, and a recipe better by {GAIN:.0%} ({level})"
    titles = (
        "items of",
        "two models agree on",
        "articles",
        "years with a false promotion",
        *(f"promoted within {n}" for n in CANDIDATES),
        "as planned",
    )
    return table_of(titles, rows, caption=caption, left=(0,))


def fresh_table(populations: Sequence[Population], years: int) -> Table:
    """A second recipe, better again by as much, after the first was promoted by its luck on the same articles."""
    rows = []
    for population in populations:
        figures = (CHAMPION, CHAMPION + GAIN, CHAMPION + 2 * GAIN)
        first, second, third = (recipe_with(population, figure, ALIKE) for figure in figures)
        for articles in SIZES[1:]:
            for new in NEW:
                found = [after_promotion(population, (first, second, third), articles, new, s) for s in range(years)]
                known = np.array([each for each in found if each is not None])
                rows.append(
                    (
                        population.name,
                        articles,
                        new,
                        len(known),
                        *(share(known[:, :n].any(axis=1).mean(), len(known)) for n in CANDIDATES),
                    )
                )
    titles = (
        "items of",
        "articles",
        "labeled since",
        "promotions before",
        *(f"promoted within {n}" for n in CANDIDATES),
    )
    caption = f"after a promotion: the next recipe, better again by {GAIN:.0%}, with articles labeled since"
    return table_of(titles, rows, caption=caption, left=(0,))


def intervals_table(populations: Sequence[Population], years: int) -> Table:
    """How often 95 % intervals of the paired gain hold the true one."""
    rows = []
    for population in populations:
        equal, better = (recipe_with(population, figure, ALIKE) for figure in (CHAMPION, CHAMPION + GAIN))
        for articles in SIZES:
            cells = []
            for other in (equal, better):
                truth = true_gain(population, equal, other)
                held = []
                for seed in range(5 * years):
                    found = year(population, equal, other, 1, articles, ALIKE, 50_000 + seed)
                    low, high = float(found.gains.low(0.975)[0]), float(found.gains.high(0.975)[0])
                    held.append(low <= truth <= high)
                cells.append(share(np.mean(held), len(held)))
            rows.append((population.name, articles, *cells))
    titles = ("items of", "articles", "no true gain", f"a true gain of {GAIN:.0%}")
    return table_of(titles, rows, caption="95 % intervals that hold the true gain (93 to 97 % wanted)", left=(0,))


def words_table(populations: Sequence[Population], years: int) -> Table:
    """Comparisons of two equal models that call anything better or worse; and the gate's vetoes of equal models."""
    rows = []
    for population in populations:
        equal = recipe_with(population, CHAMPION, ALIKE)
        for articles in SIZES:
            false, vetoed, figures = [], [], 0
            for seed in range(2 * years):
                drawn = draw(population, [equal, equal], articles, ALIKE, 90_000 + seed)
                changes = compare_counts(drawn.counts(0), drawn.counts(1), row_specs(drawn, articles))
                false.append(any(change.verdict in ("better", "worse") for change in changes))
                figures = sum(change.p is not None for change in changes)
                decision = decide("extract", EXTRACT.rules, scored(drawn, 1), scored(drawn, 0))
                vetoed.append(any(check.verdict == "worse" for check in decision.checks[1:]))
            rows.append(
                (
                    population.name,
                    articles,
                    figures,
                    share(np.mean(false), len(false)),
                    share(np.mean(vetoed), len(vetoed)),
                )
            )
    titles = ("items of", "articles", "figures with a verdict", "comparisons with a false word", "vetoed by the gate")
    return table_of(titles, rows, caption="two equal models (a false word in at most 10 % wanted)", left=(0,))


class Year:
    """Candidates held against one champion, model 0, on one test set, in their order."""

    def __init__(self, drawn: Drawn, articles: slice = slice(None)) -> None:
        self.drawn, self.articles = drawn, articles
        self.whole, self.without = micro_f1(drawn, articles)
        size = drawn.columns["all.expected"][articles]
        self.gains: Estimate = jackknife(self.whole[1:] - self.whole[0], self.without[1:] - self.without[0], size)
        mean, mean_without = _trimmed(self.whole[1:], self.without[1:])
        self.together: Estimate = jackknife(mean - self.whole[0], mean_without - self.without[0], size)

    def before(self, candidate: int) -> list[tuple[float, ...]]:
        """Give the figures of the candidates before one, as the gate keeps them."""
        first = max(0, candidate - TOGETHER + 1)
        return [(self.whole[1 + n], *self.without[1 + n]) for n in range(first, candidate)]


def year(
    population: Population,
    champion: Recipe,
    recipe: Recipe,
    candidates: int,
    articles: int,
    spreads: Spreads,
    seed: int,
) -> Year:
    """Draw a test set, a champion and its candidates."""
    return Year(draw(population, [champion, *[recipe] * candidates], articles, spreads, seed))


def later(population: Population, equal: Recipe, better: Recipe, articles: int, spreads: Spreads, seed: int) -> Year:
    """Draw a champion, candidates that are as good, and after those a month of better ones."""
    recipes = [equal, *[equal] * (TOGETHER - 1), *[better] * max(CANDIDATES)]
    return Year(draw(population, recipes, articles, spreads, seed))


def passes(found: Year) -> Bools:
    """Tell which candidate the whole gate lets through first (candidates,): only those are asked that may pass."""
    own, likely = found.gains.low(own_level()) > 0, found.gains.low(LEVEL) > 0
    passed: Bools = own | (likely & (found.together.low(together_level()) > 0))
    for candidate in np.flatnonzero(passed):
        sides = (scored(found.drawn, 1 + candidate, found.articles), scored(found.drawn, 0, found.articles))
        if decide("extract", EXTRACT.rules, *sides, before=found.before(candidate)).passed:
            passed[candidate + 1 :] = False
            return passed
        passed[candidate] = False
    return passed


def after_promotion(
    population: Population, recipes: Sequence[Recipe], articles: int, new: int, seed: int
) -> Bools | None:
    """Promote a model of the second recipe on the old articles, then look at the third's with new ones beside them."""
    first, second, third = recipes
    most = max(CANDIDATES)
    drawn = draw(population, [first, *[second] * most, *[third] * most], articles + new, ALIKE, 70_000 + seed)
    promoted = np.flatnonzero(passes(Year(_only(drawn, range(most + 1)), slice(articles))))
    if not promoted.size:
        return None
    return passes(Year(_only(drawn, [1 + promoted[0], *range(most + 1, 2 * most + 1)])))


def scored(drawn: Drawn, model: int, articles: slice = slice(None)) -> Scored:
    """Take one model as the gate sees it."""
    counts = drawn.counts(model, articles)
    ids = tuple((str(number),) for number in range(counts.articles))
    return scored_counts(
        counts,
        model=ModelInfo(name=f"model {model}", version="1"),
        test_set=TEST_SET,
        scoring=1,
        articles=ids,
        shown={},
    )


def planned_power(runs: Sequence[Year], articles: int) -> list[float]:
    """Compute what `testset plan` says, from the spread of the gain that the runs show."""
    error = np.mean([each.gains.error[TOGETHER - 1 :].mean() for each in runs]) * np.sqrt(articles)
    effective = float(np.mean([each.gains.freedom.mean() for each in runs])) / articles
    return [power(Spread(float(error), effective, assumed=False), GAIN, articles, each) for each in CANDIDATES]


def true_gain(population: Population, one: Recipe, other: Recipe) -> float:
    """Compute the true gain over many articles."""
    sides = []
    for recipe in (one, other):
        top, bottom = zip(
            *(f1_parts(draw(population, [recipe], 500, ALIKE, 800 + seed)) for seed in range(200)), strict=True
        )
        sides.append(np.concatenate(top, axis=1).sum() / np.concatenate(bottom, axis=1).sum())
    return float(sides[1] - sides[0])


def row_specs(drawn: Drawn, articles: int) -> list[RowSpec]:
    """The rows of a comparison: all, each type, and long and other articles."""
    everything, half = np.ones(articles), np.arange(articles) % 2.0
    types = drawn.counts(0).types
    rows = [RowSpec("all", "overall", "all", everything)]
    rows += [RowSpec(type_, "type", f"type:{type_}", everything) for type_ in types]
    return [*rows, RowSpec("length: long", "tag", "all", half), RowSpec("length: normal", "tag", "all", 1 - half)]


def demo_population() -> Population:
    """The demo's test articles."""
    from ctiforge.demo.articles import make_corpus
    from ctiforge.demo.setup import SEED

    return Population.of("the demo", make_corpus(SEED).test)


def real_population() -> Population:
    """The 30 real articles."""
    from ctiforge.data.testsets import read_labelled_articles

    return Population.of("the 30 real", list(read_labelled_articles(real_articles())))


def share(value: float, trials: int) -> str:
    """Word a rate with twice its standard error."""
    return f"{value:.1%} ± {2 * np.sqrt(value * (1 - value) / max(trials, 1)):.1%}"


def _trimmed(whole: Floats, without: Floats) -> tuple[Floats, Floats]:
    """Average the last seven candidates without the best and the worst; no number before there are seven."""
    mean, mean_without = np.full(len(whole), np.nan), np.full(without.shape, np.nan)
    for end in range(TOGETHER, len(whole) + 1):
        rows = np.arange(end - TOGETHER, end)
        kept = rows[np.argsort(whole[rows], kind="stable")[1:-1]]
        mean[end - 1], mean_without[end - 1] = whole[kept].mean(), without[kept].mean(axis=0)
    return mean, mean_without


def _only(drawn: Drawn, models: Sequence[int]) -> Drawn:
    chosen = list(models)
    return Drawn({name: each[chosen] if each.ndim == 2 else each for name, each in drawn.columns.items()}, drawn.types)


if __name__ == "__main__":
    run_program(main)
