"""What is true in the simulated cluster: Jobs, pods, the controllers that act on them, and the one artifact.

Times are seconds of the cluster's own clock. Controllers act once a second of it at most.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

Object = dict[str, Any]

PENDING_S, NODE_LOST_S, RUN_S = 25.0, 25.0, 600.0
"""The limits of the release, scaled: a simulated hour is a good while for any of them."""
BACK_OFF_S, LONGEST_BACK_OFF_S, TAINT_AFTER_S = 10.0, 600.0, 10.0
SAVES_EVERY_S, SAVING_S, STARTING_S = 10.0, 3.0, 2.0
CONTRACT = (2, 3, 4, 5)
INTERRUPTED, KILLED = 75, 137


@dataclass
class Pod:
    """One pod: what its program does, whatever the API has been told."""

    name: str
    job: str
    owner: str
    """The uid of its Job: another may have the Job's name later."""
    made_at: float
    gated: bool = False
    placed_at: float | None = None
    started_at: float | None = None
    ended_at: float | None = None
    code: int = 0
    reason: str = "Error"
    gone_by: float | None = None
    """Its deletion was asked for; by then it should be gone."""
    disrupted: str = ""
    lost_at: float | None = None
    """Its node stopped answering."""
    dies_with_node: bool = False
    is_counted: bool = False
    saves_until: float | None = None
    has_sidecar: bool = False
    """Something runs beside its program that ends only with the pod."""
    index: int = 0
    """Which of the pods it is that work together."""
    others: tuple[str, ...] = ()
    """Those that it has met, and computes with."""

    @property
    def is_there(self) -> bool:
        """It takes its place on a node, and Kubernetes makes no other."""
        return self.is_live or (self.has_sidecar and self.gone_by is None)

    @property
    def is_live(self) -> bool:
        return self.ended_at is None

    @property
    def runs(self) -> bool:
        """Its program works, and was not told to end."""
        return self.started_at is not None and self.is_live and self.saves_until is None and not self.is_dead

    @property
    def is_dead(self) -> bool:
        """Its node is off: its program has ended, and nobody can tell."""
        return self.lost_at is not None and self.dies_with_node


@dataclass
class Job:
    """One attempt."""

    name: str
    attempt: int
    spec: Object
    metadata: Object
    made_at: float
    suspended: bool = False
    failed: int = 0
    ended_badly: int = 0
    """Pods that ended for any cause but a good one, interruptions included: the back-off grows with each."""
    retry_at: float = 0.0
    over: str = ""
    """Complete, or the reason of its failure."""
    over_at: float = 0.0

    @property
    def uid(self) -> str:
        return f"uid-{self.name}-{self.made_at}"

    @property
    def back_off_s(self) -> float:
        return min(LONGEST_BACK_OFF_S, BACK_OFF_S * 2 ** (self.ended_badly - 1)) if self.ended_badly else 0.0


