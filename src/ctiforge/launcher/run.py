"""Drive a line's plan on a backend, from the first stage to the comparison, and keep a record of it."""

from collections.abc import Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Self

from ctiforge.errors import CtiforgeError, ExitCode, InterruptedRunError, StoreError
from ctiforge.launcher import stage_records
from ctiforge.launcher.announcing import Announcing
from ctiforge.launcher.backend import Backend, Command, Event, Outcome, Progressed, Ran, Said, Task
from ctiforge.launcher.collecting import collect, evaluations_folder, report_of
from ctiforge.launcher.database import RunDatabase, database_of, takes_demo
from ctiforge.launcher.failures import CANCELLED, STOPPED, StageFailedError, how_it_ended, stage_failure
from ctiforge.launcher.opening import (
    base_settings,
    champion_name,
    check_test_set,
    open_record,
    with_champion,
    with_commits,
    with_stored_base,
)
from ctiforge.launcher.plan import (
    Answer,
    Stages,
    arguments_of,
    check_flags,
    describe,
    make_plan,
    merge_flags,
    missing_input,
    stages_of,
)
from ctiforge.launcher.report import describe_end
from ctiforge.launcher.view import LiveView
from ctiforge.lines import LINES, find_line
from ctiforge.lines.line import BaseSettings, Line, LineStage
from ctiforge.records.run import RunRecord, StageRecord
from ctiforge.settings import Settings
from ctiforge.store.artifacts import artifact_key, check_name
from ctiforge.store.check import ensure_trusted
from ctiforge.store.fingerprint import SHORT
from ctiforge.store.launcher_note import heard_of, note_launcher
from ctiforge.store.objects import ObjectStore, open_store, open_to_look
from ctiforge.store.runs import is_cancelled, run_ids, save_run

ERROR = "error: "


def run_line(
    name: str, settings: Settings, backend: Backend, announcing: Announcing | None = None, *, dry_run: bool = False
) -> None:
    """Run the line: plan it, skip what is cached, run the rest, collect what is for people.

    Every stage's flags are tried before anything else. With `dry_run` it stops after the plan. A run of
    `settings.run_id` that is there already is gone on with: what it harvested stays. Raises StageFailedError when a
    stage fails, InterruptedRunError when one was told to end or the run was cancelled, SystemExit 75 after SIGTERM,
    KeyboardInterrupt after Ctrl-C; what is finished by then stays, so that the same call goes on from there. A gate
    that was not passed is no failure: the run is done, and SystemExit 5 tells it from one that promoted, unless
    `settings.refusal_fails` is off.
    """
    line = find_line(name)
    check_flags(settings.stages, [each.stages for each in LINES.values()])
    settings, notes = with_champion(line, settings)
    stages = stages_of(line.stages, settings.model_dump())
    run = LineRun.of(line, stages, settings, backend, announcing or Announcing(settings, name), dry_run=dry_run)
    run.notes.update(notes)
    drive(run, dry_run=dry_run)
    if run.record.exit_code and settings.refusal_fails and not dry_run:
        raise SystemExit(run.record.exit_code)


def drive(run: "LineRun", *, dry_run: bool) -> None:
    """Do the run, or say its plan alone; see `run_line`."""
    run.check_flags()
    if dry_run:
        run.say_plan()
        run.say_memory()
        # the demo's test set comes with its database
        if not takes_demo(run.settings, run.line, run.backend):
            run.check()
        return
    ensure_trusted(run.store)
    try:
        with database_of(run.settings, run.line, run.backend, run.store.uri, run.view.say) as database:
            run.use(database)
            run.say_plan()
            run.go()
    except (KeyboardInterrupt, SystemExit) as stop:
        # SIGTERM says it itself, as it comes
        words = [STOPPED] if isinstance(stop, KeyboardInterrupt) else []
        for line in [*words, *filter(None, [run.backend.goes_on])]:
            run.view.say(line)
        raise
    except CtiforgeError:
        # the launcher is what failed: the cluster refused it, or did not answer
        if run.backend.goes_on and any(entry.state == "interrupted" and not entry.cause for entry in run.record.stages):
            run.view.say(run.backend.goes_on)
        raise


