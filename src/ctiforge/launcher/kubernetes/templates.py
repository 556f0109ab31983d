"""The job templates that a run is made of: a `helm upgrade` while it goes on changes no stage of it."""

import json
from collections.abc import Iterable
from contextlib import suppress
from threading import Lock

from ctiforge.errors import StoreError
from ctiforge.launcher.kubernetes.client import Cluster, Object
from ctiforge.launcher.kubernetes.manifests import image_of, template_name, with_image
from ctiforge.store.objects import ObjectStore


class Templates:
    """A release's templates as runs found them.

    A launcher reads all of a run before its first Job and keeps them. Of a run that a launcher goes on with, the store
    has the images alone: it began with them, and they are what must not be mixed. Resources, nodes and the names of
    secrets are the cluster's now; and no pod's variables lie in the store.
    """

    def __init__(self, cluster: Cluster, release: str, store: ObjectStore) -> None:
        self._cluster = cluster
        self._release = release
        self._store = store
        self._programs: set[str] = set()
        self._kept: dict[str, dict[str, Object]] = {}
        self._lock = Lock()

    def expect(self, programs: Iterable[str]) -> None:
        """Note which programs a run will have: their templates are read together."""
        self._programs.update(programs)

    def of(self, run: str, program: str) -> Object:
        """Give the run's template of a program.

        Raises:
            ClusterError: The release has none, or the cluster does not answer.
            StoreError: The images that the run began with cannot be read or kept.
        """
        # points of a sweep begin side by side
        with self._lock:
            kept = self._kept.setdefault(run, {})
            if program not in kept:
                kept |= self._read(run, {*self._programs, program} - kept.keys())
            return kept[program]

    def forget(self, run: str) -> None:
        """Let a run that failed go on with the release as it is by then: a `helm upgrade` may be what mends it."""
        # a store that is away hides no reason: the run fails with these images once more, and is forgotten then
        with suppress(StoreError, OSError):
            self._store.delete(_key(run))

    def _read(self, run: str, programs: set[str]) -> dict[str, Object]:
        found = {each: self._cluster.cron_job(template_name(self._release, each)) for each in sorted(programs)}
        images = {each: image_of(template) for each, template in found.items()}
        if not self._store.write_new(_key(run), json.dumps(images, indent=2).encode()):
            images |= self._begun_with(run)
        return {each: with_image(template, images[each]) for each, template in found.items()}

    def _begun_with(self, run: str) -> dict[str, str]:
        try:
            return dict(json.loads(self._store.read(_key(run))))
        except (ValueError, TypeError):
            raise StoreError(
                f"{self._store.uri}/{_key(run)} cannot be read: delete it, and start the run again"
            ) from None


def _key(run: str) -> str:
    return f"runs/{run}/images.json"
