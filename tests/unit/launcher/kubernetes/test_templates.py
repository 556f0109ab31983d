"""A run is made of one release's templates, whatever is installed while it goes on."""

import copy
import json
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from ctiforge.errors import ExitCode, StoreError
from ctiforge.launcher.backend import Command, Outcome, Task
from ctiforge.launcher.kubernetes import backend as backend_module
from ctiforge.launcher.kubernetes.backend import KubernetesBackend
from ctiforge.launcher.kubernetes.client import Cluster, Object
from ctiforge.launcher.kubernetes.manifests import image_of, stage_container
from ctiforge.launcher.kubernetes.refusals import ClusterError
from ctiforge.store.objects import open_store

TRAIN, EVAL = "train_extract", "eval_extract"
COMMANDS = {"train": Command(TRAIN), "eval": Command(EVAL)}


class Release(Cluster):
    """A release whose templates have the image and the memory of its version."""

    def __init__(self) -> None:
        self.namespace = "ml"
        self.version = 1
        self.asked: list[str] = []

    def upgrade(self) -> None:
        self.version += 1

    def tells_of_queues(self) -> bool:
        return False

    def cron_job(self, name: str) -> Object:
        self.asked.append(name)
        image = f"registry.example/ctiforge:{self.version}"
        container = {
            "name": "stage",
            "image": image,
            "env": [{"name": "CTIFORGE_IMAGE", "value": image}, {"name": "COLUMNS", "value": "80"}],
            "resources": {"limits": {"memory": f"{self.version}Gi"}},
        }
        sidecar = {"name": "proxy", "image": "envoy:1"}
        pod = {"spec": {"containers": [sidecar, container]}}
        return {"metadata": {"name": name}, "spec": {"jobTemplate": {"spec": {"template": pod}}}}


class Run:
    """Launchers of one run, each with the release's templates."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.release = Release()
        self.store = open_store(str(folder))
        self.templates: list[Object] = []
        self.tasks: list[Task] = []
        self.ends: Outcome | Exception = Outcome(0, ())
        monkeypatch.setattr(backend_module, "Watching", lambda *_: _Nothing())
        monkeypatch.setattr(backend_module.NamespaceNews, "told", lambda *_: nullcontext())
        monkeypatch.setattr(backend_module, "Work", self._work)
        monkeypatch.setattr(backend_module.Planner, "check", lambda *_: {})

    def launcher(self, release: str = "ctiforge") -> KubernetesBackend:
        """A launcher that has just been started."""
        made = KubernetesBackend(self.release, release, self.store)
        made.check(COMMANDS)
        return made

    def do(self, launcher: KubernetesBackend, program: str, run: str = "run-1") -> Object:
        """Let it do a stage; gives back the template that the Job is made of."""
        launcher.run(Command(program, task=Task(run, program, "0" * 64)), lambda event: None)
        return self.templates[-1]

    def _work(self, cluster: Cluster, command: Command, task: Task, template: Object, *_: Any) -> "Run":
        self.templates.append(copy.deepcopy(template))
        self.tasks.append(task)
        return self

    def run(self) -> Outcome:
        if isinstance(self.ends, Exception):
            raise self.ends
        return self.ends


class _Nothing:
    changes = None

    def __enter__(self) -> "_Nothing":
        return self

    def __exit__(self, *_: object) -> None:
        return


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    return Run(tmp_path / "store", monkeypatch)


def version(template: Object) -> str:
    """Of the image, the same as the program is told."""
    container = stage_container(template["spec"]["jobTemplate"])
    told = {each["name"]: each["value"] for each in container["env"]}
    assert told["CTIFORGE_IMAGE"] == container["image"] == image_of(template)
    assert told["COLUMNS"] == "80"
    return container["image"].rpartition(":")[2]


def memory(template: Object) -> str:
    found: str = stage_container(template["spec"]["jobTemplate"])["resources"]["limits"]["memory"]
    return found


def test_an_upgrade_in_the_middle_changes_no_later_stage(run: Run) -> None:
    launcher = run.launcher()
    assert version(run.do(launcher, TRAIN)) == "1"
    run.release.upgrade()
    template = run.do(launcher, EVAL)
    assert (version(template), memory(template)) == ("1", "1Gi")
    assert sorted(run.release.asked) == ["ctiforge-eval-extract", "ctiforge-train-extract"], "read once, all together"
    assert version(run.do(launcher, TRAIN, "run-2")) == "2", "another run has the release as it is"


def test_a_launcher_that_goes_on_with_a_run_keeps_its_images(run: Run) -> None:
    run.do(run.launcher(), TRAIN)
    run.ends = Outcome(int(ExitCode.INTERRUPTED), ())
    run.do(run.launcher(), TRAIN)
    run.release.upgrade()
    template = run.do(run.launcher(), EVAL)
    # the secrets and the room that pods get are the cluster's now
    assert (version(template), memory(template)) == ("1", "2Gi")
    assert json.loads(run.store.read("runs/run-1/images.json")) == dict.fromkeys(
        (TRAIN, EVAL), "registry.example/ctiforge:1"
    )


@pytest.mark.parametrize("end", [Outcome(int(ExitCode.CANNOT_GO_ON), ()), Outcome(1, ()), ClusterError("refused")])
def test_a_run_that_failed_goes_on_with_what_mends_it(run: Run, end: Outcome | Exception) -> None:
    run.do(run.launcher(), TRAIN)
    run.ends = end
    launcher = run.launcher()
    if isinstance(end, Exception):
        with pytest.raises(ClusterError):
            run.do(launcher, EVAL)
    else:
        run.do(launcher, EVAL)
    run.release.upgrade()
    run.ends = Outcome(0, ())
    assert version(run.do(run.launcher(), EVAL)) == "2"


def test_a_store_that_is_away_hides_no_outcome(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(key: str) -> None:
        raise StoreError("the store does not answer")

    launcher = run.launcher()
    run.do(launcher, TRAIN)
    run.ends = Outcome(int(ExitCode.CANNOT_GO_ON), ())
    monkeypatch.setattr(run.store, "delete", away)
    outcome = launcher.run(Command(EVAL, task=Task("run-1", EVAL, "0" * 64)), lambda event: None)
    assert outcome == run.ends


def test_damaged_images_are_told_in_a_line(run: Run) -> None:
    run.store.write("runs/run-1/images.json", b"{")
    with pytest.raises(StoreError, match=r"runs/run-1/images.json cannot be read: delete it"):
        run.do(run.launcher(), TRAIN)


def test_a_program_that_nobody_expected_has_its_template_too(run: Run) -> None:
    launcher = run.launcher()
    run.do(launcher, TRAIN)
    assert version(run.do(launcher, "compare")) == "1"


def test_releases_and_stores_of_one_namespace_have_places_of_their_own(run: Run, tmp_path: Path) -> None:
    run.do(run.launcher("dev"), TRAIN)
    run.do(run.launcher("prod"), TRAIN)
    run.store = open_store(str(tmp_path / "other"))
    run.do(run.launcher("prod"), TRAIN)
    assert len({task.place for task in run.tasks}) == 3
