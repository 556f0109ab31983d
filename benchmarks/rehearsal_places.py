"""Where the rehearsal happens: on this machine, or on the development cluster, with the same commands."""

import base64
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

import psycopg2

from benchmarks.development_cluster import environment
from benchmarks.rehearsal_client import general_model
from ctiforge.store.objects import ObjectStore, open_store
from tests.cluster.conftest import RELEASE, Place, kubectl, new_place
from tests.huntable import KEYS

ROOT = Path(__file__).parents[1]
DATABASE = "rehearsal"
"""Of its own on the development cluster's server, whose first one has the demo."""
_UPSTREAM_PORT = 8000
_READY_S = 120
_GENERAL_MODEL = """
import http.server, json

class Answering(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        asked = self.rfile.read(int(self.headers["Content-Length"])).decode()
        keys = KEYS
        key = next((each for each in keys if each in asked), "items")
        turn = {"role": "assistant", "content": json.dumps({key: [], "count": 0})}
        answer = {"object": "chat.completion", "choices": [{"index": 0, "message": turn, "finish_reason": "stop"}]}
        said = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

http.server.ThreadingHTTPServer(("", PORT), Answering).serve_forever()
"""


class RehearsalPlace(Protocol):
    """What the rehearsal needs of the place where it happens."""

    name: str
    """What the table calls it."""
    environment: dict[str, str]
    """What each command of ctiforge is given."""
    database: str
    """The application's database, as this machine reaches it."""
    store: ObjectStore

    def serving(self) -> AbstractContextManager[str]:
        """Serve the champion, with a general model behind it; gives the server's address."""

    def stop_serving(self) -> str:
        """End the server; gives what came of it."""


class LaptopPlace:
    """One folder of this machine: a PostgreSQL, a store, a process that serves."""

    name = "one machine"

    def __init__(self, work: Path, database: str) -> None:
        self.work = work
        self.database = database
        self.store = open_store(str(work / "store"))
        self.environment = {**os.environ, **_commands(database, self.store.uri)}
        self._server: subprocess.Popen[str] | None = None

    @contextmanager
    def serving(self) -> Iterator[str]:
        """Serve in a process of its own, on a free port."""
        log = self.work / "serve.log"
        with general_model() as upstream, log.open("w", encoding="utf-8") as said:
            command = [sys.executable, "-m", "ctiforge", "serve", "--port", "0", "--poll", "1", "--still", "0"]
            self._server = subprocess.Popen(
                [*command, "--upstream", upstream], stdout=said, stderr=subprocess.STDOUT, text=True, cwd=self.work,
                env=self.environment,
            )  # fmt: skip
            try:
                yield until(lambda: _address(log.read_text(encoding="utf-8")))
            finally:
                self._server.kill()
                self._server.wait()

    def stop_serving(self) -> str:
        """Send SIGTERM, as a container's end does."""
        assert self._server
        self._server.send_signal(signal.SIGTERM)
        return f"exit {self._server.wait(60)}"


