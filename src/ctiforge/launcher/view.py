"""The live view of a run: a bar for each stage on a terminal, plain lines elsewhere."""

import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from ctiforge.launcher.backend import Progressed
from ctiforge.visible import visible_in_color

PLAIN_EVERY_S = 15.0
MARKS = {"done": "[green]✓", "cached": "[green]=", "skipped": "[dim]–", "failed": "[red]✗", "interrupted": "[yellow]■"}


class LiveView:
    """Shows the stages of one run; use as a context manager. What is said goes above the bars."""

    def __init__(
        self, stages: Sequence[str], console: Console | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._console = console or Console()
        self._clock = clock
        self._last_plain = float("-inf")
        self._bars = _bars(self._console) if self._console.is_terminal else None
        self._tasks: dict[str, TaskID] = {}
        if self._bars:
            self._tasks = {name: self._add(self._bars, name) for name in stages}

    def __enter__(self) -> Self:
        if self._bars:
            self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bars:
            self._bars.stop()

    @property
    def width(self) -> int | None:
        """Columns of the terminal; None where there is none."""
        return self._console.width if self._console.is_terminal else None

    def say(self, line: str) -> None:
        """Say a line to people."""
        self._console.print(visible_in_color(line), markup=False, emoji=False, highlight=False, soft_wrap=True)

    def started(self, stage: str) -> None:
        """Show that the stage runs from now on."""
        self._last_plain = self._clock()
        if self._bars:
            # no total: the bar pulses until the stage says how much there is (`update` cannot take a total away)
            self._bars.tasks[self._tasks[stage]].total = None
            self._bars.update(self._tasks[stage], mark="[cyan]▶")
        else:
            self.say(f"{stage}: started")

    def progressed(self, stage: str, event: Progressed) -> None:
        """Show how far the stage is."""
        if self._bars:
            self._bars.update(self._tasks[stage], completed=event.done, total=event.total, state=_figures(event))
        elif self._clock() - self._last_plain >= PLAIN_EVERY_S:
            self._last_plain = self._clock()
            self.say(f"{stage}: {progress_words(event)}")

    def ended(self, stage: str, state: str, detail: str = "") -> None:
        """Show that the stage is done, cached, failed or interrupted."""
        words = f"{state} {detail}".rstrip()
        if not self._bars:
            self.say(f"{stage}: {words}")
            return
        full = 1.0 if state in ("done", "cached") else 0.0
        self._bars.update(self._tasks[stage], mark=MARKS.get(state, ""), total=1.0, completed=full, state=escape(words))

    @staticmethod
    def _add(bars: Progress, name: str) -> TaskID:
        return bars.add_task(escape(name), total=1.0, mark="[dim]·", state="")


def progress_words(event: Progressed) -> str:
    """Say how far a program is: `57/1308 eta 34:56 loss 0.233`."""
    return f"{_count(event)} {_figures(event)}".rstrip()


def _bars(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.fields[mark]}"),
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[state]}"),
        console=console,
    )


def _count(event: Progressed) -> str:
    return f"{event.done}/{event.total}" if event.total else str(event.done)


def _figures(event: Progressed) -> str:
    eta = f"eta {_duration(event.eta_s)}" if event.eta_s is not None else ""
    metrics = (f"{name} {value:.4g}" for name, value in event.metrics.items())
    return " ".join(part for part in (eta, *metrics) if part)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}:{minutes:02}:{rest:02}"
    return f"{minutes}:{rest:02}"
