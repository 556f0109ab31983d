"""What docker/bake.hcl makes of its variables, as bake itself reads it; no engine is needed."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
DIGEST = f"sha256:{'d' * 64}"


def plan(*targets: str, **variables: str) -> dict[str, dict[str, Any]]:
    """Every target that would be built."""
    if not shutil.which("docker"):
        pytest.skip("no docker on PATH")
    # without buildx some dockers say that they know no such command, others no such flag
    if subprocess.run(["docker", "buildx", "version"], capture_output=True, check=False).returncode:
        pytest.skip("docker has no buildx")
    command = ["docker", "buildx", "bake", "--file", "docker/bake.hcl", "--print", *targets]
    environment = {name: os.environ[name] for name in ("PATH", "HOME", "DOCKER_CONFIG") if name in os.environ}
    done = subprocess.run(command, cwd=ROOT, env=environment | variables, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["target"]


def test_untold_the_images_are_as_their_dockerfiles_have_them() -> None:
    targets = plan()
    assert {name: each["tags"] for name, each in targets.items()} == {
        "cpu": ["ctiforge-cpu:dev"], "train": ["ctiforge-train:dev"],
    }  # fmt: skip
    for each in targets.values():
        assert each["args"] == {"COMMIT": "unknown"}
        assert "labels" not in each
        assert "contexts" not in each
        assert (ROOT / each["dockerfile"]).exists()
    assert list(plan("services")) == ["services"]


def test_a_release_names_registry_version_and_the_base_with_its_digest() -> None:
    told = {"REGISTRY": "registry.example/team", "TAG": "0.1.0", "VERSION": "0.1.0", "COMMIT": "abc"}
    targets = plan(**told, BASE="python:3", BASE_DIGEST=DIGEST, WHEELS="/wheels", TORCH="torch==1", EXTRAS="serve")
    assert targets["cpu"]["tags"] == ["registry.example/team/ctiforge-cpu:0.1.0"]
    assert targets["cpu"]["args"] == {"BASE": f"python:3@{DIGEST}", "COMMIT": "abc", "VERSION": "0.1.0"}
    assert targets["cpu"]["contexts"] == {"wheels": "/wheels"}
    assert targets["train"]["args"] == targets["cpu"]["args"] | {"TORCH": "torch==1", "EXTRAS": "serve"}
    for each in targets.values():
        assert each["labels"] == {
            "org.opencontainers.image.base.name": "python:3", "org.opencontainers.image.base.digest": DIGEST,
        }  # fmt: skip
