"""Another machine that does the same work, played by a thread of this program."""

import threading
from dataclasses import replace

from ctiforge.errors import CtiforgeError
from ctiforge.pod.meeting import Machines, Shared, met


class OtherMachine:
    """Comes, and stays until the end or for so long; ends with a word, or without one where it leaves before."""

    def __init__(
        self,
        machines: Machines,
        number: int,
        *,
        nproc: int = 1,
        work: str = "",
        leaves_after_s: float | None = None,
        shared: Shared | None = None,
    ) -> None:
        self.error: CtiforgeError | None = None
        self.gone = ""
        self._over, self._met = threading.Event(), threading.Event()
        self._come = (replace(machines, number=number), nproc, work, self._over.is_set, shared)
        self._leaves_after_s = leaves_after_s
        self._thread = threading.Thread(target=self._play, daemon=True)

    def __enter__(self) -> "OtherMachine":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        # it may have been answered, and not have read that yet
        self._met.wait(2)
        self._over.set()
        self._thread.join(20)

    def _play(self) -> None:
        try:
            with met(*self._come) as meeting:
                self._met.set()
                if meeting and self._over.wait(self._leaves_after_s):
                    self.gone = meeting.gone
                    meeting.part()
        except CtiforgeError as error:
            self.error = error
            self._met.set()
