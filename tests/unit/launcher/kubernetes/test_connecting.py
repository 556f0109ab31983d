"""The way to a cluster, in a process of its own: kubeconfigs as people have them, and pods."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.launcher.kubernetes.answering import Api, serving


def kubeconfig(cluster: dict[str, str], **user: object) -> bytes:
    return json.dumps(
        {
            "clusters": [{"name": "a", "cluster": cluster}],
            "users": [{"name": "u", "user": {"token": "t", **user}}],
            "contexts": [{"name": "a", "context": {"cluster": "a", "user": "u"}}],
            "current-context": "a",
        }
    ).encode()


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"{{{{\n", "no usable kubeconfig: "),
        (b"\xff\xfe\x00", "no usable kubeconfig: "),
        (kubeconfig({"server": "https://api", "certificate-authority-data": "@@@notbase64"}), "no usable kubeconfig: "),
        (kubeconfig({"server": "api.corp:6443"}), "the kubeconfig's server is api.corp:6443, no URL"),
        (kubeconfig({}), "the kubeconfig's server is empty, no URL"),
    ],
)
def test_a_kubeconfig_that_is_none_is_said(content: bytes, told: str, tmp_path: Path) -> None:
    (tmp_path / "config").write_bytes(content)
    assert connected(KUBECONFIG=str(tmp_path / "config")).startswith(told)


def test_all_is_asked_as_whom_the_kubeconfig_acts(tmp_path: Path) -> None:
    api = Api()
    config = tmp_path / "config"
    api.answers["/version/"] = [(200, {"gitVersion": "v1.34.4"})]
    with serving(api) as host:
        config.write_bytes(kubeconfig({"server": host}, **{"as": "ana", "as-uid": "7", "as-groups": ["ml"]}))
        assert connected(KUBECONFIG=str(config)) == ""
        config.write_bytes(kubeconfig({"server": host}, **{"as": "ana", "as-groups": ["ml", "ops"]}))
        assert "user u acts with several as-groups" in connected(KUBECONFIG=str(config))
    (headers,) = api.headers
    said = {name: value for name, value in headers.items() if name.startswith("Impersonate-")}
    assert said == {"Impersonate-User": "ana", "Impersonate-Uid": "7", "Impersonate-Group": "ml"}


def test_a_pod_without_a_token_has_a_kubeconfig_or_is_told_of_both(tmp_path: Path) -> None:
    in_pod = {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT": "443", "HOME": str(tmp_path)}
    assert "set KUBECONFIG, or log in to the cluster, or give this pod its account's token" in connected(**in_pod)
    (tmp_path / ".kube").mkdir()
    (tmp_path / ".kube/config").write_bytes(kubeconfig({"server": "api.corp"}))
    assert connected(**in_pod).startswith("the kubeconfig's server is api.corp")


def connected(**environment: str) -> str:
    """What a launcher of its own process, with these variables alone, says of connecting."""
    code = (
        "from ctiforge.launcher.kubernetes.connecting import connect; from ctiforge.errors import UsageError\n"
        "try: connect()\n"
        "except UsageError as error: print(error)"
    )
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "PYTHONPATH")}
    done = subprocess.run(
        [sys.executable, "-c", code], env=kept | environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
