"""Follow what a run's programs say while they say it: pods of its stages, as they come, to the run's end."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from queue import Empty

from ctiforge.launcher.backend import Event, Progressed, Said, read_event
from ctiforge.launcher.kubernetes.client import Cluster, Object
from ctiforge.launcher.kubernetes.manifests import JOB, KEY, RUN, STAGE, dashed, place_of
from ctiforge.launcher.kubernetes.reading import creation_time, has_started
from ctiforge.launcher.kubernetes.runs import RUNNER
from ctiforge.launcher.kubernetes.shared_work import find_record, work_of
from ctiforge.launcher.kubernetes.standing import ask
from ctiforge.launcher.kubernetes.watching import Changed, LogEnded, Logged, WatchFailed, Watching, WatchNews
from ctiforge.launcher.view import progress_words
from ctiforge.records.run import RunRecord
from ctiforge.store.objects import ObjectStore

LOOK_EVERY_S = 5.0
"""How often the record and the Jobs are asked whether the run has ended, and which work it has by now."""
PROGRESS_EVERY_S = 10.0
LAST_WORDS_S = 15.0
"""How long logs are read on when their run has ended."""


@dataclass
class Following:
    """A run whose pods are followed."""

    cluster: Cluster
    store: ObjectStore
    release: str
    run_id: str
    stage: str | None
    """Only this stage's pods; `launcher`: the launcher's; None: those of all stages, whose lines a launcher repeats."""
    say: Callable[[str], None]
    run: RunRecord | None = None
    """The run's record as it was read last; None before its launcher has begun."""
    work: dict[str, str] = field(default_factory=dict)
    """What names work of the run → its stage; another run's Job may do it."""
    followed: set[str] = field(default_factory=set)
    reading: set[str] = field(default_factory=set)
    """Of those followed, the pods whose logs have not ended."""
    quiet_until: dict[str, float] = field(default_factory=dict)
    """When a pod's progress is told again, by the monotonic clock."""
    spoke: str = ""
    """The pod that said something last."""

    def pods(self) -> list[str]:
        """Name the pods of the run that have begun and are there, oldest first."""
        self._read_record()
        found = [pod for pod in self.cluster.list("pods", self._selector)[0] if self._is_wanted(pod)]
        return [pod["metadata"]["name"] for pod in sorted(found, key=creation_time)]

    def follow(self) -> None:
        """Say each line of each pod once, until the run has ended.

        Raises:
            ClusterError: The cluster refuses, or does not answer.
            StoreError: The store does not answer.
        """
        looks_at, ends_at = 0.0, None
        with Watching(self.cluster, {"pods": self._selector}) as watching:
            while ends_at is None or (self.reading and time.monotonic() < ends_at):
                if ends_at is None and time.monotonic() >= looks_at:
                    is_over = self._is_over()
                    # the watch may not know yet that a pod is the run's, or has begun
                    for pod in self.pods():
                        self._begin(watching, pod)
                    ends_at = time.monotonic() + LAST_WORDS_S if is_over else None
                    looks_at = time.monotonic() + LOOK_EVERY_S
                    continue
                self._take(watching)

    @property
    def _selector(self) -> str:
        return f"{JOB}={self.run_id}" if self.stage == RUNNER else KEY

    def _read_record(self) -> None:
        self.run = find_record(self.store, self.run_id) or self.run
        if self.run:
            self.work |= work_of(self.run, place_of(self.release, self.store.uri))

    def _is_over(self) -> bool:
        """Whether nothing more comes of the run: it is done, or neither its launcher nor a Job of it lives."""
        self._read_record()
        if self.run and self.run.state in ("done", "cancelled"):
            return True
        standing = ask(self.cluster, self.store, self.release, self.run_id, self.run, datetime.now(UTC))
        return not standing.is_launched and not standing.jobs

    def _is_wanted(self, pod: Object) -> bool:
        if self.stage == RUNNER:
            return has_started(pod)
        labels = pod["metadata"].get("labels", {})
        own = labels.get(RUN) == self.run_id or labels.get(KEY) in self.work
        # another run may call the same work otherwise
        stage = self.work.get(labels.get(KEY), labels.get(STAGE, ""))
        return own and has_started(pod) and (self.stage is None or dashed(self.stage) == dashed(stage))

    def _begin(self, watching: Watching, pod: str) -> None:
        if pod not in self.followed:
            self.followed.add(pod)
            self.reading.add(pod)
            watching.follow(pod)

    def _take(self, watching: Watching) -> None:
        """Wait a moment for what the watch tells."""
        try:
            self._note(watching, watching.changes.get(timeout=min(1.0, LOOK_EVERY_S)))
        except Empty:
            return

    def _hear(self, pod: str, event: Event) -> None:
        """Say a line of a pod, and now and then how far it is: a training says little else for hours."""
        words = event.line if isinstance(event, Said) else None
        if isinstance(event, Progressed) and time.monotonic() >= self.quiet_until.get(pod, 0.0):
            self.quiet_until[pod] = time.monotonic() + PROGRESS_EVERY_S
            words = progress_words(event)
        if words is None:
            return
        if pod != self.spoke:
            self.say(f"--- {pod}")
            self.spoke = pod
        self.say(words)

    def _note(self, watching: Watching, news: WatchNews) -> None:
        match news:
            case Changed(_, name, pod) if pod and self._is_wanted(pod):
                self._begin(watching, name)
            case Logged(pod, line):
                self._hear(pod, read_event(line))
            case LogEnded(pod, _):
                self.reading.discard(pod)
            case WatchFailed(error):
                raise error
