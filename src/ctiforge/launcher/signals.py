"""Ctrl-C, SIGTERM and SIGHUP, answered where the launcher looks for them.

An exception that a handler raises may come up anywhere, inside a finalizer as well, where Python
drops it: a Ctrl-C would be lost.
"""

import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any


class HeldSignals:
    """Notes the first signal of the block instead of raising at once; use as a context manager.

    Outside the main thread, which alone gets signals, it does nothing.
    """

    def __init__(self) -> None:
        self._came: int | None = None
        self._before: dict[int, Callable[[int, FrameType | None], Any]] = {}

    def __enter__(self) -> "HeldSignals":
        if threading.current_thread() is not threading.main_thread():
            return self
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            handler = signal.getsignal(number)
            # what is ignored (nohup) stays ignored
            if callable(handler):
                self._before[number] = handler
                signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def check(self) -> None:
        """Raise what the signal means (KeyboardInterrupt, SystemExit), if one came; from then on signals raise."""
        if self._came is None:
            return
        self.__exit__()
        self._before[self._came](self._came, None)

    def _note(self, number: int, _frame: FrameType | None) -> None:
        self._came = self._came or number
