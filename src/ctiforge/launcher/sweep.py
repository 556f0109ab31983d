"""A sweep: a line's training run for every point of a grid of its flags, and one chosen on validation."""

import shlex
import tempfile
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread

from ctiforge.errors import ExitCode, UsageError
from ctiforge.launcher.announcing import Announcing
from ctiforge.launcher.backend import Backend, Command, Event, Outcome
from ctiforge.launcher.failures import MEANINGS, StageFailedError
from ctiforge.launcher.plan import NODES, check_flags, describe, flags_given, make_plan
from ctiforge.launcher.run import LineRun, drive
from ctiforge.launcher.signals import HeldSignals
from ctiforge.launcher.sweep_report import make_sweep, plain_text, write_sweep
from ctiforge.lines import LINES, find_line
from ctiforge.lines.line import LineStage
from ctiforge.records.run import StageRecord
from ctiforge.records.sweep import Trained
from ctiforge.records.training import Training
from ctiforge.settings import Settings
from ctiforge.store.artifacts import fetch
from ctiforge.store.runs import save_run

Grid = Mapping[str, Sequence[str]]
"""Flag (with underscores) → values, as they were written."""
_News = SimpleQueue[tuple[str, Event | Outcome | BaseException]]
"""(stage, what it told) from the threads of points under way."""
WITHOUT_POINT = ("store", "expect", "plan", "estimate", "output", "output_dir", "name", "nproc", "fsdp", *NODES)
"""Flags of every training that say nothing of how it learns."""
SIGNALLED = 128
"""Exit codes above it: whatever the program said last is not why it ended."""
LOOK_FOR_SIGNALS_S = 0.2


def run_sweep(
    name: str,
    texts: Sequence[str],
    settings: Settings,
    backend: Backend,
    announcing: Announcing | None = None,
    *,
    again: Sequence[str] = (),
    parallel: int = 1,
    dry_run: bool = False,
) -> None:
    """Train every point of the grid that `texts` name (`flag=value,value`), and say which is best.

    `again` are the flags that `ctiforge run` needs to train the same; with `parallel` so many points
    are under way at a time, which takes a cluster. Nothing of a test set is read. A point that fails
    is in the table with its reason. Raises UsageError for a grid that cannot be read, StageFailedError
    before anything runs for a flag or value that the training refuses (exit code 2) and in the end
    where no point has a loss, and what `run_line` raises.
    """
    line = find_line(name)
    check_flags(settings.stages, [each.stages for each in LINES.values()])
    if parallel > 1 and settings.backend == "local":
        raise UsageError("--parallel needs --backend kubernetes: two trainings on one machine slow each other")
    training = line.stage(line.swept.stage)
    points = make_points(training, read_grid(texts) or line.swept.ranges)
    check_points(points, training)
    data = line.stages[: line.stages.index(training)]
    flags = {point.stage.name: point.flags for point in points}
    sweep = SweepRun.of(
        line,
        (*data, *(point.stage for point in points)),
        settings.model_copy(update={"stages": {**settings.stages, **flags}}),
        backend,
        announcing or Announcing(settings, name),
        f"sweep-{name}",
        dry_run=dry_run,
    )
    if pinned := sweep.record.pinned.get(line.model):
        again = [*(each for each in again if not each.startswith("--model=")), f"--model={pinned}"]
    sweep.name, sweep.points, sweep.again, sweep.parallel = name, points, again, parallel
    sweep.notes = {point.stage.name: point.words for point in points}
    sweep.check_flags_of_points()
    drive(sweep, dry_run=dry_run)


@dataclass(frozen=True)
class Point:
    """One point of the grid: a stage of its own, and what it sets."""

    stage: LineStage
    parameters: dict[str, str]
    """Flag (with underscores) → value, as it was written."""

    @property
    def flags(self) -> dict[str, str | bool]:
        """The same as settings of the stage."""
        return {name: {"true": True, "false": False}.get(value, value) for name, value in self.parameters.items()}

    @property
    def words(self) -> str:
        """`learning-rate=1e-5 epochs=3`."""
        return " ".join(f"{name.replace('_', '-')}={value}" for name, value in self.parameters.items())


