"""The development cluster of `make kind-up`, as benchmarks and tests use it."""

import os
import secrets
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ctiforge.launcher.kubernetes.client import Cluster
    from ctiforge.store.objects import ObjectStore

NAMESPACE = RELEASE = "ctiforge"
HOME = Path(__file__).parents[1] / ".ctiforge" / "kind"


def use() -> "Cluster":
    """Connect to it, with the environment that it needs; UsageError where there is none."""
    from ctiforge.errors import UsageError
    from ctiforge.launcher.kubernetes.connecting import connect

    if not (HOME / "laptop.env").exists():
        raise UsageError("there is no development cluster: make kind-up")
    os.environ.update(environment())
    return connect(namespace=NAMESPACE)


def environment() -> dict[str, str]:
    """What a process on this machine needs to reach the cluster, its store and its database."""
    lines = (HOME / "laptop.env").read_text().splitlines()
    pairs = (pair.partition("=") for line in lines for pair in line.removeprefix("export ").split())
    return {"KUBECONFIG": str(HOME / "kubeconfig"), **{name: value for name, _, value in pairs}}


def add_small_test_set(store: "ObjectStore") -> None:
    """Register a test set `demo` of the four shortest articles."""
    from ctiforge.data.testsets import import_testset
    from ctiforge.demo.articles import ANNOTATOR, make_corpus

    short = sorted(make_corpus(0).test, key=lambda article: len(article.content))[:4]
    import_testset(store, "demo", short, ANNOTATOR, note="short")


def new_store() -> str:
    """The URI of an empty store."""
    return f"s3://ctiforge/bench-{secrets.token_hex(3)}"


def kubectl(*arguments: str, given: str | None = None) -> str:
    """Run kubectl in the namespace; gives back what it said."""
    command = ["kubectl", "--namespace", NAMESPACE, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, input=given).stdout
