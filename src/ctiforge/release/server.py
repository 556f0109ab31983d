"""A llama.cpp server of one GGUF on this machine, for as long as it is asked."""

import json
import os
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ctiforge.errors import CannotGoOnError
from ctiforge.pod.ports import free_port
from ctiforge.release.tools import LlamaCpp

LOADING_S = 900.0
"""How long a model may take to load."""
_LOOK_EVERY_S = 0.05
_TIMEOUT_S = 600.0


class LlamaServer:
    """Asks a running server for what no OpenAI-compatible endpoint tells."""

    def __init__(self, address: str, model: str) -> None:
        self.address = address
        self.model = model
        """The name it serves the file under."""

    @property
    def endpoint(self) -> str:
        """Return the OpenAI-compatible address."""
        return f"{self.address}/v1"

    def tokenize(self, text: str, *, opened: bool = False) -> list[int]:
        """Ask for a text's ids, special tokens read as such; `opened` by the begin token where the file has it so."""
        body = {"content": text, "add_special": opened, "parse_special": True}
        return [int(token) for token in self._post("tokenize", body)["tokens"]]

    def render(self, messages: Sequence[dict[str, str]]) -> str:
        """Ask for the prompt that the file's own chat template makes of a conversation."""
        return str(self._post("apply-template", {"messages": list(messages)})["prompt"])

    def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        request = urllib.request.Request(
            f"{self.address}/{path}", json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:
                found: dict[str, Any] = json.load(answer)
        except urllib.error.HTTPError as error:
            said = error.read().decode(errors="replace")[:300]
            raise CannotGoOnError(f"llama.cpp refuses {path}: {said}") from None
        except OSError as error:
            raise CannotGoOnError(f"llama.cpp's server is gone: {error}") from None
        return found


@contextmanager
def serving(gguf: Path, llama_cpp: LlamaCpp, *, context: int, exact: bool = False) -> Iterator[LlamaServer]:
    """Start a server of a GGUF, wait until it is ready, and end it afterwards.

    It has one slot, so that what is asked beside an article never changes its answer.

    Args:
        gguf: The file to serve; its name without `.gguf` is the model's name.
        llama_cpp: The tools.
        context: Tokens of prompt and answer together.
        exact: Whether to compute attention in f32.

    Yields:
        The running server.

    Raises:
        CannotGoOnError: It ends or does not load the model within `LOADING_S` seconds; with the end of its log.
    """
    port = free_port()
    flags = ["-m", str(gguf), "--alias", gguf.stem, "--host", "127.0.0.1", "--port", str(port)]
    flags += ["-c", str(context), "-np", "1"]
    if threads := os.environ.get("OMP_NUM_THREADS"):
        # threads that wait for each other cost several times as much where another process has a core
        flags += ["-t", threads]
    if exact:
        # flash attention computes in f16, whatever the cache holds
        flags += ["-ctk", "f32", "-ctv", "f32", "-fa", "off"]
    with TemporaryDirectory() as scratch:
        log = Path(scratch) / "log"
        with log.open("wb") as written:
            process = subprocess.Popen(
                [*llama_cpp.server, *flags], stdin=subprocess.PIPE, stdout=written, stderr=subprocess.STDOUT
            )
        try:
            _wait_until_ready(process, f"http://127.0.0.1:{port}/health", gguf, log)
            yield LlamaServer(f"http://127.0.0.1:{port}", gguf.stem)
        finally:
            process.terminate()
            process.communicate()


def _wait_until_ready(process: "subprocess.Popen[bytes]", health: str, gguf: Path, log: Path) -> None:
    """Look at its health until it says that the model is loaded; its end is seen at once."""
    for _ in range(int(LOADING_S / _LOOK_EVERY_S)):
        try:
            process.wait(_LOOK_EVERY_S)
        except subprocess.TimeoutExpired:
            if _answers(health):
                return
            continue
        raise CannotGoOnError(f"llama.cpp cannot serve {gguf.name} (exit {process.returncode}): {_end_of(log)}")
    raise CannotGoOnError(f"llama.cpp has not loaded {gguf.name} in {LOADING_S:.0f} s: {_end_of(log)}")


def _answers(health: str) -> bool:
    try:
        with urllib.request.urlopen(health, timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def _end_of(log: Path) -> str:
    lines = [line for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    return " | ".join(lines[-3:]) or "its log is empty"
