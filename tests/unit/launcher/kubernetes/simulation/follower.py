"""A launcher in a thread of its own that moves only when it is its turn, and the API as it meets it."""

import copy
import threading
from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime
from queue import Empty
from typing import Any

from ctiforge.launcher.backend import Command, Event, Outcome, Said, Task
from ctiforge.launcher.kubernetes.client import Cluster
from ctiforge.launcher.kubernetes.refusals import QUOTA_MEND, ClusterError
from ctiforge.launcher.kubernetes.watching import Changed, LogEnded, WatchNews
from ctiforge.launcher.kubernetes.work import Work
from ctiforge.store.launcher_note import STALE_AFTER
from tests.unit.launcher.kubernetes.cases import after
from tests.unit.launcher.kubernetes.simulation.objects import api_job, api_pod
from tests.unit.launcher.kubernetes.simulation.world import (
    CONTRACT,
    NODE_LOST_S,
    PENDING_S,
    RUN_S,
    Job,
    Object,
    World,
)

KEY = "train-extract-0123456789ab"
PATIENCE_S = 30.0
"""How long a launcher waits in a thread before the test is taken to hang, in real seconds."""
TEMPLATE: Object = {
    "metadata": {
        "name": "t-train-extract",
        "annotations": {
            "ctiforge.io/pending-timeout": str(PENDING_S),
            "ctiforge.io/node-lost-timeout": str(NODE_LOST_S),
            "ctiforge.io/run-timeout": str(RUN_S),
        },
    },
    "spec": {
        "jobTemplate": {
            "spec": {
                "backoffLimit": 6,
                "template": {"spec": {"containers": [{"name": "stage", "args": ["train_extract"]}]}},
            }
        }
    },
}


def template_of(world: World) -> Object:
    """The release's template: an Indexed Job where several pods work together."""
    template = copy.deepcopy(TEMPLATE)
    spec = template["spec"]["jobTemplate"]["spec"]
    spec["backoffLimit"] *= world.members
    if world.members > 1:
        spec |= {"completionMode": "Indexed", "completions": world.members, "parallelism": world.members}
    return template


class Stopped(BaseException):
    """The launcher was killed: it does nothing more."""


class Api(Cluster):
    """The cluster's API as one launcher meets it: late, lossy, repeating itself, now and then not there.

    What launchers may do is checked here, at the moment in which they do it.
    """

    def __init__(self, world: World, name: str, run: str, skew_s: float) -> None:
        self.namespace = "ml"
        self.run = run
        self.world = world
        self.name = name
        self.skew_s = skew_s
        self.asleep_s = 0.0
        """How long this machine has slept: its monotonic clock stood still, until the API tells its time again."""
        self.unheard_s = 0.0
        self.latency_s = 0.0
        self.is_gone = False
        self.loses_answers = False
        self.violations: list[str] = []
        self.known: dict[str, dict[str, str]] = {"jobs": {}, "pods": {}}
        self.late: deque[WatchNews] = deque()
        self.is_late = False

    def clock(self) -> float:
        return self.world.seconds - self.asleep_s + self.skew_s

    def silent_s(self) -> float:
        return 0.0

    def now(self) -> datetime:
        return after(self.world.seconds - self.unheard_s)

    def list(self, kind: str, selector: str | None = None) -> tuple[list[Object], str]:  # type: ignore[override]
        self._ask(f"list {kind}")
        return [*self.objects(kind)], "0"

    def create_job(self, job: Object, *, dry_run: bool = False) -> bool:
        name = job["metadata"]["name"]
        self._ask(f"create job {name}")
        if dry_run:
            return True
        if self.world.quota is not None and len(self.world.jobs) >= self.world.quota:
            self.world.has_refused_all = self.world.has_refused_all or self.world.quota == 0
            raise ClusterError(f"cannot create job {name}: exceeded quota: jobs, used: 1, limited: 1{QUOTA_MEND}", 403)
        if name in self.world.jobs:
            return False
        self._check_next(int(job["metadata"]["labels"]["ctiforge.io/attempt"]))
        self.world.create(job)
        # the client has tried again after a lost answer, and finds its own Job
        return not self.loses_answers

    def delete_job(self, name: str) -> None:
        self._ask(f"delete job {name}")
        if job := self.world.jobs.get(name):
            self._check_deletion(job)
        self.world.delete(name)

    def objects(self, kind: str) -> Sequence[Object]:
        """Give the objects of the kind as they are."""
        if kind == "jobs":
            return [api_job(job) for job in self.world.jobs.values()]
        return [api_pod(pod) for pod in self.world.pods.values()]

    def news(self) -> Sequence[WatchNews]:
        """Give what the watch tells since it was asked last."""
        news: list[WatchNews] = []
        for kind, known in self.known.items():
            now = {each["metadata"]["name"]: each for each in self.objects(kind)}
            news += [Changed(kind, name, None) for name in known if name not in now]  # type: ignore[arg-type]
            news += [
                Changed(kind, name, value)  # type: ignore[arg-type]
                for name, value in now.items()
                if known.get(name) != repr(value)
            ]
            self.known[kind] = {name: repr(value) for name, value in now.items()}
        self.late.extend(news)
        if self.is_late:
            return []
        told = list(self.late)
        self.late.clear()
        return told

    def lose_news(self) -> None:
        """Lose what the watch has not told yet; a list tells all of it, what is gone included."""
        told = {kind: set(known) for kind, known in self.known.items()}
        for each in self.late:
            if isinstance(each, Changed):
                told[each.kind].add(each.name)
        self.late.clear()
        self.known = {kind: dict.fromkeys(names, "") for kind, names in told.items()}

    def _ask(self, what: str) -> None:
        if self.is_gone:
            raise ClusterError(f"cannot {what}: nothing answers")
        self.unheard_s = 0.0
        self.world.advance(self.latency_s)

    def _check_next(self, attempt: int) -> None:
        former = self.world.jobs.get(f"{KEY}-{attempt - 1}")
        if former is None:
            return
        excuse = self.world.excuses.get(former.name)
        if excuse is None or self.world.seconds - excuse > 3 * self.latency_s + 1:
            self._violate(f"attempt {attempt} is made though nothing was wrong with the one before")

    def _check_deletion(self, job: Job) -> None:
        if self.world.quota is not None or any(each.attempt > job.attempt for each in self.world.jobs.values()):
            return
        is_done = any(not pod.is_live and pod.code in CONTRACT for pod in self.world.pods_of(job.name))
        is_done = is_done or not self.world.unfinished(job.name)
        if job.metadata["labels"]["ctiforge.io/run"] != self.run and not job.over and not is_done:
            self._violate(f"job {job.attempt} of another run is deleted")
        if not self.world.works(job.name) or self.world.ran_s > RUN_S:
            return
        since = [pod.started_at for pod in self.world.pods_of(job.name) if pod.runs and pod.started_at is not None]
        # it may have begun between the last look and the deletion
        if max(since) < self.world.seconds - 3 * self.latency_s - 1:
            self._violate(f"job {job.attempt} is deleted while its pod runs")

    def _violate(self, words: str) -> None:
        self.world.tell(f"VIOLATION by {self.name}: {words}")
        self.violations.append(words)


