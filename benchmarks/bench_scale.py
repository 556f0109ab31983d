"""Launchers at a team's scale: hundreds of stages on GPUs that kwok plays, behind the development cluster's API.

kwok's pods run nothing and have no logs: as each one runs, what its stage would make is written into the store. Every
row is launchers in processes of their own: what they ask of the API for each stage, their memory, and their lag, from
the moment in which the API tells that a pod is done to the stage's outcome.
"""

import json
import secrets
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer

import development_cluster as development
from ctiforge.pod.entry import run_program
from ctiforge.tables import markdown, table_of

ROOT = Path(__file__).parents[1]
PROGRAM = "train_extract"
NAMESPACE = RELEASE = "scale"
KWOK = {"type": "kwok"}
CHOSEN = {"node-role.kubernetes.io/control-plane": ""}
"""What the development cluster's values choose nodes by."""
PORT = 10247
COLUMNS = (
    "launchers",
    "stages each",
    "at a time",
    "s",
    "API calls a stage",
    "of these watches",
    "peak MB",
    "lag, s",
    "p95",
)


def main(
    nodes: Annotated[int, typer.Option(help="Nodes with 8 GPUs each.")] = 200,
    rows: Annotated[
        str, typer.Option(help="LAUNCHERSxSTAGESxPARALLEL, with commas.")
    ] = "1x50x50,1x100x50,1x200x50,20x10x5",
    child: Annotated[str, typer.Option(hidden=True)] = "",
) -> None:
    """Measure launchers on the development cluster with kwok's nodes, a row each."""
    if child:
        print(json.dumps(_follow(*map(int, child.split("x")))))
        return
    development.use()
    with _nodes(nodes), _release():
        found = []
        for row in rows.split(","):
            found.append(_row(*map(int, row.split("x"))))
            print(markdown([table_of(COLUMNS, found)]), flush=True)


def _row(launchers: int, stages: int, parallel: int) -> tuple[str, ...]:
    command = [sys.executable, __file__, "--child", f"{stages}x{parallel}"]
    started = time.monotonic()
    children = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(launchers)]
    told = [json.loads(child.communicate()[0].splitlines()[-1]) for child in children]
    seconds = time.monotonic() - started
    development.kubectl("delete", "jobs", "--all", "-n", NAMESPACE, "--wait=false")
    calls = sum(each["calls"] for each in told) / (launchers * stages)
    watches = sum(each["watches"] for each in told) / (launchers * stages)
    lags = sorted(lag for each in told for lag in each["lags"])
    assert sum(each["done"] for each in told) == launchers * stages, told
    assert len(lags) > 0.9 * launchers * stages, len(lags)
    return (
        str(launchers),
        str(stages),
        str(parallel),
        f"{seconds:.0f}",
        f"{calls:.1f}",
        f"{watches:.1f}",
        f"{max(each['peak_mb'] for each in told):.0f}",
        f"{statistics.median(lags):.2f}",
        f"{lags[int(0.95 * (len(lags) - 1))]:.2f}",
    )


def _follow(stages: int, parallel: int) -> dict[str, Any]:
    """Be one launcher: run so many stages, so many at a time."""
    import resource

    from ctiforge.launcher.backend import Command, Task
    from ctiforge.launcher.kubernetes.backend import KubernetesBackend
    from ctiforge.launcher.kubernetes.connecting import connect
    from ctiforge.store.objects import open_store

    development.use()
    cluster = connect(namespace=NAMESPACE)
    calls = _counted(cluster)
    run = f"scale-{secrets.token_hex(4)}"
    known: dict[str, float] = {}
    with TemporaryDirectory() as folder, _written(cluster, run, folder) as ended:
        store = open_store(folder)
        backend = KubernetesBackend(cluster, RELEASE, store)

        def one(number: int) -> bool:
            fingerprint = secrets.token_hex(32)
            task = Task(run, f"train.{number}", fingerprint)
            outcome = backend.run(Command(PROGRAM, (), task=task), lambda _event: None)
            known[fingerprint] = time.monotonic()
            return outcome.exit_code == 0 and outcome.made is not None

        with ThreadPoolExecutor(parallel) as pool:
            done = sum(pool.map(one, range(stages)))
    # the launcher may know it before the watch that is its measure: no lag
    lags = [max(0.0, at - ended[fingerprint]) for fingerprint, at in known.items() if fingerprint in ended]
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"done": done, "calls": calls.total(), "watches": calls["watch"], "peak_mb": peak_mb, "lags": lags}