def read_grid(texts: Sequence[str]) -> dict[str, list[str]]:
    """Flag → values of `flag=value,value` texts. UsageError for what cannot be read or is there twice."""
    grid: dict[str, list[str]] = {}
    for text in texts:
        flag, equals, values = text.partition("=")
        name = flag.strip().removeprefix("--").replace("-", "_")
        found = [value.strip() for value in values.split(",")]
        if not (equals and name and all(found)):
            raise UsageError(f"--param {text}: write it as flag=value,value, like learning-rate=1e-5,2e-5")
        if name in grid or len(set(found)) < len(found):
            raise UsageError(f"--param {text}: name a flag once, with each of its values once")
        grid[name] = found
    return grid


def make_points(training: LineStage, grid: Grid) -> list[Point]:
    """Every combination, the last flag changing first, as stages `train_os_bert.1` and so on."""
    combinations = [dict(zip(grid, values, strict=True)) for values in product(*grid.values())]
    # a dot: labels of a cluster allow it, and names of logs keep their dash for the attempt
    return [
        Point(replace(training, name=f"{training.name}.{number}"), each) for number, each in enumerate(combinations, 1)
    ]


def check_points(points: Sequence[Point], training: LineStage) -> None:
    """Raise UsageError for a flag that the line itself sets, or that has no effect on what is learned."""
    fixed = {*flags_given(training), *WITHOUT_POINT}
    for name in points[0].parameters:
        if name in fixed:
            raise UsageError(
                f"--param {name.replace('_', '-')}: the line sets it, or it changes nothing learned; sweep another flag"
            )


@dataclass
class SweepRun(LineRun):
    """One sweep under way: the data's stages as in every run, then the points."""

    name: str = ""
    points: Sequence[Point] = ()
    again: Sequence[str] = ()
    parallel: int = 1

    def check_flags_of_points(self) -> None:
        """Raise what the training says against a point's flags; empty data stands in for what is not there yet."""
        with tempfile.TemporaryDirectory() as folder:
            for part in ("train.jsonl", "validation.jsonl"):
                (Path(folder) / part).touch()
            data = [stage.name for stage in self.stages[: -len(self.points)]]
            asked = replace(self, artifacts=dict.fromkeys(data, folder))
            answers = self.backend.ask({point.stage.name: asked.command(point.stage) for point in self.points})
        for point in self.points:
            answer = answers[point.stage.name]
            if answer.problem:
                raise StageFailedError(f"{point.words}: {answer.problem.removeprefix('Error: ')}", answer.exit_code)

    def say_memory(self) -> None:
        """Nothing: a run says it, and points hardly differ."""

    def check(self) -> None:
        """Nothing: a sweep needs no test set, and a point that cannot be planned is one that fails."""

    def do_stages(self) -> None:
        """Do the data's stages in order, then all points; write what came of them."""
        pairs = list(zip(self.stages, self.record.stages, strict=True))
        for stage, entry in pairs[: -len(self.points)]:
            self.do(stage, entry)
        trainings = pairs[-len(self.points) :]
        if asked := [stage for stage, _ in trainings if stage.name not in self.answers]:
            self.ask(asked)
            plan = make_plan([stage for stage, _ in trainings], self.artifacts, self.answers)
            self.view.say("\n".join(describe(plan, self.notes)))
        if self.parallel > 1:
            self._train_several_at_a_time(trainings)
        else:
            self._train_in_order(trainings)
        self._report(trainings)

    def say_result(self) -> None:
        """Say the table, and where it lies."""
        for report in self.reports:
            self.view.say(report)

    def _train_in_order(self, trainings: list[tuple[LineStage, StageRecord]]) -> None:
        for stage, entry in trainings:
            with self._failure_noted(stage, entry):
                self.do(stage, entry)

    def _train_several_at_a_time(self, trainings: list[tuple[LineStage, StageRecord]]) -> None:
        """Each program is followed in a thread of its own; all they say comes here, where records are kept."""
        waiting = deque(trainings)
        under_way: dict[str, tuple[LineStage, StageRecord]] = {}
        news: _News = SimpleQueue()
        try:
            with HeldSignals() as signals:
                while waiting or under_way:
                    while waiting and len(under_way) < self.parallel:
                        self._send_off(*waiting.popleft(), under_way, news)
                    signals.check()
                    self._take(under_way, news)
        except BaseException:
            for stage, entry in under_way.values():
                self.note_interrupted(stage, entry)
            raise

    def _send_off(
        self,
        stage: LineStage,
        entry: StageRecord,
        under_way: dict[str, tuple[LineStage, StageRecord]],
        news: _News,
    ) -> None:
        with self._failure_noted(stage, entry):
            if not self.find_done(stage, entry):
                under_way[stage.name] = stage, entry
                arguments = (self.backend, self.begin(stage, entry), stage.name, news)
                # a daemon: when the launcher is stopped, nobody waits for what goes on in the cluster
                Thread(target=_follow, args=arguments, daemon=True).start()

    def _take(self, under_way: dict[str, tuple[LineStage, StageRecord]], news: _News) -> None:
        """Wait a moment for what a thread tells, and act on it."""
        try:
            name, told = news.get(timeout=LOOK_FOR_SIGNALS_S)
        except Empty:
            return
        stage, entry = under_way[name]
        if isinstance(told, BaseException):
            raise told
        if isinstance(told, Outcome):
            del under_way[name]
            with self._failure_noted(stage, entry):
                self.note_outcome(stage, entry, told)
        else:
            self.show(stage, told)

    @contextmanager
    def _failure_noted(self, stage: LineStage, entry: StageRecord) -> Iterator[None]:
        """Give a point that fails stops no other; one that is told to end stops all."""
        try:
            yield
        except StageFailedError as error:
            if error.exit_code == ExitCode.INTERRUPTED:
                raise
            if entry.state != "failed":
                # it could not be planned, or named no artifact
                entry.state, entry.exit_code = "failed", error.exit_code
                self.view.ended(stage.name, entry.state)
            entry.last_lines = entry.last_lines or str(error).splitlines()[:1]
            self.view.say(f"warning: {stage.name} ({self.notes[stage.name]}) failed, the other points go on: {error}")
            save_run(self.store, self.record)

    def _report(self, trainings: list[tuple[LineStage, StageRecord]]) -> None:
        trained = [_trained(point, entry) for point, (_, entry) in zip(self.points, trainings, strict=True)]
        program = trainings[0][0].program
        sweep = make_sweep(self.record.id, self.name, program, trained)
        if best := sweep.best:
            sweep.evaluate_with = run_command(self.name, self.again, program, best.parameters)
        folder = Path(self.settings.outputs) / "sweeps" / self.record.id
        problem = write_sweep(sweep, folder)
        self.reports = [plain_text(sweep), f"sweep {self.record.id} is done; its table lies in {folder}"]
        if problem:
            self.reports.append(f"warning: {problem}")
        if not best:
            self.say_result()
            codes = [each.exit_code for each in self.record.stages if each.exit_code]
            raise StageFailedError(
                "no point has a validation loss; the table says why, the same command tries again",
                codes[0] if codes else ExitCode.DATA,
            )


