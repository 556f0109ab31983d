"""The last of what a program says, kept in a store while it runs: a pod's own log vanishes with the pod."""

from collections.abc import Callable
from threading import Event, Lock, Thread

from ctiforge.progress import warn
from ctiforge.store.objects import ObjectStore

KEEP = 256 * 1024
WRITE_EVERY_S = 5.0
LAST_WRITE_WITHIN_S = 20.0


def log_key(run: str, stage: str, attempt: str, pod: str) -> str:
    """Name the object that keeps the end of one pod's log.

    Args:
        run: The run's id.
        stage: The stage's name in its line.
        attempt: The attempt, as text.
        pod: The pod's name, which tells two pods of one attempt apart.

    Returns:
        The object's key in the store.
    """
    return f"runs/{run}/logs/{stage}-{attempt}-{pod}.log"


class LogTail:
    """Keeps the last `KEEP` bytes of a log under `key`, written every few seconds when there is something new.

    `open_store` is called in the writer's own thread; what goes wrong with the store is told once, to
    stderr, and tried again with the next write: the program is never disturbed.
    """

    def __init__(self, open_store: Callable[[], ObjectStore], key: str, *, every_s: float = WRITE_EVERY_S) -> None:
        self._open_store = open_store
        self._key = key
        self._every_s = every_s
        self._tail = bytearray()
        self._lock = Lock()
        self._changed = False
        self._ended = Event()
        self._told = False
        self._store: ObjectStore | None = None
        self._writer = Thread(target=self._write_now_and_then, daemon=True)
        self._writer.start()

    def add(self, data: bytes) -> None:
        """Add what the program just said.

        Args:
            data: Its bytes, as they came; a line may be cut anywhere.
        """
        with self._lock:
            self._tail += data
            del self._tail[:-KEEP]
            self._changed = True

    def close(self, exit_code: int) -> None:
        """Add the exit code as the last line and write a last time.

        A store that does not answer within `LAST_WRITE_WITHIN_S` seconds is given up on.

        Args:
            exit_code: The program's exit code.
        """
        with self._lock:
            line_is_open = bool(self._tail) and not self._tail.endswith(b"\n")
        self.add(b"\n" * line_is_open + f"exit code {exit_code}\n".encode())
        self._ended.set()
        self._writer.join(LAST_WRITE_WITHIN_S)

    def _write_now_and_then(self) -> None:
        while not self._ended.wait(self._every_s):
            self._write()
        self._write()

    def _write(self) -> None:
        with self._lock:
            if not self._changed:
                return
            data, self._changed = bytes(self._tail), False
        try:
            self._store = self._store or self._open_store()
            self._store.write(self._key, data)
        except Exception as error:
            # whatever it is, it must not end the thread, nor the program
            with self._lock:
                self._changed = True
            if not self._told:
                self._told = True
                warn(f"the log is not kept in the store: {error}")
