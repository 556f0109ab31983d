"""Processes that train or evaluate together: the weights and figures of one, their speed, what kills of one cost.

The model is the demo's, the rows are random tokens: what is proven is the arithmetic and the ends, not a speed-up, for
which each process needs a GPU (or cores) of its own.
"""

import random
import signal
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

sys.path.insert(0, str(Path(__file__).parents[1]))

from ctiforge.demo.articles import make_corpus
from ctiforge.errors import CtiforgeError, InterruptedRunError
from ctiforge.extract.evaluate_together import SharedEvaluation, evaluate_together
from ctiforge.pod.entry import run_program
from ctiforge.tables import markdown, table_of
from tests.integration.training.of_ranks import Place, apart

ARTICLES = 24
STEPS = 20
_SIGNALS = (signal.SIGTERM, signal.SIGKILL)
_TITLES = (
    "signal",
    "kills",
    "exit codes",
    "steps done again, most",
    "weights apart, most",
    "s to the end of all, most",
)


@dataclass(frozen=True)
class Kill:
    """One training that one of two processes ended in the middle of a step, and that was done again."""

    signal: signal.Signals
    rank: int
    step: int
    exit_code: int
    again: int
    """Steps that were finished, or begun, before and were done again."""
    apart: float
    """The largest difference of a weight from those of one process."""
    ended_s: float
    """Seconds from the start of the training to the end of all its processes."""


def main(
    kills: Annotated[int, typer.Option(min=0, help="Half by SIGTERM, half by SIGKILL.")] = 20,
    seed: int = 0,
) -> None:
    """Compare two processes with one, then kill one of two at random steps, and change their number on the way."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        alone = {method: _train(folder / f"alone-{method}", 1, method=method) for method in ("lora", "qlora", "full")}
        rows = [_row(folder, method, alone[method]) for method in ("lora", "qlora", "full")]
        rows.append(_row(folder, "full", alone["full"], "full, sharded", fsdp=True))
        titles = ("method", "steps", "weights apart, most", "tokens/s, 1 process", "tokens/s, 2 processes", "ratio")
        print(markdown([table_of(titles, rows, left=(0,))]), flush=True)
        killed = _killed(folder, alone["lora"], kills, seed)
        print(markdown([table_of(_TITLES, [_summary(killed, each) for each in _SIGNALS], left=(0,))]), flush=True)
        numbers = (2, 1, 2, 1)
        apart = _through(folder / "through", numbers, alone["lora"])
        print(f"through {' -> '.join(map(str, numbers))} processes: weights apart at most {apart:.1e}\n")
        titles = ("processes that read", "articles", "windows", "micro-F1", "the same as one", "seconds")
        print(markdown([table_of(titles, _evaluations(folder))]))


def _train(folder: Path, count: int, **named: Any) -> Place:
    """Train in so many processes, in a place of its own."""
    place = Place(folder)
    place.train(count, **named)
    return place


def _row(folder: Path, method: str, one: Place, title: str = "", **named: Any) -> tuple[str, ...]:
    two = _train(folder / f"two-{title or method}", 2, method=method, **named)
    speeds = (f"{one.tokens_per_s:,.0f}", f"{two.tokens_per_s:,.0f}", f"{two.tokens_per_s / one.tokens_per_s:.2f}")
    return (title or method, str(STEPS), f"{apart(one, two):.1e}", *speeds)


def _killed(folder: Path, alone: Place, kills: int, seed: int) -> list[Kill]:
    numbers, done = random.Random(seed), list[Kill]()
    for index in range(kills):
        number, rank, step = _SIGNALS[index % 2], numbers.randrange(2), numbers.randint(1, STEPS - 1)
        place, started = Place(folder / f"kill-{index}"), time.monotonic()
        try:
            place.train(2, method="lora", signals=((rank, step, int(number)),))
            code = 0
        except CtiforgeError as error:
            code = int(error.exit_code)
        ended_s = time.monotonic() - started
        place.train(2, method="lora")
        first = min(place.rows)
        done.append(Kill(number, rank, step, code, max(0, step - first + 1), apart(alone, place), ended_s))
        print(f"{number.name} to process {rank} at step {step}: exit {code}, from step {first} on again", flush=True)
    return done


def _evaluations(folder: Path) -> list[tuple[str, ...]]:
    """Evaluate the demo's base, held to the answer's schema, in one, two and four processes."""
    test_data = folder / "articles.jsonl"
    records = sorted(make_corpus(0).test, key=lambda each: len(each.content))[:ARTICLES]
    test_data.write_text("".join(each.model_dump_json() + "\n" for each in records), encoding="utf-8")
    asked, rows = (
        SharedEvaluation("demo", "1", {"test_data": test_data}, None, "cpu", batch_size=4, constrained=True),
        [],
    )
    first = None
    for count in (1, 2, 4):
        out, started = folder / f"evaluation-{count}", time.monotonic()
        out.mkdir()
        # one process as well is started, so that all have the same to do
        found = evaluate_together(asked, count, out, folder / f"scratch-{count}")
        seconds = time.monotonic() - started
        first = first or found
        same = [_timeless(each) for each in found.articles] == [_timeless(each) for each in first.articles]
        windows = sum(each.answers.windows for each in found.articles if each.answers)
        f1 = found.metrics["micro_f1"].value
        rows.append((str(count), str(ARTICLES), str(windows), f"{f1:.3f}", "yes" if same else "NO", f"{seconds:.0f}"))
    return rows


def _timeless(score: Any) -> Any:
    return score.model_copy(update={"answers": None})


def _through(folder: Path, numbers: tuple[int, ...], alone: Place) -> float:
    """Interrupt a training every few steps, and go on with another number of processes each time."""
    place = Place(folder)
    for index, count in enumerate(numbers[:-1]):
        with suppress(InterruptedRunError):
            place.train(count, method="lora", signals=((count - 1, 4 * (index + 1), int(signal.SIGTERM)),))
    place.train(numbers[-1], method="lora")
    return apart(alone, place)


def _summary(kills: list[Kill], number: signal.Signals) -> tuple[str, ...]:
    these = [each for each in kills if each.signal == number]
    if not these:
        return (number.name, "0", "", "", "", "")
    return (
        number.name,
        str(len(these)),
        ", ".join(map(str, sorted({each.exit_code for each in these}))),
        str(max(each.again for each in these)),
        f"{max(each.apart for each in these):.1e}",
        f"{max(each.ended_s for each in these):.0f}",
    )


if __name__ == "__main__":
    run_program(main)
