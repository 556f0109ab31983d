"""The Kubernetes backend: each program as a Job made from the chart's template, watched to its end."""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from queue import Empty

from ctiforge.errors import ExitCode
from ctiforge.launcher.backend import Command, Event, Made, Outcome, Said, Task, read_event
from ctiforge.launcher.kubernetes.attempts import WAIT, Limits, NextMove, decide, first_move, is_over, limits_of
from ctiforge.launcher.kubernetes.client import Cluster, Object, ResourceKind
from ctiforge.launcher.kubernetes.diagnosis import Diagnosis, diagnose
from ctiforge.launcher.kubernetes.manifests import (
    attempt_of,
    halved_batch,
    job_name,
    selector,
    stage_job,
    template_name,
    work_key,
)
from ctiforge.launcher.kubernetes.reading import creation_time, has_started, state
from ctiforge.launcher.kubernetes.watching import Changed, LogEnded, Logged, WatchFailed, Watching, WatchNews
from ctiforge.launcher.plan import Answer
from ctiforge.launcher.planner import Planner
from ctiforge.launcher.signals import HeldSignals
from ctiforge.records.run import Cause
from ctiforge.store.artifacts import artifact_key, read_manifest
from ctiforge.store.objects import ObjectStore

KEEP_LINES = 2_000
TICK_S = 1.0
"""Between looks at what time alone tells: a lost node, a limit that has passed."""
SETTLES_S = 3.0
"""A new pod may have to wait for the room that an ended one takes until it is cleared away: that is not told."""
LAST_WORDS_S = 15.0
"""How long the end of a log is waited for once its program has ended."""


class KubernetesBackend:
    """Runs programs as Jobs of one release of the chart; a Job goes on when the launcher does not."""

    goes_on = (
        "stopped following; what runs in the cluster goes on, and the same command follows it again "
        "(`ctiforge cancel` stops it)"
    )
    brings_demo = False

    def __init__(self, cluster: Cluster, release: str, store: ObjectStore) -> None:
        self._cluster = cluster
        self._release = release
        self._store = store
        self._planner = Planner("image")

    def ask(self, commands: Mapping[str, Command]) -> dict[str, Answer]:
        """Ask what each command would make in its image; see `Backend.ask`."""
        return self._planner.ask(commands)

    def close(self) -> None:
        """End what answers questions."""
        self._planner.close()

    def run(self, command: Command, on_event: Callable[[Event], None]) -> Outcome:
        """Run the program to its end; see `Backend.run`. Raises ClusterError where the cluster refuses."""
        assert command.task
        template = self._cluster.cron_job(template_name(self._release, command.program))
        key = work_key(command.program, command.task)
        work = _Work(self._cluster, command, command.task, key, template, on_event)
        kinds: dict[ResourceKind, str | None] = {"jobs": selector(key), "pods": selector(key), "events": None}
        with Watching(self._cluster, kinds) as watching, HeldSignals() as signals:
            outcome = work.run(watching, signals)
        if outcome.exit_code in (ExitCode.DONE, ExitCode.GATE) and outcome.made is None:
            outcome = replace(outcome, made=self._made(command, command.task))
        return outcome

    def _made(self, command: Command, task: Task) -> Made | None:
        """Give the artifact, where the log that names it is gone: by its fingerprint, or from the log's saved tail."""
        if task.fingerprint:
            folder = artifact_key(command.program, task.fingerprint)
            if read_manifest(self._store, folder):
                return Made(task.fingerprint, f"{self._store.uri}/{folder}", False)
            return None
        for info in reversed(self._store.list(f"runs/{task.run}/logs")):
            if info.key.rpartition("/")[2].startswith(f"{task.stage}-"):
                for line in reversed(self._store.read(info.key).decode(errors="replace").splitlines()):
                    event = read_event(line)
                    if isinstance(event, Made):
                        return event
        return None


