"""What came of a sweep: the points in order of what validation says, as JSON, tables and a picture."""

import json
import math
from collections.abc import Sequence
from pathlib import Path

from ctiforge import tables
from ctiforge.plots import drawing
from ctiforge.records.sweep import CHOSEN_ON, CHOSEN_ON_F1, Sweep, Trained
from ctiforge.tables import Cell, Table, table_of

NO_PICTURE = "no picture: matplotlib is not installed here (it comes with ctiforge[train])"
_UNFOLDED = 10_000
"""Columns that no row fills: who prints the table folds it."""


def make_sweep(sweep_id: str, line: str, program: str, points: Sequence[Trained]) -> Sweep:
    """Order the points (those without a loss come last), choose, and note what the choice does not say.

    F1 on validation articles decides where every point that has a loss was chosen by it, else the loss.
    """
    measured = [each for each in points if each.validation_loss is not None]
    by_f1 = bool(measured) and all(each.validation_f1 is not None for each in measured)
    ordered = sorted(points, key=lambda each: _rank(each, by_f1=by_f1))
    return Sweep(
        id=sweep_id,
        line=line,
        program=program,
        points=ordered,
        winner=ordered[0].stage if measured else None,
        notes=_notes(ordered),
        chosen_on=CHOSEN_ON_F1 if by_f1 else CHOSEN_ON,
    )


def write_sweep(sweep: Sweep, folder: Path) -> str | None:
    """Write `sweep.json`, `sweep.md` and `sweep.png`; gives back why there is no picture, None when there is one."""
    folder.mkdir(parents=True, exist_ok=True)
    sweep.write(folder)
    (folder / "sweep.md").write_text(markdown(sweep), encoding="utf-8")
    # one of an earlier try of the same sweep would tell of other points
    (folder / "sweep.png").unlink(missing_ok=True)
    if not sweep.winner:
        return "no picture: no point has a validation loss"
    try:
        plot_losses(sweep, folder / "sweep.png")
    except ImportError:
        return NO_PICTURE
    return None


def plain_text(sweep: Sweep) -> str:
    """Give the table for a terminal, the winner marked, and what to know and to do about it."""
    marks = [" ", *("*" if each.stage == sweep.winner else " " for each in sweep.points)]
    rows = tables.plain_text([_table(sweep)], width=_UNFOLDED).splitlines()
    # a mark stands where the table keeps a space free before each row
    lines = [f"{mark}{row.rstrip()}" for mark, row in zip(marks, rows, strict=True)]
    return "\n".join([*lines, *_words(sweep), *([f"  {sweep.evaluate_with}"] if sweep.evaluate_with else [])])


def markdown(sweep: Sweep) -> str:
    """Give the same as Markdown."""
    command = ["", "```", sweep.evaluate_with, "```"] if sweep.evaluate_with else []
    heading, table = f"### Sweep {sweep.id}", tables.markdown([_table(sweep)])
    return "\n".join([heading, "", table, "", "  \n".join(_words(sweep)), *command, ""])


def plot_losses(sweep: Sweep, path: Path) -> None:
    """Draw validation losses over the first parameter as a PNG: a line per value of a second, else dots."""
    names = list(sweep.points[0].parameters)
    found = [each for each in _in_grid_order(sweep.points) if each.validation_loss is not None]
    ticks = list(dict.fromkeys(each.parameters[names[0]] for each in _in_grid_order(sweep.points)))
    with drawing(path, sweep.id, across=_dashed(names[0]), up="best validation loss (nats)") as axes:
        for label, points in _series(found, names).items():
            places = [ticks.index(each.parameters[names[0]]) for each in points]
            losses = [each.validation_loss for each in points]
            axes.plot(places, losses, "o-" if len(names) < 3 else "o", label=label, linewidth=1.4, markersize=5)
        if best := sweep.best:
            place = ticks.index(best.parameters[names[0]])
            axes.plot(place, best.validation_loss, "*", color="black", markersize=13, label=f"best: {_setting(best)}")
        # evenly, in the order asked for: values may be words, and rates lie on no line
        axes.set_xticks(range(len(ticks)), ticks)


def _rank(point: Trained, *, by_f1: bool) -> tuple[float, float]:
    """Rank a point, the smallest best."""
    if point.validation_loss is None:
        return math.inf, math.inf
    return (-(point.validation_f1 or 0.0) if by_f1 else 0.0), point.validation_loss


def _notes(points: Sequence[Trained]) -> list[str]:
    measured = [each for each in points if each.validation_loss is not None]
    names = dict.fromkeys(name for each in measured for name in each.measured_with)
    differ = [
        _dashed(name)
        for name in names
        if len({json.dumps(each.measured_with.get(name), sort_keys=True) for each in measured}) > 1
    ]
    notes = []
    if differ:
        notes.append(
            f"points differ in {' and '.join(differ)}, which is part of the loss: only losses of points alike in it "
            "can be compared, and the best one is no choice between them"
        )
    if missing := len(points) - len(measured):
        notes.append(f"{missing} of {len(points)} points have no validation loss")
    return notes


def _words(sweep: Sweep) -> list[str]:
    notes = [f"note: {note}" for note in sweep.notes]
    best = "the highest of several figures" if sweep.chosen_on == CHOSEN_ON_F1 else "the smallest of several losses"
    flatters = [f"{best} flatters its model; this evaluates it on the test set:"]
    return [*notes, sweep.chosen_on, *(flatters if sweep.winner else [])]


def _table(sweep: Sweep) -> Table:
    names = [_dashed(name) for name in sweep.points[0].parameters]
    by_f1 = sweep.chosen_on == CHOSEN_ON_F1
    titles = ["point", *names, *(["F1"] if by_f1 else []), "validation loss", "best step", "seconds", "state"]
    rows = [
        [Cell(cell, strong=each.stage == sweep.winner) for cell in _cells(each, by_f1=by_f1)] for each in sweep.points
    ]
    return table_of(titles, rows, left=range(len(titles)), look="bare")


def _cells(point: Trained, *, by_f1: bool) -> list[str]:
    """Give texts of one line each, as a problem may be told in several."""
    cells = [
        point.stage,
        *point.parameters.values(),
        *(["-" if point.validation_f1 is None else f"{point.validation_f1:.3f}"] if by_f1 else []),
        "-" if point.validation_loss is None else f"{point.validation_loss:.4f}",
        "-" if point.best_step is None else str(point.best_step),
        "-" if point.seconds is None else f"{point.seconds:.0f}",
        f"{point.state}: {point.problem}" if point.problem else point.state,
    ]
    return [" ".join(cell.split()) for cell in cells]


def _series(points: Sequence[Trained], names: Sequence[str]) -> dict[str, list[Trained]]:
    """Give the points of each line of the picture, by what all of its points share."""
    series: dict[str, list[Trained]] = {}
    for each in points:
        label = ", ".join(f"{_dashed(name)} {each.parameters[name]}" for name in names[1:])
        series.setdefault(label or "every point", []).append(each)
    return series


def _in_grid_order(points: Sequence[Trained]) -> list[Trained]:
    return sorted(points, key=lambda each: int(each.stage.rpartition(".")[2]))


def _setting(point: Trained) -> str:
    return ", ".join(f"{_dashed(name)} {value}" for name, value in point.parameters.items())


def _dashed(name: str) -> str:
    return name.replace("_", "-")
