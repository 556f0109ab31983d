"""A training in the cluster, and what it made: shared by the tests that disturb one."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

import numpy as np
from safetensors.numpy import load

from ctiforge.launcher.backend import Outcome
from ctiforge.launcher.kubernetes.members import index_of
from ctiforge.records.artifact import Manifest
from ctiforge.store.artifacts import artifact_key, read_manifest
from ctiforge.store.objects import ObjectStore
from tests.cluster.conftest import ROOT, Place, pods_of

FLAGS = (
    "--model=demo", "--no-qlora", "--max-length=304", "--format=messages", "--batch-size=16",
    "--gradient-accumulation-steps=1", "--learning-rate=0.002", "--max-steps=60", "--save-steps=10",
    "--eval-steps=1000",
)  # fmt: skip

LIMIT_S = 8
LIMITS = (f"launcher.pendingTimeout={LIMIT_S}", f"launcher.nodeLostTimeout={LIMIT_S}")
"""A Job that trains is soon older than these; Kubernetes' own pause before a next pod, 10 s, is longer."""


@dataclass(frozen=True)
class Prepared:
    """Examples to train on, and what training on them makes."""

    program: str
    arguments: tuple[str, ...]
    fingerprint: str
    weights: str
    """SHA-256 of the weights of a run that nothing disturbed."""


def prepare(place: Place) -> tuple[str, ...]:
    """Put the demo's examples into the store; gives the flags of a training on them."""
    harvest = place.harvest()
    assert harvest.made
    # few articles for validation: each training answers them to set its threshold
    flags = ("--model=demo", "--max-length=304", "--format=messages", "--prompt=short-v1", "--window-tokens=128")
    examples = place.run(
        "format_extract", f"--input={harvest.made.uri}/records.jsonl", *flags, "--validation-share=0.01"
    )
    assert examples.made
    return (f"--data={examples.made.uri}", *FLAGS)


def trained(place: Place, program: str, *arguments: str) -> Prepared:
    """Train undisturbed."""
    fingerprint = plan(program, *arguments)
    outcome = place.run(program, *arguments, fingerprint=fingerprint)
    assert outcome.exit_code == 0, outcome
    return Prepared(program, arguments, fingerprint, weights(place.store, outcome))


def training_pod(place: Place, program: str, index: int = 0) -> str:
    """The pod that trains; of several the one of this index."""
    pods = [pod for pod in place.pods(pods_of(program)) if index_of(pod) == index]
    return str(next(pod["metadata"]["name"] for pod in pods if pod["status"]["phase"] == "Running"))


def kill_rank(rank: int, number: int = 9) -> str:
    """A program for a pod: sends a signal to the process of this rank."""
    return f"""
import os
for pid in filter(str.isdigit, os.listdir("/proc")):
    try:
        with open(f"/proc/{{pid}}/environ", "rb") as file:
            variables = file.read().split(bytes(1))
    except OSError:
        continue
    if b"RANK={rank}" in variables:
        os.kill(int(pid), {number})
"""


def weights(store: ObjectStore, outcome: Outcome) -> str:
    files = _manifest(store, outcome).files
    return next(info.sha256 for path, info in files.items() if f"/{path}".endswith("/model.safetensors"))


def tensors(store: ObjectStore, fingerprint: str) -> dict[str, "np.ndarray[Any, Any]"]:
    """The weights of the training."""
    artifact = artifact_key("train_extract", fingerprint)
    manifest = read_manifest(store, artifact)
    assert manifest
    name = next(path for path in manifest.files if f"/{path}".endswith("/model.safetensors"))
    return load(store.read(f"{artifact}/{manifest.key(name)}"))


def metadata(store: ObjectStore, outcome: Outcome) -> dict[str, float]:
    found: dict[str, float] = json.loads(read_file(store, outcome, "training_metadata.json"))
    return found


def read_file(store: ObjectStore, outcome: Outcome, name: str) -> bytes:
    """A file of what it made."""
    return store.read(f"{_artifact(store, outcome)}/{_manifest(store, outcome).key(name)}")


def _manifest(store: ObjectStore, outcome: Outcome) -> Manifest:
    manifest = read_manifest(store, _artifact(store, outcome))
    assert manifest
    return manifest


def _artifact(store: ObjectStore, outcome: Outcome) -> str:
    """Where in the store it is."""
    assert outcome.made
    return outcome.made.uri.removeprefix(f"{store.uri}/")


def plan(program: str, *arguments: str) -> str:
    command = [sys.executable, str(ROOT / "jobs" / f"{program}.py"), *arguments, "--plan"]
    answer = subprocess.run(command, env={**os.environ}, capture_output=True, text=True, check=True)
    return str(json.loads(answer.stdout.strip().splitlines()[-1])["fingerprint"])