@dataclass
class _Work:
    """One piece of work under way: its Jobs and pods as the cluster last told them."""

    cluster: Cluster
    command: Command
    task: Task
    key: str
    template: Object
    on_event: Callable[[Event], None]
    attempt: int = 0
    crashes: int = 0
    jobs: dict[str, Object] = field(default_factory=dict)
    pods: dict[str, Object] = field(default_factory=dict)
    events: dict[str, Object] = field(default_factory=dict)
    lines: dict[str, deque[str]] = field(default_factory=dict)
    logs_ended: set[str] = field(default_factory=set)
    made: Made | None = None
    known_since: dict[str, datetime] = field(default_factory=dict)
    """When each diagnosis was first made, by its words."""

    def run(self, watching: Watching, signals: HeldSignals) -> Outcome:
        begun = datetime.now(UTC)
        found, _ = self.cluster.list("jobs", selector(self.key))
        move = first_move(found, by_run=self.task.fingerprint is None)
        self.jobs = {job["metadata"]["name"]: job for job in found}
        self._begin(move.attempt, adopt=move.adopt)
        limits = limits_of(self.template["metadata"].get("annotations", {}))
        while True:
            signals.check()
            self._take(watching)
            decision = self._decide(limits)
            if decision.move == "next" or decision.move == "halve":
                decision = self._next_attempt(decision)
            if decision.move == "ended":
                return self._end(watching, 0, begun)
            if decision.move == "fail":
                return self._end(watching, decision.exit_code, begun)

    def _begin(self, attempt: int, *, adopt: bool) -> None:
        self.attempt = attempt
        if not adopt:
            self.cluster.create_job(stage_job(self.template, self.command, self.task, attempt))
        # created just now by us or, where there was one, by another launcher: its state comes by the watch

    def _take(self, watching: Watching) -> None:
        """Wait for a change and take in all that has come."""
        try:
            self._note(watching.changes.get(timeout=TICK_S), watching)
            while True:
                self._note(watching.changes.get_nowait(), watching)
        except Empty:
            return

    def _note(self, change: WatchNews, watching: Watching) -> None:
        match change:
            case Changed("jobs", name, value):
                self._keep(self.jobs, name, value)
            case Changed("pods", name, value):
                self._keep(self.pods, name, value)
                if value and has_started(value):
                    watching.follow(name)
            case Changed("events", name, value):
                if value and value["involvedObject"].get("name", "").startswith(self.key):
                    self.events[name] = value
            case Logged(pod, line):
                self._read(pod, line)
            case LogEnded(pod):
                self.logs_ended.add(pod)
            case WatchFailed(error):
                raise error

    @staticmethod
    def _keep(objects: dict[str, Object], name: str, value: Object | None) -> None:
        if value:
            objects[name] = value
        else:
            objects.pop(name, None)

    def _read(self, pod: str, line: str) -> None:
        event = read_event(line)
        if isinstance(event, Made):
            self.made = event
            return
        if isinstance(event, Said):
            self.lines.setdefault(pod, deque(maxlen=KEEP_LINES)).append(line)
        self.on_event(event)

    def _decide(self, limits: Limits) -> NextMove:
        job = self._job()
        if job is None:
            return self._without_job()
        diagnosis = self._diagnose()
        now = datetime.now(UTC)
        decision = decide(job, self._own_pods(), diagnosis, now, limits, self.crashes)
        if diagnosis and decision.move == "wait":
            if diagnosis.since is None or (now - diagnosis.since).total_seconds() >= SETTLES_S:
                self._tell(diagnosis)
        elif diagnosis:
            self.known_since.setdefault(diagnosis.summary, now)
        return decision

    def _without_job(self) -> NextMove:
        """Our Job is not there: not told of yet, replaced by another launcher's attempt, or deleted."""
        newer = [attempt_of(job) for job in self.jobs.values() if attempt_of(job) > self.attempt]
        if newer:
            self.attempt = max(newer)
            return WAIT
        there = self.cluster.job(job_name(self.key, self.attempt))
        if there is not None:
            self.jobs[there["metadata"]["name"]] = there
            return WAIT
        return NextMove("fail", int(ExitCode.INTERRUPTED), "its Job was deleted")

    def _next_attempt(self, decision: NextMove) -> NextMove:
        if decision.move == "halve":
            smaller = self.task.batch and halved_batch(self.command.arguments, self.task.batch)
            if not smaller:
                return NextMove("fail", int(ExitCode.CANNOT_GO_ON), decision.why)
            self.command = replace(self.command, arguments=smaller)
            self.on_event(Said(f"{decision.why}: once more with {' '.join(smaller[-2:])}"))
        else:
            self.on_event(Said(f"{decision.why}: starting another attempt"))
        job = self._job()
        self.crashes += int((job or {}).get("status", {}).get("failed", 0))
        self.cluster.delete_job(job_name(self.key, self.attempt))
        self._begin(self.attempt + 1, adopt=False)
        return WAIT

    def _end(self, watching: Watching, exit_code: int, begun: datetime) -> Outcome:
        pods = sorted(self._own_pods(), key=creation_time)
        last = pods[-1]["metadata"]["name"] if pods else None
        if last and has_started(pods[-1]):
            watching.follow(last)
            self._read_to_the_end(watching, last)
        diagnosis = self._diagnose() if exit_code else None
        job = self._job()
        if exit_code and job and not is_over(job):
            # what can never start would wait in the cluster for ever
            self.cluster.delete_job(job["metadata"]["name"])
        return Outcome(
            exit_code,
            tuple(self.lines.get(last or "", ())),
            self.made,
            attempts=self.attempt,
            cause=self._cause(diagnosis) if diagnosis else None,
            queued_s=_queued_s(pods, begun),
        )

    def _read_to_the_end(self, watching: Watching, pod: str) -> None:
        end = datetime.now(UTC).timestamp() + LAST_WORDS_S
        while pod not in self.logs_ended and (left := end - datetime.now(UTC).timestamp()) > 0:
            try:
                self._note(watching.changes.get(timeout=left), watching)
            except Empty:
                return

    def _diagnose(self) -> Diagnosis | None:
        job = self._job()
        if job is None:
            return None
        pods = self._own_pods()
        names = {job["metadata"]["name"], *(pod["metadata"]["name"] for pod in pods)}
        events = [each for each in self.events.values() if each["involvedObject"].get("name") in names]
        newest = max(pods, key=creation_time, default=None)
        last_lines = list(self.lines.get(newest["metadata"]["name"], ()))[-20:] if newest else []
        return diagnose(job, pods, events, datetime.now(UTC), last_lines)

    def _tell(self, diagnosis: Diagnosis) -> None:
        """Say it once."""
        if diagnosis.summary not in self.known_since:
            self.on_event(Said("\n".join(self._cause(diagnosis).lines())))

    def _cause(self, diagnosis: Diagnosis) -> Cause:
        """Give a diagnosis as the run's record keeps it."""
        return Cause(
            category=str(diagnosis.category),
            summary=diagnosis.summary,
            detail=diagnosis.detail,
            remedy=diagnosis.remedy,
            since=diagnosis.since,
            told_at=self.known_since.setdefault(diagnosis.summary, datetime.now(UTC)),
        )

    def _job(self) -> Object | None:
        return self.jobs.get(job_name(self.key, self.attempt))

    def _own_pods(self) -> list[Object]:
        """Pods of the Job as it is: one deleted before it and made again under the same name had others."""
        job = self._job()
        uid = job["metadata"]["uid"] if job else None
        owners = ((pod, pod["metadata"].get("ownerReferences") or []) for pod in self.pods.values())
        return [pod for pod, owned_by in owners if any(owner["uid"] == uid for owner in owned_by)]


def _queued_s(pods: list[Object], begun: datetime) -> float | None:
    starts = [each["startedAt"] for pod in pods for each in state(pod).values() if each.get("startedAt")]
    if not starts:
        return None
    return max(0.0, (datetime.fromisoformat(min(starts)) - begun).total_seconds())
