"""A namespace per test on the development cluster (`make kind-up`), with the chart and a store of its own."""

import base64
import json
import os
import secrets
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg2
import pytest

from benchmarks.development_cluster import HOME, environment
from ctiforge.launcher.backend import Command, Event, Outcome, Progressed, Said, Task
from ctiforge.launcher.kubernetes.backend import KubernetesBackend
from ctiforge.launcher.kubernetes.client import Cluster
from ctiforge.launcher.kubernetes.connecting import connect
from ctiforge.store.objects import ObjectStore, open_store

if TYPE_CHECKING:
    from tests.cluster.training import Prepared

ROOT = Path(__file__).parents[2]
CONTROL_PLANE, WORKER = "ctiforge-control-plane", "ctiforge-worker"
SERVICES = "ctiforge"
RELEASE = "t"


@pytest.fixture(scope="session", autouse=True)
def laptop() -> Iterator[None]:
    """The environment that `make kind-up` left for this machine."""
    if not (HOME / "laptop.env").exists() or not shutil.which("kubectl"):
        pytest.exit("no development cluster, or no kubectl on PATH: make kind-up", returncode=2)
    patch = pytest.MonkeyPatch()
    for name, value in environment().items():
        patch.setenv(name, value)
    yield
    patch.undo()


def kubectl(*arguments: str, namespace: str = SERVICES, check: bool = True, given: str | None = None) -> str:
    """Run kubectl in the namespace; gives back what it said."""
    command = ["kubectl", "--namespace", namespace, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, input=given, timeout=900)
    assert not check or done.returncode == 0, f"{' '.join(command)}: {done.stderr}"
    return done.stdout


