"""One model at work: articles wait, one thread reads those that wait together, and what was read is kept."""

import math
import threading
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass

from ctiforge.errors import CtiforgeError
from ctiforge.extract.answering.extraction import Extraction, Source
from ctiforge.serving.cache import ExtractionCache
from ctiforge.serving.loading import LoadedModel
from ctiforge.serving.metrics import Metrics
from ctiforge.training.faults import check_device

TOGETHER = 8
"""Articles that are read together at most: more fill batches better, and each waits for the others."""
_LONGEST_WAIT = 60


class QueueFullError(Exception):
    """So many articles wait already that one more would not be read in time."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"too many articles wait for the model: ask again in {retry_after} s")
        self.retry_after = retry_after


@dataclass(frozen=True)
class WaitingArticle:
    """One article that waits."""

    source: Source
    future: "Future[Extraction]"


class Engine:
    """A loaded model with its own thread and its own memory of what it read."""

    def __init__(self, loaded: LoadedModel, cache: ExtractionCache, metrics: Metrics, *, queue: int) -> None:
        self.loaded = loaded
        self.cache = cache
        self.fault: str | None = None
        """Why the last articles could not be read, where that was not theirs; None while it answers."""
        self._metrics = metrics
        self._most = queue
        self._waiting: deque[WaitingArticle] = deque()
        self._seconds = 1.0
        self._users = 0
        self._retired = False
        self._change = threading.Condition()
        self._thread = threading.Thread(target=self._work, name=f"engine-{loaded.model.version}", daemon=True)
        self._thread.start()

    @property
    def queue(self) -> int:
        """Count the articles that wait."""
        return len(self._waiting)

    def read(self, text: str, url: str | None) -> tuple["Future[Extraction]", bool]:
        """Have an article read, all of the model's types at once; also says whether that is done or under way already.

        Raises QueueFullError.
        """
        future, known = self.cache.get(text, lambda text: self._enter(Source(text, None, url)))
        self._metrics.count("articles_total", source="cache" if known else "model")
        return future, known

    def hold(self) -> bool:
        """Keep the engine from ending until `release`; False where it is retired, and another one is to be asked."""
        with self._change:
            self._users += not self._retired
            return not self._retired

    def release(self) -> None:
        """Undo one `hold`."""
        with self._change:
            self._users -= 1
            self._change.notify_all()

    def retire(self) -> None:
        """Let the thread end once nobody holds the engine and nothing waits."""
        with self._change:
            self._retired = True
            self._change.notify_all()

    def wait_until_ended(self, seconds: float) -> bool:
        """Wait for the thread of a retired engine; False where it has not ended in time."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def _enter(self, source: Source) -> "Future[Extraction]":
        future: Future[Extraction] = Future()
        with self._change:
            if len(self._waiting) >= self._most:
                raise QueueFullError(min(_LONGEST_WAIT, max(1, math.ceil(self._seconds * len(self._waiting)))))
            self._waiting.append(WaitingArticle(source, future))
            self._change.notify_all()
        return future

    def _work(self) -> None:
        while batch := self._next():
            started = time.monotonic()
            self._answer(batch)
            self._seconds = 0.7 * self._seconds + 0.3 * (time.monotonic() - started) / len(batch)

    def _next(self) -> list[WaitingArticle]:
        """Wait for articles and take some; none where the engine is to end."""
        with self._change:
            self._change.wait_for(lambda: self._waiting or (self._retired and not self._users))
            return [self._waiting.popleft() for _ in range(min(TOGETHER, len(self._waiting)))]

    def _answer(self, batch: Sequence[WaitingArticle]) -> None:
        """Read articles together where that works, else one by one; what is wrong with one is told to its askers."""
        try:
            found = list(self.loaded.extractor.extract_many([each.source for each in batch]))
            self.fault = None
        except CtiforgeError as error:
            self._fail(batch, error)
            return
        except Exception as error:  # whatever one article breaks, the others are still to be read
            try:
                check_device(error)
            except CtiforgeError as fault:
                self._fail(batch, fault)
                return
            if len(batch) == 1:
                batch[0].future.set_exception(error)
                return
            found = []
        if not found:
            for each in batch:
                self._answer([each])
            return
        for each, extraction in zip(batch, found, strict=True):
            self._count(extraction)
            each.future.set_result(extraction)

    def _fail(self, batch: Sequence[WaitingArticle], error: CtiforgeError) -> None:
        self.fault = str(error)
        for each in batch:
            each.future.set_exception(error)

    def _count(self, extraction: Extraction) -> None:
        for window in extraction.windows:
            outcome = "failed" if window.error else "answered" if window.json_parsed else "unread"
            self._metrics.count("windows_total", outcome=outcome)