def run_command(line: str, again: Sequence[str], program: str, parameters: Mapping[str, str]) -> str:
    """Give the command line that trains these parameters, or finds them trained, and evaluates them."""
    sets = [f"--set={program}.{name.replace('_', '-')}={value}" for name, value in parameters.items()]
    return shlex.join(["ctiforge", "run", line, *again, *sets])


def _follow(backend: Backend, command: Command, name: str, news: _News) -> None:
    try:
        news.put((name, backend.run(command, lambda event: news.put((name, event)))))
    except BaseException as error:
        news.put((name, error))


def _trained(point: Point, entry: StageRecord) -> Trained:
    found: Training | None = None
    if entry.state in ("done", "cached") and entry.artifact:
        with tempfile.TemporaryDirectory() as into:
            found = Training.load(fetch(f"{entry.artifact}/{Training.NAME}", Path(into)))
    return Trained(
        stage=entry.name,
        parameters=point.parameters,
        state=entry.state,
        fingerprint=entry.fingerprint,
        artifact=entry.artifact,
        validation_loss=found.best_validation_loss if found else None,
        validation_f1=found.best_validation_f1 if found else None,
        best_step=found.best_step if found else None,
        seconds=found.seconds if found else None,
        measured_with=found.measured_with if found else {},
        problem=_problem(entry) if entry.state == "failed" else None,
    )


def _problem(entry: StageRecord) -> str:
    if entry.cause:
        return entry.cause.summary
    code = entry.exit_code or 1
    if code < SIGNALLED:
        return entry.last_lines[-1].removeprefix("error: ")
    return f"exit code {code} ({MEANINGS.get(code, 'ended by a signal')})"
