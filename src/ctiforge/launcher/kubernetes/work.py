"""One piece of work in the cluster: its Jobs and pods are followed, replaced where that helps, and read to the end."""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from queue import Empty

from ctiforge.errors import ExitCode
from ctiforge.launcher.backend import LAST_LINES, Command, Event, Outcome, Ran, Task
from ctiforge.launcher.kubernetes.attempts import (
    OTHERS_END_WITHIN_S,
    WAIT,
    NextMove,
    crashes_of,
    decide,
    deleted,
    first_move,
    is_over,
    run_again,
    superseded,
)
from ctiforge.launcher.kubernetes.client import Cluster, Object
from ctiforge.launcher.kubernetes.diagnosis import Category, Diagnosis, diagnose
from ctiforge.launcher.kubernetes.history import interruptions, last_lines, queued_s
from ctiforge.launcher.kubernetes.limits import Limits, limits_of, ran_too_long
from ctiforge.launcher.kubernetes.making import ROOM_WITHIN_S, Making
from ctiforge.launcher.kubernetes.manifests import (
    CRASHES,
    RAN,
    RUN,
    annotated,
    attempt_of,
    halved_batch,
    job_name,
    stage_job,
    with_micro_batch_of,
    work_key,
)
from ctiforge.launcher.kubernetes.members import by_member, index_of, is_sharded, members_of, newest_of_each
from ctiforge.launcher.kubernetes.reading import (
    failed_init,
    failing_init,
    has_started,
    holds,
    is_kept_by_others,
    kept_pod,
    lingering_pod,
    lingering_sidecars,
    state,
)
from ctiforge.launcher.kubernetes.seen import Seen
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
FOLLOWED_WITHIN_S = ROOM_WITHIN_S + 20.0
"""How long a Job may be gone before no other launcher is taken to start its next attempt: where a quota holds one Job
alone, it is deleted before the next is made, and whoever deleted it waits for room."""
GONE_FOR_SURE_S = 3.0
"""The same where no other launcher is there; a list has said so every second."""


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
    is_alone: Callable[[], bool]
    """Whether no other launcher lives that may have deleted a Job to make the next one."""
    clock: Callable[[], float] = time.monotonic
    """Seconds; what the launcher waits is measured by this alone."""
    crashes: int = 0
    """Of the attempts before."""
    elapsed: Elapsed = field(default_factory=Elapsed)
    interruptions: dict[str, str] = field(default_factory=dict)
    """By the uid of each pod that ended too soon: the category of the cause."""
    looked_at: float = 0.0
    """When the Jobs and pods were last listed, by the clock."""
    alone: bool | None = None
    """What was said to the question whether no other launcher lives; None: not asked since the Job was there last."""

    def __post_init__(self) -> None:
        self.telling, self.words = Telling(self.on_event), ProgramWords(self.on_event)
        self.seen = Seen(self.cluster, self.key)
        self.making = Making(self.seen, self._job, self._look_again, self._wait, self.clock)

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
            self._wait()
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
        found = list(self.seen.jobs.values())
        first = first_move(found, by_run=self.task.fingerprint is None)
        move = WAIT
        if first.adopt:
            job = self.seen.jobs[job_name(self.key, first.attempt)]
            self._follow(job)
            if job["metadata"]["labels"].get(RUN) == self.task.run:
                # pods may be gone whose running was seen, and others have run while nobody looked
                told_s = annotated(job, RAN) + ran_before(job, self.seen.own_pods, self.cluster.now())
                self.elapsed = replace(self.elapsed, ran_s=self.task.ran_before_s + max(told_s, self.task.seen_s))
        else:
            move = self.making.make(first.attempt)
        for name in superseded(found, first.attempt):
            self.cluster.delete_job(name)
        return move

    def _job(self, attempt: int) -> Object:
        return stage_job(self.template, self.command, self.task, attempt, crashes=self.crashes, ran_s=self._ran_s)

    def _follow(self, job: Object) -> None:
        """Go on with this Job, whoever made it."""
        self.seen.attempt = attempt_of(job)
        self.crashes = int(annotated(job, CRASHES))
        self.command = replace(self.command, arguments=with_micro_batch_of(job, self.command.arguments))

    def _wait(self) -> None:
        """Wait for a change, a second at most, and take in all that has come; a signal ends it."""
        self.signals.check()
        try:
            self._note(self.watching.changes.get(timeout=TICK_S))
            while True:
                self._note(self.watching.changes.get_nowait())
        except Empty:
            return

    def _note(self, change: WatchNews) -> None:
        match change:
            case Changed(kind, name, value):
                if kind == "pods" and value is None:
                    self._note_gone([pod for pod in self.seen.own_pods if pod["metadata"]["name"] == name])
                self.seen.note(change)
                if kind == "pods" and value:
                    self._listen(value)
            case Logged(pod, line):
                self.words.read(pod, line)
            case LogEnded(pod, refusal):
                self.words.ended.add(pod)
                if refusal:
                    self.telling.say(f"what the program says is not shown: {refusal}")
            case WatchFailed(error):
                raise error

    def _listen(self, pod: Object) -> None:
        """Follow what the pod's program says, once it has begun; of pods that train together the first is heard."""
        name = pod["metadata"]["name"]
        job = self.seen.job or self.template["spec"]["jobTemplate"]
        if is_sharded(job):
            self.words.shards[name], self.words.shard_count = index_of(pod), members_of(job)
        elif index_of(pod):
            self.words.quiet.add(name)
        if has_started(pod):
            self.watching.follow(name)

    def _look_again(self) -> None:
        before = self.seen.own_pods
        self.seen.look_again()
        self._note_gone([pod for pod in before if pod["metadata"]["name"] not in self.seen.pods])
        self.looked_at = self.clock()

    def _decide(self, limits: Limits) -> NextMove:
        self._follow_newest()
        job, pods = self.seen.job, self.seen.own_pods
        former, self.elapsed = self.elapsed.state, look(self.elapsed, job, pods, self.clock())
        if self.elapsed.state is not former:
            self.on_event(Ran(self._ran_s))
        if job is None:
            return self._without_job()
        self.alone = None
        diagnosis, now = self._diagnose(), self.cluster.now()
        move = decide(job, pods, diagnosis, self.elapsed, now, limits, self.crashes)
        if diagnosis and move.move == "wait":
            self.telling.tell(diagnosis, now)
        elif diagnosis:
            self.telling.note(diagnosis, now)
        return move

    def _follow_newest(self) -> None:
        """Go over to a later attempt that another launcher has started."""
        own = self.seen.job
        newest = max(self.seen.jobs.values(), key=attempt_of, default=None)
        if newest and attempt_of(newest) > self.seen.attempt and not (own and holds(own, "Complete")):
            self._follow(newest)
            self.telling.say(f"another launcher has started attempt {self.seen.attempt}: following it")

    def _without_job(self) -> NextMove:
        """Our Job is not there: not told of yet, about to be replaced by another launcher, or deleted."""
        if self.elapsed.in_state_s > GONE_FOR_SURE_S and self.alone is None:
            self.alone = self.is_alone()
        if self.elapsed.in_state_s > (GONE_FOR_SURE_S if self.alone else FOLLOWED_WITHIN_S):
            # another launcher may have cleared it away, done as it was
            if self.is_made():
                return NextMove("ended")
            name, gone = job_name(self.key, self.seen.attempt), self.making.is_namespace_gone(self.seen.attempt + 1)
            return deleted(name, self.cluster.namespace, with_namespace=gone)
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
        job = self.seen.job
        self.crashes += crashes_of(job, self.seen.own_pods) if job else 0
        self._note_interruptions(self.seen.own_pods)
        former = job_name(self.key, self.seen.attempt)
        made = self.making.make(self.seen.attempt + 1)
        if made is WAIT:
            self.cluster.delete_job(former)
        return made

    def _end(self, move: NextMove, begun: datetime) -> Outcome:
        members = by_member(self.seen.job, self.seen.own_pods) if self.seen.job else []
        last = [own[0] for own in members if own]
        for pod in filter(has_started, last):
            self._listen(pod)
            # one that still runs has no last words to wait for
            if "running" not in state(pod):
                self._read_to_the_end(pod["metadata"]["name"])
        if move.is_limit:
            # it may have been done in the moment in which its limit passed
            self._look_again()
            if (standing := self.seen.job) and holds(standing, "Complete"):
                move = NextMove("ended")
        self._note_interruptions([pod for own in members for pod in own[1:]])
        if not move.exit_code:
            self._free()
        job, cause = self.seen.job, move.cause
        if move.exit_code and job and not move.is_limit:
            # once more: the program's last words have come since
            cause = self._diagnose() or cause
        if move.exit_code and job and not is_over(job):
            self._delete(job, move)
        return Outcome(
            move.exit_code,
            last_lines(last, self.words.of),
            self.words.made,
            attempts=self.seen.attempt,
            cause=self.telling.cause(cause, self.cluster.now()) if cause else None,
            queued_s=queued_s(self.seen.job, members, begun),
            ran_s=self._ran_s,
            interruptions=Counter(self.interruptions.values()),
        )

    def _note_interruptions(self, pods: Sequence[Object]) -> None:
        """Remember why pods ended whose work goes on in others; a Job takes them with it."""
        if job := self.seen.job:
            self.interruptions |= interruptions(job, pods, self.cluster.now())

    def _note_gone(self, pods: Sequence[Object]) -> None:
        """Remember why pods are gone that the Job goes on without: eviction and preemption delete them."""
        if (job := self.seen.job) and not is_over(job) and "deletionTimestamp" not in job["metadata"]:
            self._note_interruptions(pods)

    def _free(self) -> None:
        """Let a pod go whose program is done, and that something beside it keeps: it takes the GPU of the next."""
        end = self.clock() + OTHERS_END_WITHIN_S
        while any(is_kept_by_others(pod) or lingering_sidecars(pod) for pod in self.seen.own_pods):
            if self.clock() > end:
                self._look_again()
                break
            self._wait()
        pods = self.seen.own_pods
        why = kept_pod(pods) if any(map(is_kept_by_others, pods)) else run_again(pods)
        if why and (job := self.seen.job):
            self.telling.say(f"{why}: deleted, its work is done")
            self.cluster.delete_job(job["metadata"]["name"])
        elif lingers := lingering_pod(pods):
            self.telling.say(lingers)

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
        job, pods = self.seen.job, self.seen.own_pods
        if job is None:
            return None
        said = {pod["metadata"]["name"]: self.words.of(pod["metadata"]["name"])[-LAST_LINES:] for pod in pods}
        found = diagnose(job, pods, self.seen.own_events, self.cluster.now(), said, self.seen.workload)
        if found and found.category is Category.INIT_FAILED and not found.detail:
            newest = newest_of_each(job, pods)
            failed = [pod["metadata"]["name"] for pod in newest if failed_init(pod) or failing_init(pod)]
            words = [self.words.of_another(self.cluster, name, found.container or "") for name in failed[:1]]
            return replace(found, detail="\n".join(words))
        return found
