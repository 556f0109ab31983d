"""What the launcher adds to a Job: an empty stage beside bare kubectl, and the pause between two stages.

On the development cluster (`make kind-up`), where nothing else runs.

- An empty stage: a program that prints its flags, from the Job's creation to its outcome and log in
  the launcher, beside `kubectl create job` and `kubectl wait` with the same image and words. In pairs,
  in turn; each kubectl command is a process of its own, as a script has them.
- The pause: from the moment a watch tells that a stage's program has ended to the moment it tells of
  the next stage's pod, over runs of the whole line with a few steps of training.
"""

import json
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

import development_cluster as development
from ctiforge.pod.entry import run_program

if TYPE_CHECKING:
    from ctiforge.launcher.kubernetes.client import Cluster
    from ctiforge.launcher.kubernetes.watching import Watching

PROGRAM = "harvest_extract"


def main(
    pairs: Annotated[int, typer.Option(help="Empty stages of each kind to measure; 0: none.")] = 10,
    pauses: Annotated[int, typer.Option(help="Pauses between stages to measure; 0: none.")] = 20,
) -> None:
    """Measure the launcher on the development cluster."""
    from ctiforge.store.objects import open_store

    cluster = development.use()
    ours, bare = [], []
    for _ in range(pairs):
        ours.append(_timed_stage(cluster))
        bare.append(_timed_kubectl())
    if ours:
        ratio = statistics.median(ours) / statistics.median(bare)
        print(f"empty stage, median of {pairs}: ours {statistics.median(ours):.2f} s, "
              f"kubectl create + wait {statistics.median(bare):.2f} s, ours is {ratio:.2f} x")  # fmt: skip
    found: list[float] = []
    store = development.new_store()
    development.add_small_test_set(open_store(store))
    for seed in range(pauses):
        if len(found) >= pauses:
            break
        found += _pauses_of_a_run(cluster, store, seed)
    if found:
        print(f"end of a stage to the next pod, median of {len(found)}: {statistics.median(found):.2f} s "
              f"(largest {max(found):.2f} s)")  # fmt: skip


def _timed_stage(cluster: "Cluster") -> float:
    from ctiforge.launcher.backend import Command, Task
    from ctiforge.launcher.kubernetes.backend import KubernetesBackend
    from ctiforge.store.objects import open_store

    backend = KubernetesBackend(cluster, "ctiforge", open_store("s3://ctiforge/dev"))
    command = Command(PROGRAM, ("--help",), task=Task(f"bench-{secrets.token_hex(4)}", PROGRAM))
    started = time.monotonic()
    outcome = backend.run(command, lambda _event: None)
    seconds = time.monotonic() - started
    assert any("Usage" in line for line in outcome.lines), outcome
    return seconds


def _timed_kubectl() -> float:
    name = f"bench-{secrets.token_hex(4)}"
    # the same template as ours gets: the same pod, started by hand
    source = f"--from=cronjob/ctiforge-{PROGRAM.replace('_', '-')}"
    job = json.loads(development.kubectl("create", "job", name, source, "--dry-run=client", "-o", "json"))
    job["spec"]["template"]["spec"]["containers"][0]["args"].append("--help")
    started = time.monotonic()
    development.kubectl("create", "-f", "-", given=json.dumps(job))
    development.kubectl("wait", f"job/{name}", "--for=condition=Complete", "--timeout=60s")
    seconds = time.monotonic() - started
    development.kubectl("delete", "job", name)
    return seconds


def _pauses_of_a_run(cluster: "Cluster", store: str, seed: int) -> list[float]:
    """Seconds between each stage's end and the next pod of one run of the line."""
    from ctiforge.launcher.kubernetes.manifests import RUN
    from ctiforge.launcher.kubernetes.reading import state
    from ctiforge.launcher.kubernetes.watching import Changed, Watching

    run = f"bench-{secrets.token_hex(4)}"
    steps = [f"train_extract.seed={seed}", "train_extract.max_steps=10"]
    command = [sys.executable, "-m", "ctiforge", "run", "extract", "--store", store, "--run-id", run,
               "--backend", "kubernetes", *(part for each in steps for part in ("--set", each))]  # fmt: skip
    # a file: a pipe that nobody reads meanwhile would fill and stop the run
    with Watching(cluster, {"pods": f"{RUN}={run}"}) as watching, tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen(command, stdout=said, stderr=subprocess.STDOUT, text=True)
        seen: set[str] = set()
        ended: dict[str, float] = {}
        last_end: float | None = None
        pauses: list[float] = []
        for change in _until_exit(watching, process):
            if not (isinstance(change, Changed) and change.value):
                continue
            if change.name not in seen:
                seen.add(change.name)
                if last_end is not None:
                    pauses.append(time.monotonic() - last_end)
            if change.name not in ended and "terminated" in state(change.value):
                last_end = ended[change.name] = time.monotonic()
        said.seek(0)
        assert process.returncode == 0, said.read()[-2000:]
    return pauses


def _until_exit(watching: "Watching", process: "subprocess.Popen[str]") -> Iterator[object]:
    from queue import Empty

    while process.poll() is None:
        try:
            yield watching.changes.get(timeout=0.5)
        except Empty:
            continue


if __name__ == "__main__":
    run_program(main)
