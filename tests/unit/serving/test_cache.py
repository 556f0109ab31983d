"""Extractions are kept for a while, within bounds, and what is being read is read once."""

from concurrent.futures import Future

from ctiforge.extract.answering.extraction import Extraction, WindowAnswer
from ctiforge.serving.cache import ExtractionCache


class Reader:
    """Begins to read; the test says when it is done."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.futures: list[Future[Extraction]] = []

    def __call__(self, text: str) -> "Future[Extraction]":
        self.begun.append(text)
        self.futures.append(Future())
        return self.futures[-1]


def extraction(error: str | None = None, raw: str = "x" * 100) -> Extraction:
    return Extraction((), (WindowAnswer(0, 1, raw, True, True, False, 0, 1, 1, error),))


def read(cache: ExtractionCache, reader: Reader, text: str, found: Extraction) -> bool:
    future, known = cache.get(text, reader)
    if not known:
        reader.futures[-1].set_result(found)
    assert future.result() is not None
    return known


def test_what_is_being_read_is_read_once() -> None:
    cache, reader = ExtractionCache(0, 60), Reader()
    first, known = cache.get("a", reader)
    second, is_known = cache.get("a", reader)
    assert (first is second, known, is_known, reader.begun) == (True, False, True, ["a"])
    reader.futures[0].set_result(extraction())
    # there is no room to keep it
    assert cache.get("a", reader)[1] is False


def test_what_was_read_is_kept_until_it_is_old() -> None:
    now = [0.0]
    cache, reader = ExtractionCache(10_000, 60, lambda: now[0]), Reader()
    assert not read(cache, reader, "a", extraction())
    now[0] = 59
    assert read(cache, reader, "a", extraction())
    now[0] = 61
    assert not read(cache, reader, "a", extraction())
    assert cache.bytes < 2_000


def test_the_one_asked_for_least_lately_makes_room() -> None:
    cache, reader = ExtractionCache(4_000, 60), Reader()
    for text in "abcad":
        read(cache, reader, text, extraction())
    assert reader.begun == ["a", "b", "c", "d"]
    assert [read(cache, reader, text, extraction()) for text in "cadb"] == [True, True, True, False]
    assert cache.bytes <= 4_000


def test_failures_are_not_kept() -> None:
    cache, reader = ExtractionCache(10_000, 60), Reader()
    assert not read(cache, reader, "a", extraction("no answer"))
    future, known = cache.get("a", reader)
    assert not known
    reader.futures[-1].set_exception(ValueError())
    assert isinstance(future.exception(), ValueError)
    assert not read(cache, reader, "a", extraction())
    assert cache.bytes > 0
