"""The server in the cluster: a champion is promoted and rolled back, its pods change, and a client loses no answer."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ctiforge.store.models import Registry
from tests.cluster.conftest import RELEASE, Place, kubectl
from tests.serving import ARTICLE, asks, register

CLIENT = """
import itertools, json, os, threading, time, urllib.error, urllib.request

def ask(number):
    sent = json.loads(os.environ["REQUEST"])
    user = sent["messages"][-1]
    user["content"] = user["content"].replace("was seen", f"was seen {number} times")
    head = {"Content-Type": "application/json", "Authorization": "Bearer " + os.environ["KEY"]}
    request = urllib.request.Request(os.environ["URL"], json.dumps(sent).encode(), head)
    try:
        with urllib.request.urlopen(request, timeout=170) as answer:
            said = json.load(answer)
            keys = list(json.loads(said["choices"][0]["message"]["content"]))
            return {"status": answer.status, "model": said["model"], "keys": keys}
    except urllib.error.HTTPError as error:
        return {"status": error.code, "why": error.read().decode()}
    except (OSError, ValueError) as error:
        return {"status": 0, "why": repr(error)}

def ask_on(asker, numbers):
    for number in numbers:
        # with its end, or two lines may be written as one
        print(json.dumps({"asker": asker, **ask(number)}) + os.linesep, end="", flush=True)
        time.sleep(0.1)
        if os.path.exists("/tmp/over"):
            return

# new articles have to be read, the same one is known but for the first time of each version and pod
askers = {"odd": itertools.count(1, 2), "even": itertools.count(2, 2), "same": itertools.repeat(0)}
threads = [threading.Thread(target=ask_on, args=each) for each in askers.items()]
for each in threads:
    each.start()
for each in threads:
    each.join()
"""
"""Three that ask all the time, each request on a connection of its own and once, and say what they were told."""
ASKERS = {"odd", "even", "same"}
KEY = "a-key-of-the-test"


@pytest.fixture
def served(place: Place, tmp_path: Path) -> Registry:
    """A server of two pods with the first of two versions, and a client that asks it all the time."""
    registry = Registry(place.store, "extract")
    for name in ("one", "two"):
        register(registry, tmp_path / name, name)
    registry.promote(1, registry.standing(), "first")
    kubectl("create", "secret", "generic", "serve", f"--from-literal=key={KEY}", namespace=place.namespace)
    secret = '{"existingSecret":"serve","key":"key"}'
    # the demo's base writes what it likes: held to the schema, it gives an answer that can be read
    arguments = 'serve.args=["--poll","5","--constrained"]'
    place.install("serve.enabled=true", "serve.replicas=2", f"serve.apiKey={secret}", arguments)
    roll_out(place)
    kubectl("apply", "-f", "-", namespace=place.namespace, given=json.dumps(client()))
    wait_for(place, lambda told: newest(told).keys() == ASKERS)
    return registry


def test_a_client_that_asks_all_the_time_is_answered_by_the_version_in_use(place: Place, served: Registry) -> None:
    served.promote(2, served.standing(), "better")
    assert_told(place, 2)
    assert_none_lost(place)
    assert_restricted(place)


@pytest.mark.prove
def test_versions_and_pods_change_under_a_client_that_asks_all_the_time(place: Place, served: Registry) -> None:
    served.promote(2, served.standing(), "better")
    assert_told(place, 2)
    served.roll_back(1, "worse")
    assert_told(place, 1)

    # pods are exchanged: one more is there and ready before an old one finishes what it has
    before = server_pods(place)
    kubectl("rollout", "restart", f"deployment/{RELEASE}-serve", namespace=place.namespace)
    roll_out(place)
    ended = [f"pod/{name}" for name in before]
    kubectl("wait", *ended, "--for=delete", "--timeout=300s", namespace=place.namespace)
    count = len(answers(place))
    wait_for(place, lambda told: newest(told[count:]).keys() == ASKERS)
    assert not before & server_pods(place)
    assert_none_lost(place)
    assert_restricted(place)


def client() -> dict[str, Any]:
    """A pod that asks the release's server until it is told to end."""
    environment = {
        "URL": f"http://{RELEASE}-serve:1234/v1/chat/completions",
        "REQUEST": json.dumps(asks("CmdlineExtract", ARTICLE)),
        "KEY": KEY,
    }
    container = {
        "name": "client",
        "image": "ctiforge-cpu:dev",
        "command": ["python", "-c", CLIENT],
        "env": [{"name": name, "value": value} for name, value in environment.items()],
        "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}},
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    security = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    spec = {"restartPolicy": "Never", "containers": [container], "securityContext": security}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "client"}, "spec": spec}


def roll_out(place: Place) -> None:
    """Wait until every pod of the server is the newest, and ready."""
    kubectl("rollout", "status", f"deployment/{RELEASE}-serve", "--timeout=600s", namespace=place.namespace)


def answers(place: Place) -> list[dict[str, Any]]:
    """What the client was told so far."""
    lines = kubectl("logs", "client", "--tail=-1", namespace=place.namespace, check=False).splitlines()
    return [json.loads(line) for line in lines if line.startswith("{")]


def wait_for(place: Place, is_so: Callable[[list[dict[str, Any]]], bool], seconds: float = 300) -> float:
    """Wait until it is so of the client's answers; gives the seconds that it took."""
    begun = time.monotonic()
    while not is_so(told := answers(place)):
        assert time.monotonic() - begun < seconds, told[-3:]
        time.sleep(1)
    return time.monotonic() - begun


def assert_told(place: Place, version: int) -> None:
    """Every asker is answered by the version, after some seconds, which are printed."""
    seconds = wait_for(place, lambda told: all_are_told(told, f"ctiforge/agent@{version}"))
    print(f"version {version} after {seconds:.0f} s")


def assert_none_lost(place: Place) -> None:
    """The client, once it has ended, was given a good answer to all that it asked."""
    kubectl("exec", "client", "--", "touch", "/tmp/over", namespace=place.namespace)
    over = "--for=jsonpath={.status.phase}=Succeeded"
    kubectl("wait", "pod/client", over, "--timeout=200s", namespace=place.namespace)
    told = answers(place)
    lost = [each for each in told if each["status"] != 200]
    print(f"{len(told) - len(lost)} of {len(told)} answered")
    assert lost == []
    assert {tuple(each["keys"]) for each in told} == {("cmdline_items", "count")}
    assert {each["model"] for each in told} == {"ctiforge/agent@1", "ctiforge/agent@2"}


def all_are_told(told: list[dict[str, Any]], model: str) -> bool:
    """Whether each asker's last answer, and the last ones of all, which either pod may have given, are the model's."""
    last = [*newest(told).values(), *(each.get("model") for each in told[-12:])]
    return set(last) == {model}


def newest(told: list[dict[str, Any]]) -> dict[str, str | None]:
    """Which model answered each asker last."""
    return {each["asker"]: each.get("model") for each in told}


def server_pods(place: Place) -> set[str]:
    return {pod["metadata"]["name"] for pod in place.pods("app.kubernetes.io/component=serve")}


def assert_restricted(place: Place) -> None:
    """The server has no token of Kubernetes, and its logs have no secret and nothing of an article."""
    for pod in place.pods("app.kubernetes.io/component=serve"):
        assert not any("serviceaccount" in mount["mountPath"] for mount in pod["spec"]["containers"][0]["volumeMounts"])
        assert pod["status"]["containerStatuses"][0]["restartCount"] == 0
        said = kubectl("logs", pod["metadata"]["name"], namespace=place.namespace)
        assert KEY not in said
        assert "whoami" not in said