@dataclass
class World:
    """The cluster, and the work that is to be done in it once."""

    work_s: float = 60.0
    seconds: float = 0.0
    jobs: dict[str, Job] = field(default_factory=dict)
    pods: dict[str, Pod] = field(default_factory=dict)
    members: int = 1
    """How many pods work together."""
    has_room: bool = True
    is_narrow: bool = False
    """There is room for the first of them alone."""
    gates: bool = False
    sidecars: bool = False
    """A webhook puts something beside each program."""
    holds_new_jobs: bool = False
    """A queue suspends every Job that is made."""
    quota: int | None = None
    """Jobs that the namespace has room for."""
    has_refused_all: bool = False
    """The quota had no room for a single Job when one was to be made."""
    next_code: int = 0
    """What the program that ends next exits with; its memory runs out where it is 137."""
    saved_s: float = 0.0
    """How much of the work is in a checkpoint."""
    newest_attempt: int = 0
    """Of the attempts that have taken their number in the store: older ones are fenced off."""
    artifacts: int = 0
    excuses: dict[str, float] = field(default_factory=dict)
    """By Job: when something last was true that asks for another attempt."""
    jobs_deleted: int = 0
    pending_s: dict[str, float] = field(default_factory=dict)
    """By Job: how long, at most, one of its pods has truly been pending."""
    unmade_s: dict[str, float] = field(default_factory=dict)
    """By Job: how long, at most, it has truly been without a pod."""
    ran_s: float = 0.0
    ended_with: list[int] = field(default_factory=list)
    """What programs have exited with, one after the other."""
    told: list[str] = field(default_factory=list)
    """What happened, for whoever reads a failure."""
    _serial: int = 0
    _without_pod_since: dict[str, float] = field(default_factory=dict)

    def tell(self, words: str) -> None:
        self.told.append(f"{self.seconds:7.1f} {words}")

    def advance(self, seconds: float) -> None:
        """Let time pass; the controllers see every second of it, or every tenth of a long while."""
        end = self.seconds + seconds
        while self.seconds < end:
            step = min(end - self.seconds, max(1.0, seconds / 20))
            self.seconds += step
            self._step(step)

    def pods_of(self, name: str) -> list[Pod]:
        """Give the pods of the Job that has this name now."""
        owner = self.jobs[name].uid if name in self.jobs else ""
        return [pod for pod in self.pods.values() if pod.owner == owner]

    def unfinished(self, name: str) -> list[list[Pod]]:
        """Give the pods of each member of the Job that has not ended well."""
        every = [[pod for pod in self.pods_of(name) if pod.index == index] for index in range(self.members)]
        return [own for own in every if not any(pod.ended_at is not None and pod.code == 0 for pod in own)]

    def works(self, name: str) -> bool:
        """Tell whether all pods that work together run."""
        unfinished = self.unfinished(name)
        return bool(unfinished) and all(any(pod.runs for pod in own) for own in unfinished)

    def live_pods(self) -> Iterator[Pod]:
        return (pod for pod in self.pods.values() if pod.is_live)

    # what the API is asked for

    def create(self, job: Object) -> None:
        metadata = job["metadata"]
        attempt = int(metadata["labels"]["ctiforge.io/attempt"])
        made = Job(metadata["name"], attempt, job["spec"], metadata, self.seconds, self.holds_new_jobs)
        self.jobs[made.name] = made
        self.tell(f"job {attempt} is made")

    def delete(self, name: str) -> None:
        job = self.jobs.get(name)
        if job is None:
            return
        self.jobs_deleted += 1
        self.tell(f"job {job.attempt} is deleted")
        pods = self.pods_of(name)
        del self.jobs[name]
        for pod in pods:
            if pod.is_live:
                self._ask_to_go(pod)
            else:
                del self.pods[pod.name]

    # what happens to pods

    def disrupt(self, pod: Pod, reason: str) -> None:
        """Evict or preempt a pod: it saves and exits 75."""
        pod.disrupted = reason
        self._ask_to_go(pod)
        self.tell(f"{pod.name} is disrupted: {reason}")

    def end(self, pod: Pod, code: int, reason: str = "Error") -> None:
        pod.ended_at, pod.code, pod.reason = self.seconds, code, reason
        self.ended_with.append(code)
        self.tell(f"{pod.name} ends with {code}")

    def remove(self, pod: Pod) -> None:
        """Take a pod away by force, its program with it."""
        del self.pods[pod.name]
        self.tell(f"{pod.name} is deleted by force")

    def lose_node(self, pod: Pod, dies: bool) -> None:
        pod.lost_at, pod.dies_with_node = self.seconds, dies
        self.tell(f"the node of {pod.name} does not answer, and is {'off' if dies else 'cut off'}")

    def find_node(self, pod: Pod) -> None:
        """The node is back; where it was off, its program is not."""
        dead = pod.is_dead
        pod.lost_at = None
        self.tell(f"the node of {pod.name} is back")
        if dead and pod.started_at is not None:
            self.end(pod, KILLED)

    def _ask_to_go(self, pod: Pod) -> None:
        pod.gone_by = pod.gone_by or self.seconds + 30
        if pod.started_at is None:
            if pod.lost_at is None:
                self.pods.pop(pod.name, None)
        elif pod.saves_until is None and pod.is_live:
            pod.saves_until = self.seconds + SAVING_S

    def _step(self, step: float) -> None:
        for pod in list(self.pods.values()):
            self._program(pod, step)
        # time of several pods at once counts once
        owners = {pod.owner for pod in self.live_pods() if pod.started_at is not None}
        self.ran_s += step * len(owners)
        for job in self.jobs.values():
            self._control(job)
            self._measure(job, step)

    def _program(self, pod: Pod, step: float) -> None:
        if pod.lost_at is not None:
            if self.seconds - pod.lost_at > TAINT_AFTER_S and pod.gone_by is None:
                pod.gone_by, pod.disrupted = self.seconds + 30, "DeletionByTaintManager"
            if pod.is_dead:
                return
        if not pod.is_live:
            if pod.gone_by is not None and pod.lost_at is None:
                self.pods.pop(pod.name)
            return
        if pod.started_at is None:
            self._start(pod)
            return
        if pod.saves_until is not None:
            if self.seconds >= pod.saves_until:
                self._save(pod)
                self.end(pod, INTERRUPTED)
            return
        self._work(pod, step)

    def _start(self, pod: Pod) -> None:
        has_room = self.has_room and not (self.is_narrow and pod.index)
        if pod.lost_at is not None or pod.gated or not (has_room or pod.placed_at is not None):
            return
        if pod.placed_at is None:
            pod.placed_at = self.seconds
        elif self.seconds - pod.placed_at >= STARTING_S:
            pod.started_at = self.seconds
            self.newest_attempt = max(self.newest_attempt, self._attempt(pod))
            self.tell(f"{pod.name} runs")

    def _work(self, pod: Pod, step: float) -> None:
        assert pod.started_at is not None
        if self.artifacts:
            self.end(pod, 0)
        elif self.next_code:
            code, self.next_code = self.next_code, 0
            self.end(pod, code, "OOMKilled" if code == KILLED else "Error")
        elif not self._meets(pod):
            return
        elif self._attempt(pod) == self.newest_attempt and pod.index == 0:
            self.saved_s += step
            if self.saved_s >= self.work_s:
                self.artifacts += 1
                self.end(pod, 0)
                self.tell("the artifact is published")

    def _meets(self, pod: Pod) -> bool:
        """Tell whether the others are there; where one of those it has met is gone or stops, it stops with them."""
        if self.members == 1:
            return True
        mates = [each for each in self.pods.values() if each.owner == pod.owner and each is not pod and each.is_live]
        met = [self.pods.get(name) for name in pod.others]
        if any(each is None or not each.is_live or each.saves_until is not None for each in met):
            pod.saves_until = self.seconds + SAVING_S
            return False
        running = [each for each in mates if each.runs and each.lost_at is None]
        if not pod.others and len(running) == self.members - 1 and not any(each.others for each in running):
            for each in (pod, *running):
                each.others = tuple(other.name for other in (pod, *running) if other is not each)
        # one that is cut off is waited for
        return bool(pod.others) and pod.lost_at is None and all(each is not None and each.runs for each in met)

    def _save(self, pod: Pod) -> None:
        """All that was done is saved: how much is lost without is the trainer's affair."""

    def _attempt(self, pod: Pod) -> int:
        return int(pod.job.rpartition("-")[2])

    def _control(self, job: Job) -> None:
        """Act as the Job controller does, with `podReplacementPolicy: Failed` and our pod failure policy."""
        if job.over:
            return
        pods = self.pods_of(job.name)
        for pod in pods:
            if not pod.is_there and not pod.is_counted:
                self._count(job, pod)
        if job.over:
            return
        if job.suspended:
            for pod in pods:
                if pod.is_there:
                    self._ask_to_go(pod)
            return
        for index in self._missing(job) if self.seconds >= job.retry_at else ():
            self._serial += 1
            name = f"{job.name}-{self._serial}"
            made = Pod(name, job.name, job.uid, self.seconds, self.gates, has_sidecar=self.sidecars, index=index)
            self.pods[name] = made
            self.tell(f"{name} is made")

    def _missing(self, job: Job) -> list[int]:
        """Give the indices that have no pod, and need one."""
        taken = {pod.index for pod in self.pods_of(job.name) if pod.is_there or pod.code == 0}
        return [index for index in range(self.members) if index not in taken]

    def _count(self, job: Job, pod: Pod) -> None:
        pod.is_counted = True
        if pod.code == 0:
            if not self.unfinished(job.name) and not any(each.is_there for each in self.pods_of(job.name)):
                job.over, job.over_at = "Complete", self.seconds
            return
        if pod.code in CONTRACT:
            job.over, job.over_at = "PodFailurePolicy", self.seconds
            return
        job.ended_badly += 1
        job.retry_at = self.seconds + job.back_off_s
        if pod.code == INTERRUPTED or pod.disrupted:
            return
        job.failed += 1
        if job.failed > job.spec["backoffLimit"]:
            job.over, job.over_at = "BackoffLimitExceeded", self.seconds

    def _measure(self, job: Job, step: float) -> None:
        """Note what may justify a launcher: what truly was, and for how long."""
        pods = self.pods_of(job.name)
        live = [pod for pod in pods if pod.is_there]
        pending = [pod for pod in live if pod.started_at is None and not pod.gated and pod.gone_by is None]
        for pod in pending:
            self.pending_s[job.name] = max(self.pending_s.get(job.name, 0.0), self.seconds - pod.made_at)
        if not self._missing(job) or job.suspended or job.over:
            self._without_pod_since.pop(job.name, None)
        else:
            since = self._without_pod_since.setdefault(job.name, self.seconds - step)
            self.unmade_s[job.name] = max(self.unmade_s.get(job.name, 0.0), self.seconds - since)
        hangs = any(
            (pod.lost_at is not None and self.seconds - pod.lost_at > NODE_LOST_S - 1)
            or (pod.gone_by is not None and self.seconds - pod.gone_by > NODE_LOST_S - 1)
            for pod in live
        )
        kept = any(not pod.is_live and pod.is_there for pod in pods)
        no_memory = any(pod.code == KILLED and pod.reason == "OOMKilled" for pod in pods if not pod.is_live)
        backs_off = bool(self._missing(job)) and job.back_off_s > 60
        if hangs or kept or no_memory or backs_off or job.over:
            self.excuses[job.name] = self.seconds
