"""Runs programs and the command itself in this process: what they print, and the exit code that they end with."""

import os
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout
from importlib import import_module
from io import BytesIO, StringIO, TextIOWrapper
from pathlib import Path
from unittest.mock import patch

from ctiforge.pod.entry import exit_on_error, run_program

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run_here(
    program: str, *arguments: str, cwd: Path, environment: Mapping[str, str] | None = None, stdin: bytes = b""
) -> "subprocess.CompletedProcess[str]":
    """Run a program of `ctiforge.programs` with these arguments; `environment` is all that it finds."""
    module = import_module(f"ctiforge.programs.{program}")
    app = getattr(module, "app", None)
    with (
        chdir(cwd),
        patch.dict(os.environ, os.environ if environment is None else environment, clear=True),
        patch.object(sys, "stdin", TextIOWrapper(BytesIO(stdin), encoding="utf-8")),
        captured() as (output, errors),
    ):
        code = exit_code(lambda: exit_on_error(lambda: app(arguments)) if app else run_program(module.main, arguments))
    return subprocess.CompletedProcess([program, *arguments], code, output.getvalue(), errors.getvalue())


@contextmanager
def captured() -> Iterator[tuple[StringIO, StringIO]]:
    """What is printed to standard output and standard error."""
    output, errors = StringIO(), StringIO()
    with redirect_stdout(output), redirect_stderr(errors):
        yield output, errors


def exit_code(call: Callable[[], None]) -> int:
    """The exit code that a call ends with, 1 after a crash; signals mean afterwards what they meant before."""
    before = {number: signal.getsignal(number) for number in SIGNALS}
    try:
        call()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except Exception:
        traceback.print_exc()
        return 1
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return 0
