"""An inference engine of anybody's at work on this machine: started, awaited, and ended however its asking ends."""

import json
import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any

from ctiforge.errors import CannotGoOnError, UsageError
from ctiforge.extract.answering.endpoint import list_served
from ctiforge.extract.answering.engine_command import EngineCommand
from ctiforge.pod.ports import free_port
from ctiforge.settings import read_api_key

ENDS_WITHIN_S = 20.0
"""How long an engine may take to end once it is told to; then it is killed."""
_LOOK_EVERY_S = 0.1
# the machine's proxies are for what is elsewhere
_open = urllib.request.build_opener(urllib.request.ProxyHandler({})).open


@dataclass(frozen=True)
class RunningEngine:
    """An engine that is ready to be asked."""

    url: str
    """Its OpenAI-compatible address."""
    served: tuple[str, ...]
    """The ids of its models."""
    version: str
    """What it says of itself."""


@contextmanager
def running(command: EngineCommand, model: Path, *, wait_s: float, version: str | None) -> Iterator[RunningEngine]:
    """Start an engine at a free port of this machine, wait until it is ready, and end it, however the block ends.

    Args:
        command: The command.
        model: What the engine is to serve: a folder or a file.
        wait_s: Seconds within which it must answer.
        version: What its program said of itself; None: the server is asked.

    Yields:
        The engine, ready to be asked.

    Raises:
        CannotGoOnError: It ends by itself, before or after it was ready, or does not answer in time; with the last
            lines that it wrote.
        UsageError: It refuses the key.
    """
    port = free_port()
    with TemporaryDirectory() as scratch:
        log = Path(scratch) / "log"
        with log.open("wb") as written:
            # its input stays open for as long as this process lives: some engines end with it
            process = _start(command.filled(model, port), written)
        try:
            _wait_until_ready(command, process, port, wait_s, log)
            with _no_end_by_itself(command, process, log):
                url = f"http://127.0.0.1:{port}/v1"
                yield RunningEngine(url, tuple(list_served(url)), version or _served_version(port))
        finally:
            _end(process)


def _start(words: Sequence[str], written: IO[bytes]) -> "subprocess.Popen[bytes]":
    try:
        return subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=written, stderr=subprocess.STDOUT, start_new_session=True
        )
    except OSError as error:
        raise UsageError(
            f"--engine: {words[0]!r} cannot be started ({error.strerror}): check that it is a program"
        ) from None


def _wait_until_ready(
    command: EngineCommand, process: "subprocess.Popen[bytes]", port: int, wait_s: float, log: Path
) -> None:
    """Look at its health until it answers; its end is seen at once."""
    until = time.monotonic() + wait_s
    while time.monotonic() < until:
        with suppress(subprocess.TimeoutExpired):
            process.wait(_LOOK_EVERY_S)
            raise CannotGoOnError(
                f"the engine ended (exit {_code(process)}) before it was ready: {_tail(command, log)}"
            )
        if _is_ready(port):
            return
    raise CannotGoOnError(f"the engine has not answered within {wait_s:g} s (--engine-wait): {_tail(command, log)}")


def _is_ready(port: int) -> bool:
    """Tell whether the model is loaded; llama.cpp lists it long before, and not every engine tells its health."""
    return all(_status(port, path) < 500 for path in ("health", "v1/models"))


def _status(port: int, path: str) -> int:
    try:
        with _open(f"http://127.0.0.1:{port}/{path}", timeout=5) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except (OSError, ValueError):
        return 599


@contextmanager
def _no_end_by_itself(command: EngineCommand, process: "subprocess.Popen[bytes]", log: Path) -> Iterator[None]:
    """Refuse the work of an engine that has ended by itself: what it did not answer is no answer."""
    failed: CannotGoOnError | None = None
    try:
        yield
    except CannotGoOnError as error:
        failed = error
    if process.poll() is not None:
        raise CannotGoOnError(
            f"the engine ended (exit {_code(process)}) while it was asked: {_tail(command, log)}. Nothing is published"
        )
    if failed:
        raise failed


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Tell an engine and what it started to end, and kill what has not ended in time."""
    try:
        if process.poll() is None:
            _signal(process, signal.SIGTERM)
            process.wait(ENDS_WITHIN_S)
    except subprocess.TimeoutExpired:
        pass
    finally:
        _signal(process, signal.SIGKILL)
        # closes its input, too
        process.communicate()


def _signal(process: "subprocess.Popen[bytes]", number: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


def _code(process: "subprocess.Popen[bytes]") -> int:
    code = process.returncode
    return code if code >= 0 else 128 - code


def _tail(command: EngineCommand, log: Path) -> str:
    with log.open("rb") as written:
        written.seek(max(0, log.stat().st_size - 8192))
        text = written.read().decode(errors="replace")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return command.masked(" | ".join(lines[-3:])) or "it wrote nothing"


def _served_version(port: int) -> str:
    """Ask a server what it is: vLLM has its version, llama.cpp its build, others at least whose models it has."""
    for path, key in (("version", "version"), ("props", "build_info")):
        if found := _ask(port, path).get(key):
            return str(found)
    models = _ask(port, "v1/models").get("data")
    owner = models[0].get("owned_by") if isinstance(models, list) and models and isinstance(models[0], dict) else None
    return str(owner or "unknown")


def _ask(port: int, path: str) -> dict[str, Any]:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/{path}", headers={"Authorization": f"Bearer {read_api_key(needed=False)}"}
    )
    try:
        with _open(request, timeout=5) as answer:
            found = json.load(answer)
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
