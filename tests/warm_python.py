"""Runs programs in processes of their own that need not import torch again: each is a fork of one that has.

A program is run as `python PROGRAM ARGUMENTS…` would run it, with its own folder, environment, streams and exit
code. What a library reads from the environment while it is imported is as it was at the start, though: a program
that is tested with other settings of the hub is started as usual.
"""

import gc
import json
import os
import runpy
import select
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

HEAVY = (
    "ctiforge.training.trainer",
    "matplotlib.pyplot",
    "sklearn.linear_model",
    "transformers.models.bert.modeling_bert",
    "transformers.models.llama.modeling_llama",
)


class WarmPython:
    """Starts programs from a process that has imported what most of them need."""

    def __init__(self, process: "subprocess.Popen[str]", folder: Path) -> None:
        self._process = process
        self._folder = folder

    def run(
        self,
        program: Path,
        *arguments: object,
        cwd: Path,
        environment: Mapping[str, str] | None = None,
        timeout_s: float = 120,
    ) -> "subprocess.CompletedProcess[str]":
        """Run a program to its end; gives back its exit code and what it said."""
        command = [str(program), *map(str, arguments)]
        streams = [str(self._folder / name) for name in ("stdout", "stderr")]
        request = {"command": command, "cwd": str(cwd), "env": dict(environment or os.environ), "streams": streams}
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answered, _, _ = select.select([self._process.stdout], [], [], timeout_s)
        if not answered:
            self._process.kill()
            raise subprocess.TimeoutExpired(command, timeout_s)
        code = int(self._process.stdout.readline())
        return subprocess.CompletedProcess(command, code, *(Path(stream).read_text("utf-8") for stream in streams))


@contextmanager
def warm_python(folder: Path) -> Iterator[WarmPython]:
    """Start the process; it ends with the block, or with this process."""
    command = [sys.executable, __file__]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield WarmPython(process, folder)


def _serve() -> None:
    for name in HEAVY:
        __import__(name)
    gc.freeze()
    answers = os.fdopen(os.dup(1), "w")
    for line in sys.stdin:
        child = os.fork()
        if not child:
            answers.close()
            _become(json.loads(line))
            return
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), file=answers, flush=True)


def _become(request: dict[str, Any]) -> None:
    """Go on as the program that is asked for; its exit is ours."""
    streams: list[IO[str]] = [open(os.devnull), *(open(path, "w") for path in request["streams"])]  # noqa: SIM115
    for number, stream in enumerate(streams):
        os.dup2(stream.fileno(), number)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    sys.argv = request["command"]
    sys.path[0] = os.path.dirname(sys.argv[0])
    runpy.run_path(sys.argv[0], run_name="__main__")


if __name__ == "__main__":
    _serve()
