"""One piece of work in the cluster: its Jobs and pods are followed, replaced where that helps, and read to the end."""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from queue import Empty

from ctiforge.errors import ExitCode
from ctiforge.launcher.backend import Command, Event, Outcome, Ran, Task
from ctiforge.launcher.kubernetes.attempts import (
    OTHERS_END_WITHIN_S,
    WAIT,
    NextMove,
    crashes_of,
    decide,
    deleted,
    first_move,
    is_over,
    kept_pod,
    refused,
    run_again,
    superseded,
)
from ctiforge.launcher.kubernetes.client import Cluster, Object, ResourceKind
from ctiforge.launcher.kubernetes.diagnosis import Category, Diagnosis, diagnose
from ctiforge.launcher.kubernetes.ending import diagnose_ended
from ctiforge.launcher.kubernetes.limits import Limits, limits_of, ran_too_long
from ctiforge.launcher.kubernetes.manifests import (
    CRASHES,
    RAN,
    RUN,
    annotated,
    attempt_of,
    halved_batch,
    job_name,
    selector,
    stage_job,
    with_micro_batch_of,
    work_key,
)
from ctiforge.launcher.kubernetes.reading import (
    completed,
    creation_time,
    has_started,
    holds,
    is_kept_by_others,
    is_owned_by,
    state,
)
from ctiforge.launcher.kubernetes.refusals import ClusterError
from ctiforge.launcher.kubernetes.states import Elapsed, look, ran_before
from ctiforge.launcher.kubernetes.telling import Telling
from ctiforge.launcher.kubernetes.watching import Changed, LogEnded, Logged, WatchFailed, Watching, WatchNews
from ctiforge.launcher.kubernetes.words import ProgramWords
from ctiforge.launcher.signals import HeldSignals

TICK_S = 1.0
"""Between looks at what time alone tells: a lost node, a limit that has passed."""
LOOKS_AGAIN_EVERY_S = 300.0
"""A watch that lists anew does not tell of what came and went between: a list does."""
LAST_WORDS_S = 15.0
"""How long the end of a log is waited for once its program has ended."""
ROOM_WITHIN_S = 60.0
"""How long a quota may take to see that a Job was deleted."""
FOLLOWED_WITHIN_S = ROOM_WITHIN_S + 20.0
"""How long a Job may be gone before nobody is taken to start its next attempt: where a quota holds one Job alone,
it is deleted before the next is made, and whoever deleted it waits for room."""