@dataclass
class Place:
    """A release of the chart in a namespace of its own."""

    namespace: str
    store: ObjectStore
    cluster: Cluster
    said: list[str] = field(default_factory=list)
    reached: int = 0
    """How many units the program that is followed has done."""
    total: int | None = None
    """Of how many: a program may have something else to do before the work that is waited for."""
    heard: threading.Condition = field(default_factory=threading.Condition)

    def install(self, *values: str) -> None:
        """Install the chart, or change its values: `stages.harvest_extract.gpu.count=1`."""
        flags = [part for value in values for part in ("--set-json", _json(value))]
        command = ["helm", "upgrade", "--install", RELEASE, str(ROOT / "helm/ctiforge"), "-n", self.namespace]
        command += ["-f", str(ROOT / "k8s/values.yaml"), "--set", f"store.uri={self.store.uri}", *flags]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    def backend(self) -> KubernetesBackend:
        """The launcher's backend on this release."""
        return KubernetesBackend(self.cluster, RELEASE, self.store)

    def harvest(self, *arguments: str, run: str = "run") -> Outcome:
        """Harvest the demo corpus in a Job of its own."""
        return self.run("harvest_extract", "--from-database", *arguments, run=run)

    def run(self, program: str, *arguments: str, run: str = "run", **task: Any) -> Outcome:
        """Run a program on the store of this place and follow it to its end."""
        command = Command(program, (*arguments, "--store", self.store.uri), task=Task(run, program, **task))
        return self.backend().run(command, self._hear)

    @contextmanager
    def following(self, program: str, *arguments: str, run: str = "run", **task: Any) -> Iterator["Following"]:
        """The same in a thread, so that a test can do something to it meanwhile."""
        following = Following()

        def follow() -> None:
            try:
                following.outcome = self.run(program, *arguments, run=run, **task)
            except Exception as error:
                following.error = error

        following.thread = threading.Thread(target=follow, daemon=True)
        following.thread.start()
        yield following
        following.wait()

    def ctiforge(self, *arguments: str, environment: Mapping[str, str] | None = None) -> "subprocess.Popen[str]":
        """Start the command `ctiforge` on this release."""
        return subprocess.Popen(
            [sys.executable, "-m", "ctiforge", *arguments],
            env={**os.environ, **self.settings(), **(environment or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def settings(self) -> dict[str, str]:
        """What `ctiforge` needs in its environment to find this release."""
        place = {"CTIFORGE_RELEASE": RELEASE, "CTIFORGE_NAMESPACE": self.namespace}
        return {**place, "CTIFORGE_BACKEND": "kubernetes", "CTIFORGE_OUTPUTS": f".ctiforge/outputs/{self.namespace}"}

    def jobs(self) -> list[str]:
        """Names of the Jobs that are there."""
        return sorted(job["metadata"]["name"] for job in self.cluster.list("jobs")[0])

    def pods(self, selector: str | None = None) -> list[dict[str, Any]]:
        """Pods of the namespace."""
        return self.cluster.list("pods", selector)[0]

    def wait_until_running(self, program: str = "harvest_extract") -> dict[str, Any]:
        """Wait until a pod of the program runs; gives it back."""
        selector = pods_of(program)
        kubectl("wait", "pod", "-l", selector, "--for=create", "--timeout=300s", namespace=self.namespace)
        kubectl("wait", "pod", "-l", selector, "--for=condition=Ready", "--timeout=300s", namespace=self.namespace)
        return self.pods(selector)[0]

    def wait_until_failed(self, program: str) -> None:
        """Wait until a pod of the program has failed."""
        failed = "--for=jsonpath={.status.phase}=Failed"
        kubectl("wait", "pod", "-l", pods_of(program), failed, "--timeout=300s", namespace=self.namespace)

    def evict(self, pod: str) -> None:
        """Evict the pod as `kubectl drain` does."""
        body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod, "namespace": self.namespace}}
        path = f"/api/v1/namespaces/{self.namespace}/pods/{pod}/eviction"
        kubectl("create", "--raw", path, "-f", "-", namespace=self.namespace, given=json.dumps(body))

    def wait_until_done(self, units: int, of: int | None = None, seconds: float = 600) -> None:
        """Wait until the program that is followed has told that it did so many units, `of` so many."""

        def is_done() -> bool:
            return self.reached >= units and of in (None, self.total)

        with self.heard:
            assert self.heard.wait_for(is_done, seconds), f"stands at {self.reached} of {self.total}"

    def wait_until_said(self, text: str, seconds: float = 600) -> None:
        """Wait until a program that is followed has said a line with this text."""
        with self.heard:
            assert self.heard.wait_for(lambda: any(text in line for line in self.said), seconds), self.said

    def _hear(self, event: Event) -> None:
        with self.heard:
            if isinstance(event, Said):
                self.said.append(event.line)
            if isinstance(event, Progressed):
                self.reached, self.total = event.done, event.total
            self.heard.notify_all()


@dataclass
class Following:
    """A program that is being followed in a thread."""

    outcome: Outcome | None = None
    error: Exception | None = None
    thread: threading.Thread | None = None

    def wait(self, seconds: float = 300) -> Outcome:
        """Its outcome."""
        assert self.thread
        self.thread.join(seconds)
        assert not self.thread.is_alive(), f"not done within {seconds} s"
        if self.error:
            raise self.error
        assert self.outcome
        return self.outcome


def pods_of(program: str) -> str:
    """The selector of a program's pods."""
    return f"ctiforge.io/stage={program.replace('_', '-')}"


@contextmanager
def new_place() -> Iterator[Place]:
    """A namespace with secrets, the chart's default release and an empty store; removed at the end."""
    name = f"test-{secrets.token_hex(4)}"
    kubectl("create", "namespace", name)
    kubectl("label", "namespace", name, "pod-security.kubernetes.io/enforce=restricted")
    for secret in ("ctiforge-store", "ctiforge-database"):
        found = json.loads(kubectl("get", "secret", secret, "-o", "json"))
        found["metadata"] = {"name": secret}
        kubectl("apply", "-f", "-", namespace=name, given=json.dumps(found))
    place = Place(name, open_store(f"s3://ctiforge/tests/{name}"), connect(namespace=name))
    place.install()
    yield place
    kubectl("delete", "namespace", name, "--wait=false")
    for info in place.store.list(""):
        place.store.delete(info.key)


@pytest.fixture(scope="session")
def lasting() -> Iterator[Place]:
    """A place that lives as long as the tests."""
    with new_place() as place:
        yield place


@pytest.fixture(scope="session")
def flags(lasting: Place) -> tuple[str, ...]:
    """The demo's examples in the store, and the flags of a training on them."""
    from tests.cluster.training import prepare

    return prepare(lasting)


@pytest.fixture(scope="session")
def prepared(lasting: Place, flags: tuple[str, ...]) -> "Prepared":
    """The training that nothing disturbed, long enough for several faults."""
    from tests.cluster.training import trained

    return trained(lasting, "train_extract", *flags)


@pytest.fixture
def place() -> Iterator[Place]:
    """A place of the test's own."""
    with new_place() as place:
        yield place


@contextmanager
def articles_locked() -> Iterator[None]:
    """Nobody can read the articles meanwhile: a harvest that has begun waits in the middle."""
    with psycopg2.connect(os.environ["DATABASE_URL"]) as connection, connection.cursor() as cursor:
        cursor.execute("LOCK TABLE articles IN ACCESS EXCLUSIVE MODE")
        yield
        connection.rollback()


def stop_s3() -> None:
    """Take the S3 server away; its data stay."""
    kubectl("scale", "deployment/s3", "--replicas=0")
    kubectl("wait", "pod", "-l", "app=s3", "--for=delete", "--timeout=60s")


def start_s3() -> None:
    """Bring the S3 server back, if it is away."""
    kubectl("scale", "deployment/s3", "--replicas=1")
    kubectl("rollout", "status", "deployment/s3", "--timeout=120s")


def secret_values() -> list[str]:
    """What must stand in no log and no manifest."""
    found = json.loads(kubectl("get", "secret", "ctiforge-store", "ctiforge-database", "-o", "json"))
    values = [base64.b64decode(v).decode() for item in found["items"] for v in item["data"].values()]
    return [value for value in values if value != "ctiforge"]


def _json(value: str) -> str:
    name, _, text = value.partition("=")
    try:
        json.loads(text)
    except ValueError:
        text = json.dumps(text)
    return f"{name}={text}"
