"""Start a program in this process and end it: parse the flags, run, exit with the code of the contract."""

import errno
import os
import signal
import sys
from collections.abc import Callable, Sequence
from functools import partial
from types import FrameType
from typing import Any

import typer

from ctiforge.errors import GOES_ON, CtiforgeError, ExitCode, UsageError
from ctiforge.pod.extras import how_to_install
from ctiforge.visible import visible

MACHINES = ("linux", "darwin")
"""What `sys.platform` may be."""

_NO_PLACE = (
    *(errno.EACCES, errno.EPERM, errno.EROFS),
    *(errno.EEXIST, errno.EISDIR, errno.ENOTDIR, errno.ENAMETOOLONG),
)
"""What is wrong with a path, not with the program."""


def run_program(main: Callable[..., Any], arguments: Sequence[str] | None = None) -> None:
    """Run `main` as a command-line program, its flags taken from its signature, and exit.

    An error that a person can mend is printed in one or two lines, without a traceback, and ends
    the program with its exit code; a package of an extra that is not installed, or a path that cannot be
    used, ends it with 2, a full disk with 4, Ctrl-C with 130, SIGTERM with 75. Anything else is a crash: a
    traceback and exit code 1.

    Args:
        main: The function to run.
        arguments: Its arguments; None: those of the command line.
    """
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
    app.command()(main)
    exit_on_error(lambda: app(arguments))


def exit_on_error(call: Callable[[], Any]) -> None:
    """Call a function and end the process with the exit code of the error that it raises.

    `run_program` says what each error becomes; where there is none, the call returns and nothing exits here.

    Args:
        call: The function to call.
    """
    signal.signal(signal.SIGTERM, partial(_end_interrupted, os.getpid()))
    try:
        _check_machine()
        _call(call)
    except CtiforgeError as error:
        _fail(str(error), error.exit_code)
    except KeyboardInterrupt:
        _fail(f"stopped by Ctrl-C; {GOES_ON}", 130)
    except ModuleNotFoundError as error:
        advice = how_to_install(error)
        if not advice:
            raise
        _fail(advice, ExitCode.USAGE)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            place = error.filename or "scratch"
            _fail(f"the disk is full ({place}): free some space and run the same command again", ExitCode.CANNOT_GO_ON)
        if error.errno not in _NO_PLACE or error.filename is None:
            raise
        _fail(f"{error.filename}: {error.strerror}; name another place, or mend this one", ExitCode.USAGE)


def _check_machine() -> None:
    # file locks and process groups are POSIX: without this line Windows would show a traceback
    if sys.platform not in MACHINES:
        raise UsageError(f"ctiforge runs on Linux and macOS, not on {sys.platform}: on Windows, use it inside WSL 2")


def _call(call: Callable[[], Any]) -> None:
    """Call; where a library's own clean-up fails while a signal ends the program, the signal is what counts."""
    try:
        call()
    except Exception as error:
        before = error.__context__
        while before:
            if isinstance(before, KeyboardInterrupt | SystemExit):
                raise before from None
            before = before.__context__
        raise


def _end_interrupted(program: int, _signum: int, _frame: FrameType | None) -> None:
    # written past the stream's buffer, which the signal may have come in the middle of; a forked worker says nothing
    if os.getpid() == program:
        os.write(2, f"error: stopped by SIGTERM; {GOES_ON}\n".encode())
    # no Exception: libraries catch those, and a signal comes anywhere
    raise SystemExit(int(ExitCode.INTERRUPTED))


def _fail(message: str, code: int | ExitCode) -> None:
    print(f"error: {visible(message)}", file=sys.stderr, flush=True)
    raise SystemExit(int(code))
