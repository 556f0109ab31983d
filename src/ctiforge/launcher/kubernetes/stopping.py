"""What ends the following of a piece of work from outside: a signal, or somebody who cancels its run."""

from contextlib import suppress
from threading import Event, Thread
from typing import Self

from ctiforge.errors import InterruptedRunError, StoreError
from ctiforge.launcher.failures import CANCELLED
from ctiforge.launcher.signals import HeldSignals
from ctiforge.records.base import SchemaError
from ctiforge.store.objects import ObjectStore
from ctiforge.store.runs import is_cancelled

LOOK_EVERY_S = 10.0


class Stopping(HeldSignals):
    """Signals, and whether the run's record says that it was cancelled; use as a context manager.

    A Job that others follow lives on when the run is cancelled, so that its end would tell nothing. The store is asked
    in a thread of its own: one that is away delays nothing.
    """

    def __init__(self, store: ObjectStore, run_id: str) -> None:
        super().__init__()
        self._store, self._run_id = store, run_id
        self._cancelled, self._over = Event(), Event()

    def __enter__(self) -> Self:
        super().__enter__()
        Thread(target=self._look_now_and_then, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        super().__exit__()

    def check(self) -> None:
        """Raise what a signal means, or InterruptedRunError where the run was cancelled."""
        super().check()
        if self._cancelled.is_set():
            raise InterruptedRunError(CANCELLED)

    def _look_now_and_then(self) -> None:
        while not self._over.wait(LOOK_EVERY_S):
            with suppress(StoreError, SchemaError, OSError):
                if is_cancelled(self._store, self._run_id):
                    self._cancelled.set()
                    return
