"""A cluster with a few Jobs and pods in it, that are chosen by their labels as the API does it."""

import copy
import re
from collections.abc import Iterator
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from ctiforge.launcher.backend import Task
from ctiforge.launcher.kubernetes.client import Object
from ctiforge.launcher.kubernetes.manifests import JOB, KEY, RELEASE, RUN, STAGE, place_of, work_key
from ctiforge.records.run import RunRecord, StageRecord
from ctiforge.store.objects import ObjectStore, open_store
from ctiforge.store.runs import new_run, save_run
from tests.unit.launcher.kubernetes.scripted import TEMPLATE, ScriptedCluster

PRINT = "0123456789ab" + "0" * 52


class SmallCluster(ScriptedCluster):
    """Its deleted Jobs take their pods with them, unless `pods_stay`."""

    pods_stay = False

    def __init__(self, *steps: Any) -> None:
        super().__init__(*steps)
        self.found["events"], self.told["events"] = {}, {}
        self.deleted: list[str] = []
        self.logs: dict[str, list[str]] = {}
        self.watchers: list[tuple[str, str | None, SimpleQueue[Object]]] = []

    def list(self, kind: str, selector: str | None = None) -> tuple[list[Object], str]:  # type: ignore[override]
        found = [each for each in list(self.found[kind].values()) if fits(each["metadata"].get("labels", {}), selector)]
        return found, str(self.version)

    def watch(self, kind: str, selector: str | None, version: str) -> Iterator[Object]:  # type: ignore[override]
        watcher: SimpleQueue[Object] = SimpleQueue()
        self.watchers.append((kind, selector, watcher))
        while True:
            yield watcher.get()

    def tells_of_queues(self) -> bool:
        return False

    def cron_job(self, name: str) -> Object:
        template = copy.deepcopy(TEMPLATE)
        template["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"][0]["image"] = "of-stages"
        return template

    def job(self, name: str) -> Object | None:
        return self.found["jobs"].get(name)

    def pod(self, name: str) -> Object | None:
        return self.found["pods"].get(name)

    def log(self, pod: str, container: str, *, follow: bool, since: str | None = None) -> Iterator[str]:
        return (f"2026-01-01T00:00:{number:02}Z {line}" for number, line in enumerate(self.logs.get(pod, [])))

    def delete_job(self, name: str) -> None:
        if self.found["jobs"].pop(name, None):
            self.deleted.append(name)
        if not self.pods_stay:
            pods = self.found["pods"]
            for pod in [each for each, value in pods.items() if value["metadata"]["labels"][JOB] == name]:
                del pods[pod]

    def put_launcher(self, name: str, release: str = "t") -> str:
        """A launcher's Job as a schedule makes it, without a label of the run."""
        return self._put_with_pod(name, {"app.kubernetes.io/component": "launcher", RELEASE: release})

    def put_stage(self, key: str, run: str, attempt: int = 1, stage: str = "train-extract") -> str:
        """The Job of a piece of work, which this run has made."""
        labels = {RUN: run, KEY: key, STAGE: stage, "ctiforge.io/attempt": str(attempt)}
        return self._put_with_pod(f"{key}-{attempt}", labels)

    def end(self, name: str, how: str = "Complete") -> None:
        """The Job ends, and its pods with it."""
        job = self.found["jobs"][name]
        self.put_job({**job, "status": {"conditions": [{"type": how, "status": "True"}]}})
        for pod in [each for each in self.found["pods"].values() if each["metadata"]["labels"][JOB] == name]:
            self.put(pod, "Succeeded", {"terminated": {"exitCode": 0}})

    def put(self, pod: Object, phase: str, state: Object) -> None:
        """A pod is so now."""
        status = {"phase": phase, "containerStatuses": [{"name": "stage", "state": state}]}
        self._put("pods", {**pod, "status": status})

    def _put(self, kind: str, value: Object) -> None:
        super()._put(kind, value)
        for watched, selector, watcher in self.watchers:
            if watched == kind and fits(value["metadata"].get("labels", {}), selector):
                watcher.put({"type": "MODIFIED", "object": value})

    def _put_with_pod(self, name: str, labels: dict[str, str]) -> str:
        self.put_job({"metadata": {"name": name, "labels": labels}, "spec": TEMPLATE["spec"]["jobTemplate"]["spec"]})
        metadata = {"name": f"{name}-pod", "labels": {**labels, JOB: name}, "ownerReferences": [{"uid": f"uid-{name}"}]}
        self.put({"metadata": metadata, "spec": {}}, "Running", {"running": {}})
        return name


def fits(labels: dict[str, str], selector: str | None) -> bool:
    """Whether the labels are those that a selector chooses."""
    for part in re.split(r",(?![^(]*\))", selector or ""):
        name, equals, value = part.partition("=")
        if among := re.fullmatch(r"(\S+) in \((.*)\)", part):
            is_chosen = labels.get(among[1]) in among[2].split(",")
        elif equals:
            is_chosen = labels.get(name) == value
        else:
            is_chosen = not name or name in labels
        if not is_chosen:
            return False
    return True


def put_run(store: ObjectStore, run_id: str, **changes: Any) -> RunRecord:
    """A run that harvested, and trains."""
    done = StageRecord(name="harvest_extract", program="harvest_extract", state="done")
    train = StageRecord(name="train_extract", program="train_extract", state="running", fingerprint=PRINT)
    run = new_run("extract", [done, train], run_id).model_copy(update=changes)
    save_run(store, run)
    return run


def key_of(store: ObjectStore, release: str = "t") -> str:
    """What names the training of those runs."""
    return work_key("train_extract", Task("any", "train_extract", PRINT, place=place_of(release, store.uri)))


def store_in(folder: Path) -> ObjectStore:
    """A store, where pods would have one in S3."""
    return open_store(str(folder))
