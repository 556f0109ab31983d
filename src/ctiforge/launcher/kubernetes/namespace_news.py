"""Events, and Kueue's Workloads, of a namespace: watched once for all pieces of work that a launcher follows.

They carry none of our labels: a watch for each piece of work would bring every one of them to each.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from queue import SimpleQueue

from ctiforge.launcher.kubernetes.client import Cluster, Object, ResourceKind
from ctiforge.launcher.kubernetes.reading import completed
from ctiforge.launcher.kubernetes.watching import Changed, WatchFailed, Watching, WatchNews

Place = tuple[ResourceKind, str]
Listener = tuple[str, "SimpleQueue[WatchNews]"]
"""The key of a piece of work, and where its news go."""


class NamespaceNews:
    """Brings each piece of work what is said of its own Jobs and pods; begins with the first one."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._lock = threading.Lock()
        self._listeners: list[Listener] = []
        self._known: dict[Place, Object] = {}
        self._failed: WatchFailed | None = None
        self._watching: Watching | None = None

    @contextmanager
    def told(self, key: str, changes: "SimpleQueue[WatchNews]") -> Iterator[None]:
        """Put what is said of a piece of work among its other changes, what was said before first.

        Args:
            key: What the names of its Jobs and pods begin with.
            changes: The queue that its other changes come in.

        Raises:
            ClusterError: The cluster does not say whether it has Kueue.
        """
        self._begin()
        listener = (key, changes)
        with self._lock:
            for (kind, name), value in self._known.items():
                if _is_about(key, kind, value):
                    changes.put(Changed(kind, name, value))
            if self._failed:
                changes.put(self._failed)
            self._listeners.append(listener)
        try:
            yield
        finally:
            with self._lock:
                self._listeners.remove(listener)

    def close(self) -> None:
        """End the watches."""
        if self._watching:
            self._watching.__exit__()

    def _begin(self) -> None:
        with self._lock:
            if self._watching:
                return
            kinds: dict[ResourceKind, str | None] = {"events": None}
            if self._cluster.tells_of_queues():
                kinds["workloads"] = None
            self._watching = Watching(self._cluster, kinds).__enter__()
        threading.Thread(target=self._pass_on, args=(self._watching,), daemon=True).start()

    def _pass_on(self, watching: Watching) -> None:
        while True:
            change = watching.changes.get()
            with self._lock:
                self._take(change)

    def _take(self, change: WatchNews) -> None:
        if isinstance(change, WatchFailed):
            self._failed = change
            for _, changes in self._listeners:
                changes.put(change)
            return
        if not isinstance(change, Changed):
            return
        place = (change.kind, change.name)
        value = completed(change.value) if change.value and change.kind == "events" else change.value
        about = value or self._known.pop(place, None)
        if value:
            self._known[place] = value
        for key, changes in self._listeners:
            if about and _is_about(key, change.kind, about):
                changes.put(Changed(change.kind, change.name, value))


def _is_about(key: str, kind: ResourceKind, value: Object) -> bool:
    if kind == "events":
        return str(value["involvedObject"].get("name", "")).startswith(key)
    return any(str(owner["name"]).startswith(key) for owner in value["metadata"].get("ownerReferences") or [])
