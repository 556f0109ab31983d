"""The development cluster of `make kind-up`, as the benchmarks use it."""

import os
import secrets
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ctiforge.launcher.kubernetes.client import Cluster

NAMESPACE = RELEASE = "ctiforge"
HOME = Path(__file__).parents[1] / ".ctiforge" / "kind"


def use() -> "Cluster":
    """Connect to it, with the environment that it needs; UsageError where there is none."""
    from ctiforge.errors import UsageError
    from ctiforge.launcher.kubernetes.client import connect

    if not (HOME / "laptop.env").exists():
        raise UsageError("there is no development cluster: make kind-up")
    os.environ["KUBECONFIG"] = str(HOME / "kubeconfig")
    for line in (HOME / "laptop.env").read_text().splitlines():
        for pair in line.removeprefix("export ").split():
            name, _, value = pair.partition("=")
            os.environ[name] = value
    return connect(namespace=NAMESPACE)


def new_store() -> str:
    """The URI of an empty store."""
    return f"s3://ctiforge/bench-{secrets.token_hex(3)}"


def kubectl(*arguments: str, given: str | None = None) -> str:
    """Run kubectl in the namespace; gives back what it said."""
    command = ["kubectl", "--namespace", NAMESPACE, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, input=given).stdout
