"""Progress of a stage: a bar on a terminal, one JSON line every few seconds elsewhere."""

import json
import sys
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Self, TextIO

from ctiforge.visible import visible

LINE_EVERY_S = 3.0


class Progress:
    """Reports `done` of `total` units of one stage; use as a context manager.

    Where `stream` (default: stderr) is no terminal, lines of this form are written, at most one
    every `LINE_EVERY_S` seconds and one at the end:
    `{"event":"progress","stage":…,"done":…,"total":…,"eta_s":…,"metrics":{…}}`.
    `total` may be None where it is not known.
    """

    def __init__(self, stage: str, total: int | None, *, stream: TextIO | None = None) -> None:
        self.stage = stage
        self.total = total
        self.done = 0
        self.metrics: dict[str, float] = {}
        self._stream = stream or sys.stderr
        self._started = time.monotonic()
        self._last_line = 0.0
        self._bar = _Bar(stage, total) if self._stream.isatty() else None

    def __enter__(self) -> Self:
        if self._bar:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar:
            self._bar.stop()
        elif kind is None:
            self._write_line()

    def update(self, done: int, metrics: Mapping[str, float] | None = None) -> None:
        """Set how many units are done.

        Args:
            done: Units done since the beginning.
            metrics: The newest value of each metric named; the others keep theirs.
        """
        self.done = done
        self.metrics.update(metrics or {})
        if self._bar:
            self._bar.update(done, self.metrics)
            return
        now = time.monotonic()
        if now - self._last_line >= LINE_EVERY_S:
            self._last_line = now
            self._write_line()

    def advance(self, by: int = 1, metrics: Mapping[str, float] | None = None) -> None:
        """Add to what is done.

        Args:
            by: Units done since the last call.
            metrics: The newest value of each metric named; the others keep theirs.
        """
        self.update(self.done + by, metrics)

    def _write_line(self) -> None:
        line = {
            "event": "progress",
            "stage": self.stage,
            "done": self.done,
            "total": self.total,
            "eta_s": eta_s(self.done, self.total, time.monotonic() - self._started),
            "metrics": self.metrics,
        }
        print(json.dumps(line), file=self._stream, flush=True)


def warn(text: str) -> None:
    """Tell a person something on stderr while the work goes on.

    Args:
        text: One line; it is written behind `warning: `, by which a launcher knows what to pass on.
    """
    print(f"warning: {visible(text)}", file=sys.stderr, flush=True)


def eta_s(done: int, total: int | None, elapsed_s: float) -> float | None:
    """Estimate the seconds left at the pace so far, to a tenth; None where nothing is done or no total is known."""
    if not total or not done:
        return None
    return round(elapsed_s / done * (total - done), 1)


class _Bar:
    """A rich progress bar; rich is imported only where there is a terminal."""

    def __init__(self, stage: str, total: int | None) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as RichProgress

        self._progress = RichProgress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[metrics]}"),
            console=Console(stderr=True),
        )
        self._task = self._progress.add_task(stage, total=total, metrics="")

    def start(self) -> None:
        self._progress.start()

    def stop(self) -> None:
        self._progress.stop()

    def update(self, done: int, metrics: Mapping[str, float]) -> None:
        text = " ".join(f"{name} {value:.4g}" for name, value in metrics.items())
        self._progress.update(self._task, completed=done, metrics=text)
