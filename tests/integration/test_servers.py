"""However a run of pytest ends, no server outlives it."""

import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.ending import MARK, alive, wait_until_gone

ROOT = Path(__file__).parents[2]
TESTS = """
import os, signal
import pytest

@pytest.mark.parametrize("fifo", {fifos})
def test_it_waits(s3_server, postgres_server, fifo):
    with open(fifo, "w") as ready:
        ready.write(str(os.getpid()))
    while True:
        signal.pause()
"""

Start = Callable[..., tuple[subprocess.Popen[bytes], list[int]]]


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Starts a pytest of so many tests, waits until each has its servers; gives back pytest and who runs the tests."""
    running: list[subprocess.Popen[bytes]] = []
    monkeypatch.setenv(MARK, uuid.uuid4().hex)

    def run(count: int, *flags: str) -> tuple[subprocess.Popen[bytes], list[int]]:
        fifos = [tmp_path / f"fifo{number}" for number in range(count)]
        for fifo in fifos:
            os.mkfifo(fifo)
        tests = tmp_path / "test_waits.py"
        tests.write_text(TESTS.format(fifos=[str(fifo) for fifo in fifos]))
        command = [sys.executable, "-m", "pytest", "-c", ROOT / "pyproject.toml", "-p", "tests.integration.conftest"]
        path = os.pathsep.join((str(ROOT), os.environ.get("PYTHONPATH", "")))
        with (tmp_path / "said").open("wb") as said:
            process = subprocess.Popen(
                [*command, *flags, tests], env={**os.environ, "PYTHONPATH": path}, stdout=said, stderr=said
            )
        running.append(process)
        return process, [int(fifo.read_text()) for fifo in fifos]

    yield run
    for process in running:
        process.kill()
        process.wait()


@pytest.mark.parametrize("number", [signal.SIGKILL, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)])
def test_a_pytest_that_is_stopped_leaves_no_server(start: Start, number: signal.Signals) -> None:
    process, _ = start(1)
    servers = {program for program, _ in alive().values()}
    assert {"weed", "postgres"} <= servers

    process.send_signal(number)
    process.wait()
    wait_until_gone()


@pytest.mark.slow
def test_workers_end_with_the_pytest_that_they_work_for(start: Start) -> None:
    process, workers = start(2, "-n2")
    assert len({*workers, process.pid}) == 3

    process.kill()
    process.wait()
    wait_until_gone()


@pytest.mark.slow
def test_a_worker_that_is_killed_leaves_no_server(start: Start) -> None:
    _, (worker,) = start(1, "-n1", "--max-worker-restart=0")

    os.kill(worker, signal.SIGKILL)
    wait_until_gone()