@dataclass
class LineRun:
    """One run under way."""

    settings: Settings
    line: Line
    stages: Stages
    record: RunRecord
    store: ObjectStore
    backend: Backend
    announcing: Announcing
    view: LiveView
    test_set: str
    base: BaseSettings
    """What is set of its base where nobody said."""
    database: dict[str, str] = field(default_factory=dict)
    """What a stage that reads the database finds in its environment."""
    artifacts: dict[str, str] = field(default_factory=dict)
    champion: str | None = None
    """The version that a stage of the model in use works on, `models:extract@3`; None before the turn of one."""
    answers: dict[str, Answer] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    """What the plan says beside a stage."""
    reports: list[str] = field(default_factory=list)
    joined: bool = False
    """Whether another launcher drives the run already, in a cluster: what it works on goes on when this one leaves."""

    @classmethod
    def of(
        cls,
        line: Line,
        stages: Stages,
        settings: Settings,
        backend: Backend,
        announcing: Announcing,
        kind: str | None = None,
        *,
        dry_run: bool = False,
    ) -> Self:
        """Make a run of these stages of the line, kept as a run of `kind`; nothing is started."""
        store = open_to_look(settings.store) if dry_run else open_store(settings.store)
        record = open_record(kind or line.name, stages, store, settings.run_id)
        base = base_settings(line, settings, reads_demo=takes_demo(settings, line, backend))
        settings = with_commits(line, with_stored_base(line, settings, store), record)
        view = LiveView([stage.name for stage in stages])
        run = cls(settings, line, stages, record, store, backend, announcing, view, settings.value(line.test_set), base)
        run.joined = not backend.brings_demo and record.id in run_ids(store) and record.state == "running"
        return run

    def use(self, database: RunDatabase) -> None:
        """Read this database; the demo's test set takes the place of one that nobody named."""
        self.database = database.environment
        if database.test_set and self.test_set == type(self.settings).model_fields[self.line.test_set].default:
            self.test_set = database.test_set

    def check_flags(self) -> None:
        """Raise what any stage has against its flags or a model's name, before anything is planned or run."""
        for name in (self.settings.value(self.line.model), self.settings.value(self.line.in_use)):
            if name:
                check_name(name)
        answers = self.backend.check(self._commands(self.stages))
        for stage in self.stages:
            if problem := answers[stage.name].problem:
                raise StageFailedError(f"{stage.name}: {problem}", answers[stage.name].exit_code)

    def say_plan(self) -> None:
        """Ask every stage whose inputs are known, and those that this makes known; print the plan."""
        for stage, entry in zip(self.stages, self.record.stages, strict=True):
            if stage.live and entry.state == "done" and entry.artifact:
                self.artifacts[stage.name] = entry.artifact
        while batch := [stage for stage in self.stages if self._can_be_asked(stage)]:
            self.ask(batch)
        plan = make_plan(self.stages, self.artifacts, self.answers)
        self.view.say("\n".join([f"run {self.record.id}, store {self.store.uri}", *describe(plan, self.notes)]))

    def say_memory(self) -> None:
        """Say what memory trainings take that are to be done, or why that cannot be told here."""
        trainings = [each for each in self.stages if each.estimates and each.name not in self.artifacts]
        for line in self.backend.estimate(self._commands(trainings)):
            self.view.say(line)

    def go(self) -> None:
        """Do every stage in order and keep the record."""
        self.check()
        record = self.record
        self.announcing.began(record)
        record.state, record.exit_code, record.ended_at, record.reason = "running", None, None, None
        # on this machine a run ends with its launcher; in a cluster it may go on
        is_here = self.backend.brings_demo
        if is_here:
            note_launcher(self.store, record.id)
        save_run(self.store, record)
        try:
            with nullcontext() if is_here else heard_of(self.store, record.id, self.settings.release), self.view:
                self.do_stages()
        except BaseException as error:
            self._note_end(error)
            raise
        record.state, record.exit_code = "done", max(entry.exit_code or 0 for entry in record.stages)
        record.ended_at = datetime.now(UTC)
        save_run(self.store, record)
        self.say_result()
        self.announcing.ended(record, self.stages, self.store)

    def check(self) -> None:
        """Raise what would make the run fail later."""
        # its evaluation comes last: without this a wrong name would cost a whole training first
        check_test_set(self.test_set, self.store)
        for stage in self.stages:
            self._fail_on_problem(stage)

    def keep(self) -> None:
        """Write the record as it stands. Raises InterruptedRunError where the run was cancelled meanwhile."""
        if is_cancelled(self.store, self.record.id):
            raise InterruptedRunError(CANCELLED)
        save_run(self.store, self.record)

    def note_cancelled(self) -> None:
        """Note that it was cancelled, where that is why it ends."""
        if self.record.state == "interrupted" and is_cancelled(self.store, self.record.id):
            stage_records.note_cancelled(self.record)

    def do_stages(self) -> None:
        """Every stage, in order."""
        for stage, entry in zip(self.stages, self.record.stages, strict=True):
            self.do(stage, entry)

    def say_result(self) -> None:
        """Say what came of it."""
        self.view.say("\n".join([*self.reports, *describe_end(self.record, str(evaluations_folder(self.settings)))]))

    def ask(self, stages: Sequence[LineStage]) -> None:
        """Ask the stages' programs what they would make; what is cached is an artifact for later stages."""
        answers = self.backend.ask({stage.name: self.command(stage) for stage in stages})
        self.answers.update(answers)
        for stage in stages:
            answer = answers[stage.name]
            if answer.cached and answer.fingerprint:
                self.artifacts[stage.name] = f"{self.store.uri}/{artifact_key(stage.program, answer.fingerprint)}"

    def do(self, stage: LineStage, entry: StageRecord) -> None:
        """Do one stage, or find it done, or nothing to do it on."""
        if self.skip(stage, entry) or self.find_done(stage, entry):
            return
        command = self.begin(stage, entry)
        try:
            outcome = self.backend.run(command, lambda event: self.show(stage, event))
        except BaseException:
            self.note_interrupted(stage, entry)
            raise
        self.note_outcome(stage, entry, outcome)

    def skip(self, stage: LineStage, entry: StageRecord) -> bool:
        """Whether it needs a model in use, and none is; one stays the same for it, whatever is promoted meanwhile."""
        self.champion = champion_name(self.line, self.store) if stage.of_champion else None
        if self.champion or not stage.of_champion:
            return False
        entry.state = "skipped"
        self.view.ended(stage.name, entry.state, "no model is in use yet")
        return True

    def find_done(self, stage: LineStage, entry: StageRecord) -> bool:
        """Whether its artifact is there. Raises StageFailedError where its program could not even say."""
        if self._can_be_asked(stage, in_turn=True):
            self.ask([stage])
        self._fail_on_problem(stage)
        answer = self.answers.get(stage.name, Answer())
        if stage.live and stage.name in self.artifacts:
            pass  # harvested, or decided, earlier in this very run
        elif answer.cached:
            stage_records.note_found(entry, answer.fingerprint, self.artifacts[stage.name])
        else:
            entry.fingerprint = answer.fingerprint
            return False
        self._close(stage, entry)
        return True

    def begin(self, stage: LineStage, entry: StageRecord) -> Command:
        """Note that the stage runs from now on; gives back what is to be run."""
        stage_records.note_begun(entry)
        self.keep()
        self.view.started(stage.name)
        expect = ("--expect", entry.fingerprint) if entry.fingerprint else ()
        ran_before_s = sum(each.ran_s for each in self.record.stages)
        task = Task(self.record.id, stage.name, entry.fingerprint, stage.batch, ran_before_s, entry.under_way_s)
        return self.command(stage, expect, task)

    def show(self, stage: LineStage, event: Event) -> None:
        """Show what a stage's program says, and note how long it has run."""
        if isinstance(event, Progressed):
            self.view.progressed(stage.name, event)
        elif isinstance(event, Said) and not stage.report:
            self.view.say(event.line)
        elif isinstance(event, Ran):
            self.record.stages[self.stages.index(stage)].under_way_s = event.seconds
            if not self.joined:
                # a store that is away for a moment ends no run: it is written again
                with suppress(StoreError, OSError):
                    self.keep()

    def note_interrupted(self, stage: LineStage, entry: StageRecord) -> None:
        """Note that the launcher stops while the stage runs."""
        if not self.joined:
            entry.state, entry.ended_at = "interrupted", datetime.now(UTC)
        self.view.ended(stage.name, "interrupted")

    def note_outcome(self, stage: LineStage, entry: StageRecord, outcome: Outcome) -> None:
        """Note how the stage's program has ended.

        Raises StageFailedError when it ended badly, also where the store is away then; InterruptedRunError when it
        was cancelled; StoreError when it ended well and the store is away.
        """
        stage_records.note_ended(entry, outcome)
        if outcome.exit_code == ExitCode.GATE and outcome.made:
            # no failure: a decision, with its reason
            entry.last_lines = [line.removeprefix(ERROR) for line in outcome.lines if line.startswith(ERROR)][-1:]
        elif outcome.exit_code != 0:
            raise self._failed(stage, entry, outcome)
        entry.state = "done"
        log = self._keep_log(stage, outcome)
        if not outcome.made:
            raise StageFailedError(f"{stage.name} named no artifact; what it said is {log}", 1)
        entry.fingerprint, entry.artifact = outcome.made.fingerprint, outcome.made.uri
        self.artifacts[stage.name] = outcome.made.uri
        self.keep()
        self._close(stage, entry)

    def command(self, stage: LineStage, extra: tuple[str, ...] = (), task: Task | None = None) -> Command:
        """Give what runs the stage."""
        resolved = {
            self.line.test_set: self.test_set,
            "max_length": self.settings.max_length or self.base.max_length,
            "champion": self.champion,
            "from_database": self.settings.reads_database,
        }
        flags = merge_flags(self.base.flags, self.settings.stages)
        own = arguments_of(stage, {**self.settings.model_dump(), **resolved}, self.artifacts, flags)
        columns = {"COLUMNS": str(self.view.width)} if self.view.width else {}
        environment = columns | (self.database if stage.reads_database else {})
        return Command(stage.program, (*own, "--store", self.store.uri, *extra), environment, task)

    def _commands(self, stages: Stages) -> dict[str, Command]:
        """Give what runs the stages, by name, whatever earlier ones make or promote: that is no flag's fault."""
        asked = replace(self, artifacts={stage.name: stage.name for stage in self.stages}, champion="champion")
        return {stage.name: asked.command(stage) for stage in stages}

    def _failed(self, stage: LineStage, entry: StageRecord, outcome: Outcome) -> CtiforgeError:
        """Note a bad end; give the error that says it, whether or not the store can still be written."""
        entry.state = "interrupted" if outcome.exit_code == ExitCode.INTERRUPTED else "failed"
        entry.last_lines, entry.cause = outcome.last_lines, outcome.cause
        self.view.ended(stage.name, entry.state, f"with exit code {outcome.exit_code}")
        try:
            log = f"the whole log is {self._keep_log(stage, outcome)}"
            if entry.state == "interrupted" and is_cancelled(self.store, self.record.id):
                # that its Job is gone needs no other reason
                entry.state, entry.cause = "cancelled", None
                return InterruptedRunError(CANCELLED)
        except (CtiforgeError, OSError) as problem:
            log = f"the whole log could not be kept: {problem}"
        return stage_failure(stage.name, outcome, log)

    def _keep_log(self, stage: LineStage, outcome: Outcome) -> str:
        log = f"runs/{self.record.id}/{stage.name}.log"
        self.store.write(log, "\n".join(outcome.lines).encode())
        return f"{self.store.uri}/{log}"

    def _note_end(self, error: BaseException) -> None:
        """Note why the run ends; a store that is away then is told beside the error, and does not hide it."""
        record = self.record
        if self.joined and not isinstance(error, StageFailedError | InterruptedRunError):
            self.announcing.is_over = True
            return
        record.state, record.exit_code, record.reason = how_it_ended(error)
        record.ended_at = datetime.now(UTC)
        try:
            self.note_cancelled()
            save_run(self.store, record)
        except (CtiforgeError, OSError) as problem:
            if str(problem) not in str(error):
                self.view.say(f"warning: the run's record could not be kept: {problem}")
        self.announcing.ended(record, self.stages, self.store)

    def _can_be_asked(self, stage: LineStage, *, in_turn: bool = False) -> bool:
        return (
            not stage.live
            and (in_turn or not stage.of_champion)
            and stage.name not in self.answers
            and missing_input(stage, self.stages, self.artifacts) is None
        )

    def _fail_on_problem(self, stage: LineStage) -> None:
        if (answer := self.answers.get(stage.name)) and answer.problem:
            raise StageFailedError(f"{stage.name}: {answer.problem}", answer.exit_code)

    def _close(self, stage: LineStage, entry: StageRecord) -> None:
        self.view.ended(stage.name, entry.state, (entry.fingerprint or "")[:SHORT])
        collect(stage, entry, evaluations_folder(self.settings))
        if stage.report and entry.artifact:
            self.reports.append(report_of(stage.report, entry.artifact))
