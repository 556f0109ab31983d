"""What a choice of the next articles to label is worth: learning curves beside those of articles drawn at random.

    make prove-label-next

Twice a cheap learner (a frozen encoder with logistic regression) learns from articles of the demo, 25 to 200 of them,
and is scored on others after each budget. It begins with ten articles drawn at random, the same for all; then every 25
articles are chosen by what the learner of then and the rules say of those left. The figure is the area between two
curves, divided by its width: the mean gain over budgets. A seed draws pool and test anew (of operating systems by
software), and the first articles; intervals are 95 %, over seeds, and so tell of these corpora alone.
"""

import platform
from collections.abc import Callable, Sequence
from dataclasses import astuple
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from ctiforge.evaluation.statistics import Floats, jackknife
from ctiforge.labels.choosing import WEIGHTS, WorthParts, choose_next
from ctiforge.labels.likeness import TextLikeness
from ctiforge.plots import drawing
from ctiforge.pod.entry import run_program
from ctiforge.tables import Table, markdown, print_tables, table_of, wide_console
from label_tasks import Numbers, Spans, Systems, Task

BUDGETS = (25, 50, 100, 200)
FIRST, STEP = 10, 25
SHARE_FOR_TEST = 0.3
NAMES = ("disagreement", "uncertainty", "shortage", "novelty")
Choose = Callable[[Task, TextLikeness, Numbers, Numbers, int, int], Numbers]
"""From task, likeness, labeled and free articles, how many, and seed, to those to label."""


def main(
    seeds: Annotated[int, typer.Option(min=2, help="Seeds, each with a pool and a test of its own.")] = 5,
    first_seed: Annotated[int, typer.Option(help="The first; weights were chosen on those below 130.")] = 300,
    parts: Annotated[bool, typer.Option("--parts", help="Also each part of the score alone, and left out.")] = False,
    cache: Annotated[Path, typer.Option(help="Where vectors are kept.")] = Path(".ctiforge/label-next"),
    output: Annotated[Path | None, typer.Option(help="A Markdown file for the tables.")] = None,
    picture: Annotated[Path, typer.Option(help="The PNG of the curves.")] = Path("docs/pictures/label-next.png"),
) -> None:
    """Print the learning curves of random and of chosen articles, and the area between them."""
    policies: dict[str, Choose] = {"random": at_random, "label next": by_worth(WEIGHTS)}
    if parts:
        policies |= {f"{name} alone": by_worth(only(name)) for name in NAMES}
        policies |= {f"without {name}": by_worth(without(name)) for name in NAMES}
    numbers = range(first_seed, first_seed + seeds)
    tasks: list[Task] = [Systems(cache), Spans(cache)]
    curves = {task.name: curves_of(task, policies, numbers) for task in tasks}
    tables = [curve_table(name, each) for name, each in curves.items()]
    print_tables(tables, wide_console())
    if output:
        made = f"`make prove-label-next` · {datetime.now(UTC):%Y-%m-%d} · {platform.processor() or platform.machine()}"
        output.write_text(f"# Labeling next\n\n{made}\n\n{markdown(tables)}\n", encoding="utf-8")
    draw(curves, picture)


def curves_of(task: Task, policies: dict[str, Choose], seeds: Sequence[int]) -> dict[str, Floats]:
    """Scores by policy: (seeds, budgets)."""
    likeness = TextLikeness([each.content for each in task.articles])
    found: dict[str, list[list[float]]] = {name: [] for name in policies}
    for seed in seeds:
        pool, test = split(task, seed)
        for name, choose in policies.items():
            found[name].append(curve(task, likeness, pool, test, choose, seed))
    return {name: np.array(each) for name, each in found.items()}


def split(task: Task, seed: int) -> tuple[Numbers, Numbers]:
    """Pool and test, no group in both; the pool shuffled."""
    rng = np.random.default_rng(seed)
    groups = np.array(task.groups())
    names = rng.permutation(np.unique(groups))
    in_test = np.isin(groups, names[: round(SHARE_FOR_TEST * len(names))])
    return rng.permutation(np.flatnonzero(~in_test)), np.flatnonzero(in_test)