@dataclass
class Work:
    """One piece of work under way: its Jobs and pods as the cluster last told them."""

    cluster: Cluster
    command: Command
    task: Task
    template: Object
    on_event: Callable[[Event], None]
    watching: Watching
    signals: HeldSignals
    is_made: Callable[[], bool]
    """Whether the store has what the work is to make."""
    clock: Callable[[], float] = time.monotonic
    """Seconds; what the launcher waits is measured by this alone."""
    attempt: int = 0
    crashes: int = 0
    """Of the attempts before."""
    elapsed: Elapsed = field(default_factory=Elapsed)
    jobs: dict[str, Object] = field(default_factory=dict)
    pods: dict[str, Object] = field(default_factory=dict)
    events: dict[str, Object] = field(default_factory=dict)
    workloads: dict[str, Object] = field(default_factory=dict)
    """Kueue's, of the whole namespace."""
    interruptions: dict[str, str] = field(default_factory=dict)
    """By the uid of each pod that ended too soon: the category of the cause."""
    looked_at: float = 0.0
    """When the Jobs and pods were last listed, by the clock."""

    def __post_init__(self) -> None:
        self.telling, self.words = Telling(self.on_event), ProgramWords(self.on_event)

    def run(self) -> Outcome:
        """Follow the work to its end.

        Returns:
            How it ended; whatever ended badly has its cause.

        Raises:
            ClusterError: The cluster refuses what the launcher asks, or does not answer.
        """
        try:
            return self._run()
        except BaseException:
            self.on_event(Ran(self._ran_s))
            raise

    def _run(self) -> Outcome:
        begun = self.cluster.now()
        limits = limits_of(self.template["metadata"].get("annotations", {}))
        self.elapsed = Elapsed(ran_s=self.task.ran_before_s + self.task.seen_s)
        if late := ran_too_long(self.elapsed.ran_s, limits):
            code, cause = int(ExitCode.CANNOT_GO_ON), self.telling.cause(late, begun)
            return Outcome(code, (), attempts=0, cause=cause, ran_s=self.task.seen_s)
        move = self._begin()
        while move.move not in ("ended", "fail"):
            self.signals.check()
            self._take()
            self.telling.hear(silent_s := self.cluster.silent_s(), self.clock())
            if not silent_s and self.clock() - self.looked_at > LOOKS_AGAIN_EVERY_S:
                self._look_again()
            move = self._decide(limits)
            if move.move not in ("wait", "ended"):
                # what was told may be old: the watch lags, this machine may have slept
                self._look_again()
                move = self._decide(limits)
            if move.move in ("next", "halve"):
                move = self._next_attempt(move)
        return self._end(move, begun)

    @property
    def key(self) -> str:
        """What names the work in the cluster."""
        return work_key(self.command.program, self.task)

    @property
    def _ran_s(self) -> float:
        """Seconds that this work has run, without what ran before it."""
        return self.elapsed.ran_s - self.task.ran_before_s

    def _begin(self) -> NextMove:
        """Adopt the Job that there is, or create the first or next one."""
        self._look_again()
        found = list(self.jobs.values())
        first = first_move(found, by_run=self.task.fingerprint is None)
        move = WAIT
        if first.adopt:
            job = self.jobs[job_name(self.key, first.attempt)]
            self._follow(job)
            if job["metadata"]["labels"].get(RUN) == self.task.run:
                # pods may be gone whose running was seen, and others have run while nobody looked
                told_s = annotated(job, RAN) + ran_before(self._own_pods(), self.cluster.now())
                self.elapsed = replace(self.elapsed, ran_s=self.task.ran_before_s + max(told_s, self.task.seen_s))
        else:
            move = self._create_or_make_room(first.attempt)
        for name in superseded(found, first.attempt):
            self.cluster.delete_job(name)
        return move

    def _create(self, attempt: int) -> None:
        job = stage_job(self.template, self.command, self.task, attempt, crashes=self.crashes, ran_s=self._ran_s)
        # made just now by us or, where there was one, by another launcher: its state comes by the watch
        self.cluster.create_job(job)
        self.attempt = attempt

    def _follow(self, job: Object) -> None:
        """Go on with this Job, whoever made it."""
        self.attempt = attempt_of(job)
        self.crashes = int(annotated(job, CRASHES))
        self.command = replace(self.command, arguments=with_micro_batch_of(job, self.command.arguments))

    def _take(self) -> None:
        """Wait for a change and take in all that has come."""
        try:
            self._note(self.watching.changes.get(timeout=TICK_S))
            while True:
                self._note(self.watching.changes.get_nowait())
        except Empty:
            return

    def _note(self, change: WatchNews) -> None:
        match change:
            case Changed("jobs", name, value):
                _keep(self.jobs, name, value)
            case Changed("pods", name, value):
                _keep(self.pods, name, value)
                if value and has_started(value):
                    self.watching.follow(name)
            case Changed("events", name, value):
                if value:
                    self.events[name] = completed(value)
            case Changed("workloads", name, value):
                _keep(self.workloads, name, value)
            case Logged(pod, line):
                self.words.read(pod, line)
            case LogEnded(pod, refusal):
                self.words.ended.add(pod)
                if refusal:
                    self.telling.say(f"what the program says is not shown: {refusal}")
            case WatchFailed(error):
                raise error

    def _look_again(self) -> None:
        """Read the work's Jobs and pods as they are now."""
        self.jobs, self.pods = self._list("jobs"), self._list("pods")
        self.looked_at = self.clock()

    def _list(self, kind: ResourceKind) -> dict[str, Object]:
        found, _ = self.cluster.list(kind, selector(self.key))
        return {each["metadata"]["name"]: each for each in found}

    def _decide(self, limits: Limits) -> NextMove:
        self._follow_newest()
        job, pods = self._job(), self._own_pods()
        former, self.elapsed = self.elapsed.state, look(self.elapsed, job, pods, self.clock())
        if self.elapsed.state is not former:
            self.on_event(Ran(self._ran_s))
        if job is None:
            return self._without_job()
        diagnosis, now = self._diagnose(), self.cluster.now()
        move = decide(job, pods, diagnosis, self.elapsed, now, limits, self.crashes)
        if diagnosis and move.move == "wait":
            self.telling.tell(diagnosis, now)
        elif diagnosis:
            self.telling.note(diagnosis, now)
        return move

    def _follow_newest(self) -> None:
        """Go over to a later attempt that another launcher has started."""
        own = self._job()
        newest = max(self.jobs.values(), key=attempt_of, default=None)
        if newest and attempt_of(newest) > self.attempt and not (own and holds(own, "Complete")):
            self._follow(newest)
            self.telling.say(f"another launcher has started attempt {self.attempt}: following it")

    def _without_job(self) -> NextMove:
        """Our Job is not there: not told of yet, about to be replaced by another launcher, or deleted."""
        if self.elapsed.in_state_s > FOLLOWED_WITHIN_S:
            # another launcher may have cleared it away, done as it was
            if self.is_made():
                return NextMove("ended")
            return deleted(job_name(self.key, self.attempt), self.cluster.namespace)
        self._look_again()
        return WAIT

    def _next_attempt(self, move: NextMove) -> NextMove:
        if move.move == "halve":
            smaller = self.task.batch and halved_batch(self.command.arguments, self.task.batch)
            if not smaller:
                return NextMove("fail", int(ExitCode.CANNOT_GO_ON), move.why, move.cause)
            self.command = replace(self.command, arguments=smaller)
            self.telling.say(f"{move.why}: once more with {' '.join(smaller[-2:])}")
        else:
            self.telling.say(f"{move.why}: starting another attempt")
        job = self._job()
        self.crashes += crashes_of(job, self._own_pods()) if job else 0
        self._note_interruptions(self._own_pods(), self._diagnose())
        former = job_name(self.key, self.attempt)
        made = self._create_or_make_room(self.attempt + 1)
        if made is WAIT:
            self.cluster.delete_job(former)
        return made

    def _create_or_make_room(self, attempt: int) -> NextMove:
        """Create an attempt's Job; where a quota holds no Job more, those before it make room."""
        try:
            # first the next, so that there is never none: an older attempt that still writes is fenced off
            self._create(attempt)
        except ClusterError as error:
            if not error.is_quota:
                raise
            if self._is_there(attempt):
                return WAIT
            if not self.jobs:
                return self._without_room(error)
            for name in self.jobs:
                self.cluster.delete_job(name)
            return self._create_when_there_is_room(attempt)
        return WAIT

    def _create_when_there_is_room(self, attempt: int) -> NextMove:
        end = self.clock() + ROOM_WITHIN_S
        while True:
            try:
                self._create(attempt)
                return WAIT
            except ClusterError as error:
                if not error.is_quota or (self.clock() > end and not self._is_there(attempt)):
                    return self._without_room(error)
            if self._is_there(attempt):
                return WAIT
            self.signals.check()
            self._take()

    def _is_there(self, attempt: int) -> bool:
        """Look whether another launcher has made an attempt, for which a quota then has no room twice."""
        self._look_again()
        return any(attempt_of(job) >= attempt for job in self.jobs.values())

    def _without_room(self, error: ClusterError) -> NextMove:
        """End where a quota refused a Job; whatever else the cluster refused is raised."""
        if not error.is_quota:
            raise error
        return refused(self.key, self.cluster.namespace, error.refusal)

    def _end(self, move: NextMove, begun: datetime) -> Outcome:
        pods = sorted(self._own_pods(), key=creation_time)
        last = pods[-1]["metadata"]["name"] if pods else None
        if last and has_started(pods[-1]):
            self.watching.follow(last)
            # one that still runs has no last words to wait for
            if "running" not in state(pods[-1]):
                self._read_to_the_end(last)
        if move.is_limit:
            # it may have been done in the moment in which its limit passed
            self._look_again()
            if (standing := self._job()) and holds(standing, "Complete"):
                move = NextMove("ended")
        self._note_interruptions(pods[:-1])
        if not move.exit_code:
            self._free()
        job, cause = self._job(), move.cause
        if move.exit_code and job and not move.is_limit:
            # once more: the program's last words have come since
            cause = self._diagnose() or cause
        if move.exit_code and job and not is_over(job):
            self._delete(job, move)
        return Outcome(
            move.exit_code,
            self.words.of(last),
            self.words.made,
            attempts=self.attempt,
            cause=self.telling.cause(cause, self.cluster.now()) if cause else None,
            queued_s=_queued_s(pods, begun),
            ran_s=self._ran_s,
            interruptions=Counter(self.interruptions.values()),
        )

    def _note_interruptions(self, pods: Sequence[Object], hanging: Diagnosis | None = None) -> None:
        """Remember why pods ended whose work goes on in others; a Job takes them with it."""
        for pod in pods:
            if found := diagnose_ended(pod) or hanging:
                self.interruptions[pod["metadata"]["uid"]] = str(found.category)

    def _free(self) -> None:
        """Let a pod go whose program is done, and that something beside it keeps: it takes the GPU of the next."""
        end = self.clock() + OTHERS_END_WITHIN_S
        while any(map(is_kept_by_others, self._own_pods())):
            if self.clock() > end:
                self._look_again()
                if (job := self._job()) and any(map(is_kept_by_others, self._own_pods())):
                    self.telling.say(f"{kept_pod(self._own_pods())}: deleted, its work is done")
                    self.cluster.delete_job(job["metadata"]["name"])
                return
            self.signals.check()
            self._take()
        if (job := self._job()) and (why := run_again(self._own_pods())):
            self.telling.say(f"{why}: deleted, its work is done")
            self.cluster.delete_job(job["metadata"]["name"])

    def _delete(self, job: Object, move: NextMove) -> None:
        """Delete what would wait in the cluster for ever, but no Job of another run for a limit of ours."""
        owner = job["metadata"]["labels"].get(RUN)
        if move.is_limit and owner != self.task.run:
            self.telling.say(f"job {job['metadata']['name']} is run {owner}'s, and goes on")
            return
        self.cluster.delete_job(job["metadata"]["name"])

    def _read_to_the_end(self, pod: str) -> None:
        end = self.clock() + LAST_WORDS_S
        while pod not in self.words.ended and (left := end - self.clock()) > 0:
            try:
                self._note(self.watching.changes.get(timeout=left))
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
        last_lines = self.words.of(newest["metadata"]["name"])[-20:] if newest else ()
        workload = next((each for each in self.workloads.values() if is_owned_by(each, job)), None)
        found = diagnose(job, pods, events, self.cluster.now(), last_lines, workload)
        if newest and found and found.category is Category.INIT_FAILED and not found.detail:
            said = self.words.of_another(self.cluster, newest["metadata"]["name"], found.container or "")
            return replace(found, detail=said)
        return found

    def _job(self) -> Object | None:
        return self.jobs.get(job_name(self.key, self.attempt))

    def _own_pods(self) -> list[Object]:
        """Pods of the Job as it is: one deleted before it and made again under the same name had others."""
        job = self._job()
        return [pod for pod in self.pods.values() if job and is_owned_by(pod, job)]


def _keep(objects: dict[str, Object], name: str, value: Object | None) -> None:
    if value is None:
        objects.pop(name, None)
    else:
        objects[name] = value


def _queued_s(pods: list[Object], begun: datetime) -> float | None:
    starts = [each["startedAt"] for pod in pods for each in state(pod).values() if each.get("startedAt")]
    if not starts:
        return None
    return max(0.0, (datetime.fromisoformat(min(starts)) - begun).total_seconds())
