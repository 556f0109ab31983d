"""What evictions cost on the development cluster: the same training, evicted at a random step each time.

The weights are compared with those of a run that nothing disturbed; steps done again are those
between the last one that was told before the eviction and the checkpoint that the next pod began with.
"""

import json
import random
import secrets
import statistics
import time
from dataclasses import dataclass
from typing import Annotated, Any

import typer

import development_cluster as development
from ctiforge.pod.entry import run_program

STEPS = 60
FORMAT = ("--model=demo", "--max-length=304", "--format=messages", "--prompt=short-v1", "--window-tokens=128")
TRAIN = (
    "--model=demo", "--no-qlora", "--max-length=304", "--format=messages", "--batch-size=16",
    "--gradient-accumulation-steps=1", "--learning-rate=0.002", f"--max-steps={STEPS}", "--save-steps=20",
    "--eval-steps=1000",
)  # fmt: skip


def main(
    evictions: Annotated[int, typer.Option(min=1, help="Runs that are evicted once each.")] = 10, seed: int = 0
) -> None:
    """Evict training on the development cluster at random steps and compare."""
    cluster = development.use()
    store = development.new_store()
    harvest = _Watched(cluster, store).run("harvest_extract", "--from-database")
    examples = _Watched(cluster, store).run("format_extract", f"--input={harvest}/records.jsonl", *FORMAT)
    flags = (f"--data={examples}", *TRAIN)
    weights, _ = _result(store, _Watched(cluster, store).run("train_extract", *flags))
    numbers = random.Random(seed)
    same, again, seconds = 0, [], []
    for number in range(evictions):
        own = development.new_store()
        watched = _Watched(cluster, own, evict_at=numbers.randint(5, STEPS - 5))
        evicted, resumed_from = _result(own, watched.run("train_extract", *flags))
        same += evicted == weights
        again.append(max(0, watched.evicted_step - resumed_from))
        seconds.append(watched.resumed_s)
        print(f"{number + 1} of {evictions}: evicted at step {watched.evicted_step}, resumed from {resumed_from}, "
              f"first step after {watched.resumed_s:.1f} s", flush=True)  # fmt: skip
    print(f"{evictions} evictions: weights identical {same} of {evictions}; steps done again, most: {max(again)}; "
          f"eviction to the first resumed step told, median: {statistics.median(seconds):.1f} s")  # fmt: skip


@dataclass
class _Watched:
    """One program in the cluster, evicted once when it tells that it reached a step."""

    cluster: Any
    store: str
    evict_at: int | None = None
    evicted_step: int = 0
    resumed_s: float = 0.0
    _evicted_at: float | None = None
    _first: str = ""
    _run: str = ""

    def run(self, program: str, *arguments: str) -> str:
        """Run it to its end; gives back its artifact's URI."""
        from ctiforge.launcher.backend import Command, Task
        from ctiforge.launcher.kubernetes.backend import KubernetesBackend
        from ctiforge.store.objects import open_store

        task = Task(f"bench-{secrets.token_hex(4)}", program)
        command = Command(program, (*arguments, "--store", self.store), task=task)
        backend = KubernetesBackend(self.cluster, development.RELEASE, open_store(self.store))
        self._run = task.run
        outcome = backend.run(command, self._hear)
        if outcome.exit_code or not outcome.made:
            raise SystemExit(f"{program} ended with {outcome.exit_code}: {outcome.last_lines}")
        return outcome.made.uri

    def _hear(self, event: object) -> None:
        from ctiforge.launcher.backend import Progressed

        if not isinstance(event, Progressed):
            return
        if self._evicted_at is None and self.evict_at is not None and event.done >= self.evict_at:
            self._evict(event.done)
        elif self._evicted_at is not None and not self.resumed_s and self._is_next_pod():
            self.resumed_s = time.monotonic() - self._evicted_at

    def _evict(self, step: int) -> None:
        self._first = self._pods()[-1]
        path = f"/api/v1/namespaces/{development.NAMESPACE}/pods/{self._first}/eviction"
        metadata = {"name": self._first, "namespace": development.NAMESPACE}
        body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": metadata}
        development.kubectl("create", "--raw", path, "-f", "-", given=json.dumps(body))
        self._evicted_at, self.evicted_step = time.monotonic(), step

    def _is_next_pod(self) -> bool:
        return any(name != self._first for name in self._pods())

    def _pods(self) -> list[str]:
        pods, _ = self.cluster.list("pods", f"ctiforge.io/run={self._run}")
        return [pod["metadata"]["name"] for pod in pods if pod["status"]["phase"] == "Running"]


def _result(store: str, uri: str) -> tuple[str, int]:
    """(SHA-256 of the weights, the step that training went on from)."""
    from ctiforge.store.artifacts import read_manifest
    from ctiforge.store.objects import open_store

    opened = open_store(uri)
    manifest = read_manifest(opened)
    assert manifest
    metadata = json.loads(opened.read(manifest.key("training_metadata.json")))
    return manifest.files["model/model.safetensors"].sha256, int(metadata["resumed_from_step"])


if __name__ == "__main__":
    run_program(main)
