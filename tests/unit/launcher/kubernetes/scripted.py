"""A cluster that changes by a script, one step a look, and has a clock of its own."""

import copy
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from queue import Empty
from typing import Any

from ctiforge.launcher.backend import Command, Event, Outcome, Progressed, Ran, Said, Task
from ctiforge.launcher.kubernetes.client import Cluster, Object
from ctiforge.launcher.kubernetes.members import INDEX, SHARDS
from ctiforge.launcher.kubernetes.refusals import QUOTA_MEND, ClusterError
from ctiforge.launcher.kubernetes.watching import Changed, LogEnded, WatchNews
from ctiforge.launcher.kubernetes.work import Work
from tests.unit.launcher.kubernetes.cases import after

KEY = "train-extract-0123456789ab"
TEMPLATE: Object = {
    "metadata": {"name": "t-train-extract", "annotations": {}},
    "spec": {
        "jobTemplate": {
            "spec": {
                "backoffLimit": 6,
                "template": {"spec": {"containers": [{"name": "stage", "args": ["train_extract"]}]}},
            }
        }
    },
}
Step = Callable[["ScriptedCluster"], object]


class ScriptedCluster(Cluster):
    """Jobs and pods as the API has them; the watch tells of them unless it is `stale`."""

    def __init__(self, *steps: Step | float) -> None:
        self.namespace = "ml"
        self.seconds = 0.0
        self.steps = deque(steps)
        self.found: dict[str, dict[str, Object]] = {"jobs": {}, "pods": {}}
        self.told: dict[str, dict[str, int]] = {"jobs": {}, "pods": {}}
        self.changes = Changes(self)
        self.calls: list[str] = []
        self.said: list[str] = []
        self.progress: list[Progressed] = []
        self.ran: list[float] = []
        self.stale = False
        self.is_made = False
        self.is_alone = False
        self.logs: dict[str, list[str]] = {}
        """By container."""
        self.silent_since: float | None = None
        self.refuses: Callable[[str], bool] = lambda name: False
        self.refusal: ClusterError | None = None
        """What the API says of every Job that is to be made."""
        self.version = 0
        self.kept: Object = {}
        """A Job that a script keeps for later."""

    def clock(self) -> float:
        return self.seconds

    def silent_s(self) -> float:
        return 0.0 if self.silent_since is None else self.seconds - self.silent_since

    def now(self) -> datetime:
        return after(self.seconds)

    def list(self, kind: str, selector: str | None = None) -> tuple[list[Object], str]:  # type: ignore[override]
        return list(self.found[kind].values()), str(self.version)

    def log(self, pod: str, container: str, *, follow: bool, since: str | None = None) -> Iterator[str]:
        yield from self.logs.get(container, ())

    def create_job(self, job: Object, *, dry_run: bool = False) -> bool:
        if self.refusal:
            raise self.refusal
        if dry_run:
            return True
        name = job["metadata"]["name"]
        # a quota refuses before the API finds that the name is taken
        if self.refuses(name):
            raise ClusterError(f"cannot create job {name}: exceeded quota: jobs, used: 1, limited: 1{QUOTA_MEND}", 403)
        if name in self.found["jobs"]:
            return False
        self.calls.append(f"create {name.rpartition('-')[2]}")
        self.put_job(job)
        return True

    def delete_job(self, name: str) -> None:
        if self.found["jobs"].pop(name, None):
            self.calls.append(f"delete {name.rpartition('-')[2]}")
        for pod in [pod for pod, value in self.found["pods"].items() if value["metadata"]["name"].startswith(name)]:
            del self.found["pods"][pod]

    def put_job(self, job: Object) -> None:
        job["metadata"].setdefault("uid", f"uid-{job['metadata']['name']}")
        job.setdefault("status", {})
        self._put("jobs", job)

    def job_with(self, attempt: int, **status: Any) -> None:
        """The attempt's Job has this status."""
        job = self.found["jobs"][f"{KEY}-{attempt}"]
        self.put_job({**job, "status": {**job["status"], **status}})

    def suspend(self, attempt: int, held: bool) -> None:
        """The attempt's Job is held, or let go."""
        job = self.found["jobs"][f"{KEY}-{attempt}"]
        self.put_job({**job, "spec": {**job["spec"], "suspend": held}})

    def put_pod(self, attempt: int, name: str, phase: str, state: Object | None = None, **more: Any) -> None:
        """A pod of the attempt, as it is now."""
        known = self.found["pods"].get(f"{KEY}-{attempt}-{name}", {}).get("metadata", {})
        metadata = {
            "name": f"{KEY}-{attempt}-{name}",
            "namespace": "ml",
            "uid": f"uid-{attempt}-{name}",
            "ownerReferences": [{"uid": f"uid-{KEY}-{attempt}"}],
            "creationTimestamp": known.get("creationTimestamp", after(self.seconds).isoformat()),
            **more.pop("metadata", {}),
        }
        if (index := more.pop("index", None)) is not None:
            metadata["labels"] = {INDEX: str(index)}
        statuses = [{"name": "stage", "state": state}] if state else []
        status = {"phase": phase, "containerStatuses": statuses, "conditions": more.pop("conditions", [])}
        self._put("pods", {"metadata": metadata, "spec": {"containers": [], **more}, "status": status})

    def _put(self, kind: str, value: Object) -> None:
        self.version += 1
        value["metadata"]["resourceVersion"] = str(self.version)
        self.found[kind][value["metadata"]["name"]] = value

    def news(self) -> Sequence[WatchNews]:
        """What the watch tells since it was asked last."""
        if self.stale:
            return []
        news: list[WatchNews] = []
        for kind, found in self.found.items():
            told = self.told[kind]
            news += [Changed(kind, name, None) for name in told if name not in found]  # type: ignore[arg-type]
            now = {name: int(value["metadata"]["resourceVersion"]) for name, value in found.items()}
            news += [Changed(kind, name, found[name]) for name, at in now.items() if told.get(name) != at]  # type: ignore[arg-type]
            self.told[kind] = now
        return news

    def follow(
        self, *, run: str = "mine", limits: dict[str, str] | None = None, pods: int = 1, shards: int = 1, **task: Any
    ) -> Outcome:
        """Follow the work to its end; the script has to bring it there."""
        template = copy.deepcopy({**TEMPLATE, "metadata": {**TEMPLATE["metadata"], "annotations": limits or {}}})
        if shards > 1:
            template["spec"]["jobTemplate"]["metadata"] = {"annotations": {SHARDS: str(shards)}}
        if (several := max(pods, shards)) > 1:
            template["spec"]["jobTemplate"]["spec"] |= {"completionMode": "Indexed", "completions": several}
        command = Command("train_extract", ("--batch-size=8",))
        fingerprint = KEY.rpartition("-")[2] + "0" * 52
        own = Task(run, "train", fingerprint, (8, 1), **task)
        place = (self, command, own, template, self._hear, self.changes, Quiet())
        return Work(*place, lambda: self.is_made, lambda: self.is_alone, self.clock).run()  # type: ignore[arg-type]

    def _hear(self, event: Event) -> None:
        if isinstance(event, Said):
            self.said.append(event.line)
        elif isinstance(event, Ran):
            self.ran.append(event.seconds)
        elif isinstance(event, Progressed):
            self.progress.append(event)


class Changes:
    """The queue of a watch: each look that finds it empty is a step of the script."""

    def __init__(self, cluster: ScriptedCluster) -> None:
        self.cluster = cluster
        self.queue: deque[WatchNews] = deque()
        self.changes = self

    def follow(self, pod: str) -> None:
        self.queue.append(LogEnded(pod))

    def get(self, timeout: float) -> WatchNews:
        if self.queue:
            return self.queue.popleft()
        cluster = self.cluster
        cluster.seconds += timeout
        if not cluster.steps:
            raise AssertionError(f"the script is at its end and the launcher still waits: {cluster.calls}")
        step = cluster.steps.popleft()
        if callable(step):
            step(cluster)
        elif step > 0:
            cluster.steps.appendleft(step - timeout)
        self.queue.extend(cluster.news())
        return self.get_nowait()

    def get_nowait(self) -> WatchNews:
        if not self.queue:
            raise Empty
        return self.queue.popleft()


class Quiet:
    """No signal comes."""

    def check(self) -> None:
        return
