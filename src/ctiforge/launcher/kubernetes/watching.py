"""Watches Jobs, Pods and Events of a namespace and follows pods' logs, each in a thread, into one queue."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from queue import SimpleQueue

from ctiforge.launcher.kubernetes.client import Cluster, Object, ResourceKind
from ctiforge.launcher.kubernetes.manifests import CONTAINER
from ctiforge.launcher.kubernetes.reading import state
from ctiforge.launcher.kubernetes.refusals import ClusterError

GONE = 410
PAUSE_S = 1.0
FORGIVEN_REFUSALS = 60
"""An API server that has just started knows no roles for some seconds, and refuses everybody."""


@dataclass(frozen=True)
class Changed:
    """An object as it is now; None: it is gone."""

    kind: ResourceKind
    name: str
    value: Object | None


@dataclass(frozen=True)
class Logged:
    """A line that a pod's program wrote."""

    pod: str
    line: str


@dataclass(frozen=True)
class LogEnded:
    """All that the pod's program wrote has been read, as far as it can be had."""

    pod: str
    refusal: str = ""
    """Why nothing of it may be read, where a right is missing."""


@dataclass(frozen=True)
class WatchFailed:
    """The cluster does not let itself be watched."""

    error: ClusterError


WatchNews = Changed | Logged | LogEnded | WatchFailed


class Watching:
    """Changes of a namespace as they come; use as a context manager.

    Reconnects from the last resourceVersion after a time-out or a lost connection, and lists anew
    where that version is gone (410).
    """

    def __init__(self, cluster: Cluster, selectors: dict[ResourceKind, str | None]) -> None:
        self.changes: SimpleQueue[WatchNews] = SimpleQueue()
        self._cluster = cluster
        self._selectors = selectors
        self._stop = threading.Event()
        self._ends: dict[str, threading.Event] = {}
        """By each pod that is followed: whether a watch has told that its program ended."""

    def __enter__(self) -> "Watching":
        for kind, selector in self._selectors.items():
            self._start(self._watch, kind, selector)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()

    def follow(self, pod: str) -> None:
        """Follow the log of this pod from its beginning; once."""
        if pod not in self._ends:
            self._ends[pod] = threading.Event()
            self._start(self._follow, pod)

    def _start(self, target: Callable[..., None], *arguments: object) -> None:
        def guarded() -> None:
            try:
                target(*arguments)
            except Exception as error:
                # in a thread nobody would hear of it, and the launcher would wait for ever
                self.changes.put(WatchFailed(ClusterError(f"the watch broke: {type(error).__name__}: {error}")))

        threading.Thread(target=guarded, daemon=True).start()

    def _watch(self, kind: ResourceKind, selector: str | None) -> None:
        known: dict[str, Object] = {}
        version, refusals = "", FORGIVEN_REFUSALS
        while not self._stop.is_set():
            try:
                if not version:
                    version = self._list(kind, selector, known)
                    # who was let in once is refused by mistake
                    refusals = 0
                version = self._read(kind, selector, version, known)
            except ClusterError as error:
                refusals += error.status in (401, 403)
                if refusals > FORGIVEN_REFUSALS:
                    self.changes.put(WatchFailed(error))
                    return
                version = "" if error.status == GONE else version
                self._stop.wait(PAUSE_S)

    def _list(self, kind: ResourceKind, selector: str | None, known: dict[str, Object]) -> str:
        items, version = self._cluster.list(kind, selector)
        now = {item["metadata"]["name"]: item for item in items}
        for name in known.keys() - now.keys():
            self.changes.put(Changed(kind, name, None))
        for name, item in now.items():
            if known.get(name, {}).get("metadata", {}).get("resourceVersion") != item["metadata"]["resourceVersion"]:
                self.changes.put(Changed(kind, name, item))
        known.clear()
        known.update(now)
        return version

    def _read(self, kind: ResourceKind, selector: str | None, version: str, known: dict[str, Object]) -> str:
        """Read one watch to its end; gives back the version to go on from."""
        from urllib3.exceptions import HTTPError

        try:
            for event in self._cluster.watch(kind, selector, version):
                if self._stop.is_set():
                    return version
                item = event["object"]
                if event["type"] == "ERROR":
                    raise ClusterError(str(item.get("message")), item.get("code"))
                version = item["metadata"]["resourceVersion"]
                if event["type"] != "BOOKMARK":
                    self._note(kind, item, event["type"] == "DELETED", known)
        except (HTTPError, OSError, ValueError):
            # the connection broke, in the middle of a line perhaps
            self._stop.wait(PAUSE_S)
        return version

    def _note(self, kind: ResourceKind, item: Object, deleted: bool, known: dict[str, Object]) -> None:
        name = item["metadata"]["name"]
        if deleted:
            known.pop(name, None)
        else:
            known[name] = item
            if name in self._ends and "terminated" in state(item):
                self._ends[name].set()
        self.changes.put(Changed(kind, name, None if deleted else item))

    def _follow(self, pod: str) -> None:
        """Lines of the pod's log, each once; tries again where the connection breaks while the program runs."""
        from urllib3.exceptions import HTTPError

        last: str | None = None
        refusal = ""
        while not self._stop.is_set():
            seen = last or ""
            try:
                for stamped in self._cluster.log(pod, CONTAINER, follow=True, since=last):
                    last, _, line = stamped.partition(" ")
                    if last > seen:
                        self.changes.put(Logged(pod, line.rstrip()))
                if self._has_ended(pod):
                    break
                # a log ends a moment before the cluster knows that its program has
                self._ends[pod].wait(PAUSE_S)
                continue
            except ClusterError as error:
                # 404: the pod is gone; 400: its container never started
                if error.status in (400, 403, 404):
                    refusal = str(error) if error.status == 403 else ""
                    break
            except (HTTPError, OSError, ValueError):
                pass
            self._stop.wait(PAUSE_S)
        self.changes.put(LogEnded(pod, refusal))

    def _has_ended(self, pod: str) -> bool:
        value = self._cluster.pod(pod)
        return value is None or "terminated" in state(value)
