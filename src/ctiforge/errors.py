"""What can go wrong for a person, and the exit code that says so to them and to Kubernetes."""

from enum import IntEnum

GOES_ON = "nothing half-written is kept, the same command goes on from here"
"""What is so after a signal."""


class ExitCode(IntEnum):
    """The contract of a stage program with whoever started it (see docs/reference/exit-codes.md)."""

    DONE = 0
    CRASH = 1
    USAGE = 2
    DATA = 3
    CANNOT_GO_ON = 4
    GATE = 5
    INTERRUPTED = 75


class CtiforgeError(Exception):
    """An error a person can mend: its text says what, where and what to do next, in one or two lines.

    Attributes:
        exit_code: The exit code of a program that this error ends.
    """

    exit_code: int = ExitCode.CRASH


class UsageError(CtiforgeError):
    """Wrong flags or configuration; never retried."""

    exit_code = ExitCode.USAGE


class DataError(CtiforgeError):
    """Too little data, or none of it valid; never retried."""

    exit_code = ExitCode.DATA


class CannotGoOnError(CtiforgeError):
    """This machine cannot finish the work: disk full, out of memory at micro-batch 1; never retried."""

    exit_code = ExitCode.CANNOT_GO_ON


class GateError(CtiforgeError):
    """A model did not pass a gate: nothing is wrong with the work, and the model is not to be used."""

    exit_code = ExitCode.GATE


class InterruptedRunError(CtiforgeError):
    """SIGTERM came and the state is saved: the same command goes on from there; always retried."""

    exit_code = ExitCode.INTERRUPTED


class StoreError(CtiforgeError):
    """The store refused or vanished: wrong credentials, missing bucket, no conditional writes."""


class DamagedError(StoreError):
    """What the store holds is not what was put there; never retried."""

    exit_code = ExitCode.DATA


class StoreFolderError(StoreError):
    """The store is a folder that cannot be made or written; never retried."""

    exit_code = ExitCode.USAGE


class UntrustedStoreError(StoreError):
    """The store does not keep its word: conditions of writes are ignored; never retried."""

    exit_code = ExitCode.USAGE