def curve(task: Task, likeness: TextLikeness, pool: Numbers, test: Numbers, choose: Choose, seed: int) -> list[float]:
    """Scores after each budget."""
    labeled, free = pool[:FIRST], pool[FIRST:]
    scores = []
    while len(labeled) < BUDGETS[-1]:
        count = STEP - len(labeled) % STEP
        chosen = choose(task, likeness, labeled, free, count, seed)
        labeled, free = np.concatenate([labeled, chosen]), free[~np.isin(free, chosen)]
        if len(labeled) in BUDGETS:
            scores.append(task.score(task.learn(labeled), test))
    return scores


def at_random(_: Task, __: TextLikeness, ___: Numbers, free: Numbers, count: int, ____: int) -> Numbers:
    """The next of the pool, which is shuffled."""
    return free[:count]


def by_worth(weights: WorthParts) -> Choose:
    """What `ctiforge label next` would choose."""

    def choose(task: Task, likeness: TextLikeness, labeled: Numbers, free: Numbers, count: int, seed: int) -> Numbers:
        opinions = task.opinions(task.learn(labeled), free)
        chosen = choose_next(
            opinions,
            count,
            examples=task.examples(labeled),
            similar=lambda number: likeness.to_all(int(free[number]))[free],
            nearest=likeness.to_nearest(labeled.tolist())[free],
            weights=weights,
            seed=seed,
        )
        return free[[each.index for each in chosen]]

    return choose


def only(name: str) -> WorthParts:
    """All weight on one part."""
    return WorthParts(**{each: float(each == name) for each in NAMES})


def without(name: str) -> WorthParts:
    """The weights with one part left out."""
    kept = np.array(astuple(WEIGHTS)) * [each != name for each in NAMES]
    return WorthParts(*(kept / kept.sum()).tolist())


def curve_table(name: str, curves: dict[str, Floats]) -> Table:
    """The mean curve of each policy, and the area between it and random's."""
    rows = []
    for policy, scores in curves.items():
        means = [f"{each:.3f}" for each in scores.mean(axis=0)]
        rows.append((policy, *means, "" if policy == "random" else gain(area(scores) - area(curves["random"]))))
    seeds = len(curves["random"])
    titles = ("articles chosen", *map(str, BUDGETS), "mean gain over random (95 %)")
    return table_of(titles, rows, caption=f"{name}, {seeds} seeds", left=(0, -1))


def area(scores: Floats) -> Floats:
    """Area under curves (seeds, budgets) by trapezoids, divided by its width: (seeds,)."""
    widths = np.diff(BUDGETS)
    found: Floats = (widths * (scores[:, 1:] + scores[:, :-1]) / 2).sum(axis=1) / widths.sum()
    return found


def gain(gains: Floats) -> str:
    """The mean of paired gains, with its interval over seeds."""
    count = len(gains)
    left_out = (gains.sum() - gains) / (count - 1)
    found = jackknife(gains.mean(), left_out, np.ones(count)).interval()
    return f"{gains.mean():+.4f}" + (f" ({found.low:+.4f} … {found.high:+.4f})" if found else "")


def draw(curves: dict[str, dict[str, Floats]], path: Path) -> None:
    """Draw the mean curves of random and chosen articles, and each seed's thinly."""
    title = "Articles chosen by `ctiforge label next` beside articles drawn at random"
    path.parent.mkdir(parents=True, exist_ok=True)
    with drawing(path, title, across="labeled articles", up="score on held-out articles") as axes:
        for color, (task, of_task) in zip(("C0", "C1"), curves.items(), strict=False):
            for policy, line in (("random", "--"), ("label next", "-")):
                scores = of_task[policy]
                won = "" if policy == "random" else f", {gain(area(scores) - area(of_task['random']))}"
                axes.plot(BUDGETS, scores.mean(axis=0), line, marker="o", color=color, label=f"{task}: {policy}{won}")
                for each in scores:
                    axes.plot(BUDGETS, each, line, color=color, alpha=0.15, linewidth=0.8)
        axes.set_xticks(BUDGETS)


if __name__ == "__main__":
    run_program(main)