def _counted(cluster: Any) -> Counter[str]:
    """Count what the launcher asks of the API, by verb."""
    calls: Counter[str] = Counter()
    ask, lock = cluster._open, threading.Lock()

    def counted(call: Any, what: str, *rest: Any, **more: Any) -> Any:
        with lock:
            calls[what.partition(" ")[0]] += 1
        return ask(call, what, *rest, **more)

    cluster._open = counted
    return calls


@contextmanager
def _written(cluster: Any, run: str, folder: str) -> Iterator[dict[str, float]]:
    """Write what each stage makes as its pod runs; gives when each pod was told to be done, by its fingerprint."""
    from ctiforge.launcher.kubernetes.connecting import connect
    from ctiforge.launcher.kubernetes.manifests import FINGERPRINT, RUN
    from ctiforge.launcher.kubernetes.watching import Changed, Watching
    from ctiforge.records.artifact import Manifest
    from ctiforge.store.artifacts import publish
    from ctiforge.store.objects import open_store

    store, ended, jobs = open_store(folder), {}, {}
    over = threading.Event()

    def write(fingerprint: str) -> None:
        empty: dict[str, Any] = {"files": {}, "parameters": {}, "inputs": {}, "packages": {}, "summary": {}}
        manifest = Manifest(
            stage=PROGRAM, version=1, fingerprint=fingerprint, attempt="1", python="3.11", seconds=1.0,
            started_at=datetime.now(UTC), **empty,
        )  # fmt: skip
        with TemporaryDirectory() as out:
            publish(store, Path(out), manifest)

    def look() -> None:
        # a client of its own: what it asks is not the launcher's
        own = connect(namespace=NAMESPACE)
        with Watching(own, {"jobs": f"{RUN}={run}", "pods": f"{RUN}={run}"}) as watching:
            while not over.is_set():
                change = watching.changes.get()
                if not isinstance(change, Changed) or not change.value:
                    continue
                if change.kind == "jobs":
                    fingerprint = change.value["metadata"]["annotations"][FINGERPRINT]
                    if change.name not in jobs:
                        jobs[change.name] = fingerprint
                        write(fingerprint)
                elif change.value["status"].get("phase") == "Succeeded":
                    owner = change.value["metadata"]["ownerReferences"][0]["name"]
                    ended.setdefault(jobs.get(owner, owner), time.monotonic())

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    yield ended
    over.set()


@contextmanager
def _nodes(count: int) -> Iterator[None]:
    """Nodes that only the API knows, with kwok as their kubelet."""
    capacity = {"cpu": "64", "memory": "512Gi", "pods": "110", "nvidia.com/gpu": "8", "ephemeral-storage": "2Ti"}
    taint = {"key": "kwok", "value": "yes", "effect": "NoSchedule"}
    items = [
        {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": f"kwok-{number}", "labels": {**KWOK, **CHOSEN, "kubernetes.io/os": "linux"}},
            "spec": {"taints": [taint]},
            "status": {"capacity": capacity, "allocatable": capacity},
        }
        for number in range(count)
    ]
    development.kubectl("create", "-f", "-", given=json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
    kwok = subprocess.run(["which", "kwok"], capture_output=True, text=True, check=True).stdout.strip()
    kubelet = [kwok, "--kubeconfig", str(development.HOME / "kubeconfig"),
               "--manage-nodes-with-label-selector", "type=kwok",
               "--node-ip", "127.0.0.1", "--server-address", f"127.0.0.1:{PORT}", "--node-lease-duration-seconds", "40",
               "--config", str(Path(kwok).with_name("kwok-stages.yaml"))]  # fmt: skip
    with subprocess.Popen(kubelet, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            yield
        finally:
            process.terminate()
            development.kubectl("delete", "nodes", "-l", "type=kwok", "--wait=false")


@contextmanager
def _release() -> Iterator[None]:
    """A release of the chart whose trainings run on these nodes."""
    development.kubectl("create", "namespace", NAMESPACE)
    place = {"nodeSelector": KWOK, "tolerations": [{"key": "kwok", "operator": "Exists"}], "gpu": {"count": 1}}
    values = {
        "stages": {PROGRAM: {**place, "resources": {"requests": {"cpu": "1"}}}},
        "store": {"uri": "s3://ctiforge/scale"},
    }
    with TemporaryDirectory() as folder:
        file = Path(folder) / "values.yaml"
        file.write_text(json.dumps(values))
        chart = ["helm", "upgrade", "--install", RELEASE, str(ROOT / "helm/ctiforge"), "-n", NAMESPACE]
        subprocess.run([*chart, "-f", str(ROOT / "k8s/values.yaml"), "-f", str(file)], check=True, capture_output=True)
    try:
        yield
    finally:
        development.kubectl("delete", "namespace", NAMESPACE, "--wait=false")


if __name__ == "__main__":
    run_program(main)
