"""A canary is answered to the letter, or what is not is named."""

import json
from collections.abc import Sequence

import pytest

from ctiforge.extract.answering.extraction import Extraction, WindowAnswer
from ctiforge.extract.canary import changed_answers, share_alike
from ctiforge.records.canary import Canary, CanaryWindow
from ctiforge.records.evaluation import TestSetInfo


class Echo:
    """Answers with the window itself."""

    name = "echo"

    def extract(self, text: str, types: Sequence[str] | None = None, *, source_url: str | None = None) -> Extraction:
        assert types == ("cmdline",)
        return Extraction((), (WindowAnswer(0, len(text), text, True, True, False, 0, 1, 1),))


def window(answer: str) -> CanaryWindow:
    return CanaryWindow(article_id="a1", start=3, end=9, window="whoami", types=("cmdline",), answer=answer)


def test_another_answer_is_named_by_its_window() -> None:
    info = TestSetInfo(name="set", version="1", content_hash="abc", articles=9)
    canary = Canary(test_set=info, windows=(window("whoami"), window("net user")))
    assert changed_answers(canary, Echo()) == ["article a1, characters 3 to 9: another answer"]  # type: ignore[arg-type]


def items(*values: str) -> str:
    return json.dumps({"observables": [{"type": "cmdline", "value": value} for value in values]})


class Says:
    """Answers every window alike."""

    name = "says"

    def __init__(self, answer: str, error: str | None = None) -> None:
        self.answer = answer
        self.error = error

    def extract(self, text: str, types: Sequence[str] | None = None, *, source_url: str | None = None) -> Extraction:
        return Extraction((), (WindowAnswer(0, 1, self.answer, True, True, False, 0, 1, 1, self.error),))


@pytest.mark.parametrize(
    ("kept", "now", "share"),
    [
        ([items("a", "b")], items("b", "a"), 1.0),
        ([items("a", "b")], items("a"), 0.5),
        ([items("a")], items("a", "b"), 0.5),
        ([items("a"), items()], items("a"), 0.5),
        ([items()], items(), 1.0),
        ([items("a")], "prose", 0.0),
        ([items("a", "a")], items("a"), 1.0),
    ],
)
def test_items_are_alike_whatever_stands_around_them(kept: list[str], now: str, share: float) -> None:
    info = TestSetInfo(name="set", version="1", content_hash="abc", articles=9)
    canary = Canary(test_set=info, windows=tuple(map(window, kept)))
    assert share_alike(canary, Says(now)) == share  # type: ignore[arg-type]


def test_a_window_that_fails_is_not_one_without_items() -> None:
    info = TestSetInfo(name="set", version="1", content_hash="abc", articles=9)
    assert share_alike(Canary(test_set=info, windows=(window(items()),)), Says("", "out of memory")) == 0  # type: ignore[arg-type]