class ClusterPlace:
    """A namespace of the development cluster: a release of the chart, its Jobs, and a Deployment that serves."""

    name = "the development cluster"

    def __init__(self, work: Path, place: Place) -> None:
        self.place = place
        self.store = place.store
        self.database = _own_database(os.environ["DATABASE_URL"])
        for_commands = _commands(self.database, self.store.uri) | place.settings()
        self.environment = {**os.environ, **for_commands, "CTIFORGE_OUTPUTS": str(work / "outputs")}

    @classmethod
    @contextmanager
    def made(cls, work: Path) -> Iterator["ClusterPlace"]:
        """Make a namespace with a release, a store and a database of its own; all are removed at the end.

        Args:
            work: A folder of this machine.

        Yields:
            The place.
        """
        os.environ.update(environment())
        general, drop = os.environ["DATABASE_URL"], f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)"
        _sql(general, drop, f"CREATE DATABASE {DATABASE}")
        try:
            with new_place() as place:
                found = json.loads(kubectl("get", "secret", "ctiforge-database", "-o", "json"))
                url = base64.b64decode(found["data"]["DATABASE_URL"]).decode()
                place_secret = {"DATABASE_URL": _own_database(url)}
                _apply(place, "Secret", "ctiforge-database", stringData=place_secret)
                yield cls(work, place)
        finally:
            _sql(general, drop)

    @contextmanager
    def serving(self) -> Iterator[str]:
        """Switch the chart's server on, and reach it through the API server."""
        namespace = self.place.namespace
        _general_model(self.place)
        upstream = f'serve.upstream="http://general.{namespace}.svc:{_UPSTREAM_PORT}/v1"'
        self.place.install("serve.enabled=true", 'serve.args=["--poll","2"]', upstream)
        kubectl("rollout", "status", f"deployment/{RELEASE}-serve", "--timeout=300s", namespace=namespace)
        forward = subprocess.Popen(
            ["kubectl", "port-forward", f"service/{RELEASE}-serve", ":1234", "--namespace", namespace],
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        try:
            assert forward.stdout
            found = re.search(r"127\.0\.0\.1:\d+", forward.stdout.readline())
            assert found, "kubectl port-forward found no way to the server"
            yield f"http://{found[0]}"
        finally:
            forward.kill()
            forward.wait()

    def stop_serving(self) -> str:
        """Switch it off again, and see its pod end."""
        (pod,) = self.place.pods("app.kubernetes.io/component=serve")
        restarts = pod["status"]["containerStatuses"][0]["restartCount"]
        self.place.install("serve.enabled=false")
        gone = (f"pod/{pod['metadata']['name']}", "--for=delete", "--timeout=120s")
        kubectl("wait", *gone, namespace=self.place.namespace)
        return f"the pod is gone, {restarts} restarts"


def until(look: Callable[[], Any]) -> Any:
    """Look until something is there.

    Args:
        look: What looks; an OSError means that nothing is there yet.

    Returns:
        What it found.

    Raises:
        AssertionError: Nothing was there in time.
    """
    end = time.monotonic() + _READY_S
    while True:
        try:
            if found := look():
                return found
        except OSError:
            pass
        if time.monotonic() > end:
            raise AssertionError(f"nothing after {_READY_S} s")
        time.sleep(0.2)


def _commands(database: str, store: str) -> dict[str, str]:
    paths = os.pathsep.join([str(ROOT / "src"), os.environ.get("PYTHONPATH", "")])
    return {"DATABASE_URL": database, "CTIFORGE_STORE": store, "PYTHONPATH": paths}


def _address(said: str) -> str | None:
    found = re.search(r"http://[\d.]+:\d+", said)
    return found[0] if found else None


def _own_database(url: str) -> str:
    return urlsplit(url)._replace(path=f"/{DATABASE}").geturl()


def _sql(url: str, *statements: str) -> None:
    with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        for statement in statements:
            cursor.execute(statement)


def _general_model(place: Place) -> None:
    """Start what stands for the team's general model: it finds nothing, in the shape that an agent wants."""
    program = _GENERAL_MODEL.replace("KEYS", repr(sorted(KEYS.values()))).replace("PORT", str(_UPSTREAM_PORT))
    container = {
        "name": "general", "image": "ctiforge-cpu:dev", "command": ["python", "-c", program],
        "readinessProbe": {"tcpSocket": {"port": _UPSTREAM_PORT}},
        "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}},
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }  # fmt: skip
    security = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    _apply(place, "Pod", "general", spec={"containers": [container], "securityContext": security})
    ports = [{"port": _UPSTREAM_PORT}]
    _apply(place, "Service", "general", spec={"selector": {"app": "general"}, "ports": ports})
    kubectl("wait", "pod/general", "--for=condition=Ready", "--timeout=120s", namespace=place.namespace)


def _apply(place: Place, kind: str, name: str, **parts: Any) -> None:
    metadata = {"name": name, "labels": {"app": name}}
    manifest = {"apiVersion": "v1", "kind": kind, "metadata": metadata, **parts}
    kubectl("apply", "-f", "-", namespace=place.namespace, given=json.dumps(manifest))
