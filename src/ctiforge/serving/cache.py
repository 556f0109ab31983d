"""Extractions of articles that were read lately: seven agents that ask about one article have it read once."""

import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass

from ctiforge.extract.answering.extraction import Extraction

Read = Callable[[str], "Future[Extraction]"]
"""Begins to read a text."""


@dataclass(frozen=True)
class KeptExtraction:
    """An extraction that is kept, and until when."""

    extraction: Extraction
    size: int
    until: float


class ExtractionCache:
    """By the article's text; bounded by bytes and age. What is being read is read by one, and awaited by all."""

    def __init__(self, most_bytes: int, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._most_bytes = most_bytes
        self._seconds = seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, KeptExtraction] = OrderedDict()
        self._reading: dict[str, Future[Extraction]] = {}
        self.bytes = 0
        """Of all that is kept."""

    def get(self, text: str, read: Read) -> tuple["Future[Extraction]", bool]:
        """Give the extraction of a text, and whether it was known or is being read already.

        `read` begins to read a text that is not; what it raises passes through. An extraction is kept unless a window
        of it failed.
        """
        key = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
        with self._lock:
            known = self._find(key)
            if known:
                return known, True
            future = read(text)
            self._reading[key] = future
        # not under the lock: one that is done calls at once
        future.add_done_callback(lambda done: self._done(key, done))
        return future, False

    def _find(self, key: str) -> "Future[Extraction] | None":
        if key in self._reading:
            return self._reading[key]
        kept = self._kept.get(key)
        if kept is None:
            return None
        if kept.until < self._clock():
            self._drop(key)
            return None
        self._kept.move_to_end(key)
        future: Future[Extraction] = Future()
        future.set_result(kept.extraction)
        return future

    def _done(self, key: str, future: "Future[Extraction]") -> None:
        with self._lock:
            self._reading.pop(key, None)
            if future.cancelled() or future.exception():
                return
            extraction = future.result()
            size = _size(extraction)
            if any(window.error for window in extraction.windows) or size > self._most_bytes:
                return
            self._kept[key] = KeptExtraction(extraction, size, self._clock() + self._seconds)
            self.bytes += size
            while self.bytes > self._most_bytes:
                self._drop(next(iter(self._kept)))

    def _drop(self, key: str) -> None:
        self.bytes -= self._kept.pop(key).size


def _size(extraction: Extraction) -> int:
    """Estimate an extraction's bytes in memory: its texts, and what Python needs besides."""
    texts = sum(len(each.raw) + 64 * len(each.items or ()) for each in extraction.windows)
    values = sum(len(each.value) for each in extraction.observables)
    return 2 * (texts + values) + 512 * (len(extraction.windows) + len(extraction.observables) + 1)
