"""Tells what programs would make: a JSON command a line on standard input, a JSON answer a line on standard output.

A command is `{"program":…,"arguments":[…]}`. The answer is what the program prints with `--plan`,
`{"stage":…,"fingerprint":…,"cached":…}`, or `{"problem":…,"exit_code":…}` where it could not say. With
`"flags_only":true` the flags are read and nothing else is: the answer has no fingerprint. With `"estimate":true` the
answer is what the program prints with `--estimate`, `{"lines":[…]}`, or a problem.
"""

import json
import sys
import traceback
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr, redirect_stdout
from functools import wraps
from importlib import import_module
from io import StringIO
from typing import Any

from ctiforge.pod.entry import run_program


def main() -> None:
    """Answer every command until standard input ends."""
    for line in sys.stdin:
        command = json.loads(line)
        program = import_module(f"ctiforge.programs.{command['program']}")
        ask = estimate if command.get("estimate") else check if command.get("flags_only") else answer
        print(json.dumps(ask(program.main, command["arguments"])), flush=True)


def answer(program: Callable[..., Any], arguments: Sequence[str]) -> dict[str, Any]:
    """Ask one program, in this process, what it would make.

    Args:
        program: The program's function.
        arguments: Its arguments, `--plan` left out.

    Returns:
        What the program printed, or the problem and the exit code that it ended with.
    """
    said, errors, code = _run(program, [*arguments, "--plan"])
    try:
        value: dict[str, Any] = json.loads(said.strip().rpartition("\n")[2])
        return value
    except ValueError:
        return _problem(errors, code)


def estimate(program: Callable[..., Any], arguments: Sequence[str]) -> dict[str, Any]:
    """Ask one program, in this process, what memory it takes.

    Args:
        program: The program's function.
        arguments: Its arguments, `--estimate` left out.

    Returns:
        The lines that the program printed, or the problem and the exit code that it ended with.
    """
    said, errors, code = _run(program, [*arguments, "--estimate"])
    return _problem(errors, code) if code or not said else {"lines": said.rstrip().splitlines()}


def check(program: Callable[..., Any], arguments: Sequence[str]) -> dict[str, Any]:
    """Read one program's flags in this process, and do nothing.

    Args:
        program: The program's function.
        arguments: Its arguments.

    Returns:
        An answer without a fingerprint, or the problem with the flags and the exit code of that.
    """

    @wraps(program)
    def do_nothing(**_flags: Any) -> None:
        """Take the flags of the program in its place."""

    _, errors, code = _run(do_nothing, arguments)
    return _problem(errors, code) if code else {"fingerprint": None, "cached": False}


def _run(program: Callable[..., Any], arguments: Sequence[str]) -> tuple[str, str, int]:
    """Run a program; gives back what it wrote to standard output and standard error, and its exit code."""
    said, errors, code = StringIO(), StringIO(), 0
    with redirect_stdout(said), redirect_stderr(errors):
        try:
            run_program(program, arguments)
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 0
        except Exception:
            traceback.print_exc()
            code = 1
    return said.getvalue(), errors.getvalue(), code


def _problem(errors: str, code: int) -> dict[str, Any]:
    problem = errors.strip().rpartition("\n")[2] or f"exit code {code}"
    return {"problem": problem.removeprefix("error: ").removeprefix("Error: "), "exit_code": code or 1}


if __name__ == "__main__":
    main()