class Follower:
    """One launcher: it looks when it is told to, and stands still between."""

    def __init__(
        self,
        world: World,
        name: str,
        run: str,
        skew_s: float = 0.0,
        seen_s: float = 0.0,
        is_alone: Callable[[], bool] = lambda: False,
    ) -> None:
        self.is_alone = is_alone
        self.killed_at: float | None = None
        self.api = Api(world, name, run, skew_s)
        self.run = run
        self.outcome: Outcome | None = None
        self.error: BaseException | None = None
        self.said: list[str] = []
        self.queue: deque[WatchNews] = deque()
        self.changes = self
        self._is_killed = False
        self._its_turn, self._our_turn = threading.Semaphore(0), threading.Semaphore(0)
        self._thread = threading.Thread(target=self._follow, args=(seen_s,), daemon=True)
        self._thread.start()

    @property
    def is_over(self) -> bool:
        return self.outcome is not None or self.error is not None

    @property
    def is_heard(self) -> bool:
        """Whether its note in the store says that it lives: that of one that was killed stays for a while."""
        if self.killed_at is not None:
            return self.api.world.seconds - self.killed_at < STALE_AFTER.total_seconds()
        return not self.is_over

    def look(self) -> None:
        """Let it go on until it waits for news again, or has ended."""
        if self.is_over:
            return
        self.queue.extend(self.api.news())
        self._hand_over()

    def kill(self) -> None:
        """End it as SIGKILL does."""
        if self.is_over:
            return
        self._is_killed, self.killed_at = True, self.api.world.seconds
        self._hand_over()

    def _hand_over(self) -> None:
        self._its_turn.release()
        assert self._our_turn.acquire(timeout=PATIENCE_S), f"{self.api.name} hangs"

    def _follow(self, seen_s: float) -> None:
        self._its_turn.acquire()
        try:
            if self._is_killed:
                raise Stopped
            command = Command("train_extract", ("--batch-size=8",))
            task = Task(self.run, "train", KEY.rpartition("-")[2] + "0" * 52, (8, 1), seen_s=seen_s)
            world = self.api.world
            place: tuple[Any, ...] = (self.api, command, task, template_of(world), self._hear, self, self)
            self.outcome = Work(*place, lambda: world.artifacts > 0, self.is_alone, self.api.clock).run()
        except BaseException as error:
            self.error = error
        finally:
            self._our_turn.release()

    def _hear(self, event: Event) -> None:
        if isinstance(event, Said):
            self.said.append(event.line)
            self.api.world.tell(f"{self.api.name}: {event.line.splitlines()[0]}")

    # as a watch, and as held signals

    def follow(self, pod: str) -> None:
        self.queue.append(LogEnded(pod))

    def get(self, timeout: float) -> WatchNews:
        if not self.queue:
            self._our_turn.release()
            self._its_turn.acquire()
        if self._is_killed:
            raise Stopped
        return self.get_nowait()

    def get_nowait(self) -> WatchNews:
        if not self.queue:
            raise Empty
        return self.queue.popleft()

    def check(self) -> None:
        if self._is_killed:
            raise Stopped


def reordered(news: Sequence[WatchNews], order: Callable[[list[WatchNews]], object]) -> list[WatchNews]:
    """Give news in another order: those of one object keep theirs, as the API does."""
    shuffled = [*news]
    order(shuffled)
    queues: dict[tuple[str, str], deque[WatchNews]] = {}
    for each in news:
        queues.setdefault(_object_of(each), deque()).append(each)
    return [queues[_object_of(each)].popleft() for each in shuffled]


def _object_of(news: WatchNews) -> tuple[str, str]:
    return (news.kind, news.name) if isinstance(news, Changed) else ("", "")
