"""When an exported file answers as its source does."""

from dataclasses import dataclass, field

import pytest

from ctiforge.records.exported import ParityReport
from ctiforge.release.parity import Recorded, compare_answers, judge


@dataclass(frozen=True)
class Window:
    start: int
    end: int
    raw: str
    prompt_tokens: int = 7
    stopped_by_length: bool = False


@dataclass(frozen=True)
class Found:
    observables: tuple[str, ...]
    windows: tuple[Window, ...] = field(default=())


class Fixed:
    name = "fixed"

    def __init__(self, found):
        self.found = found

    def extract_many(self, sources, tell=None):
        yield from (self.found[source] for source in sources)


def recorded(found):
    extractor = Recorded(Fixed(found))
    assert list(extractor.extract_many(list(found))) == list(found.values())
    return extractor


def parity(file_type, same=100, windows=100, f1=0.8, source_f1=0.8):
    return ParityReport(
        file_type=file_type,
        windows=windows,
        same_windows=same,
        articles=10,
        same_articles=10,
        f1=f1,
        source_f1=source_f1,
    )


def test_windows_and_articles_are_compared_by_what_was_read():
    one = recorded(
        {"a": Found(("x",), (Window(0, 5, "X"), Window(5, 9, "Y"))), "b": Found(("z",), (Window(0, 3, "Z"),))}
    )
    two = recorded(
        {"b": Found(("z",), (Window(0, 3, "Z"),)), "a": Found(("x",), (Window(0, 5, "X"), Window(5, 9, "-")))}
    )
    found = compare_answers("f16", one, two, (), 0.5, 0.4)
    assert (found.same_windows, found.windows, found.same_articles, found.articles) == (2, 3, 2, 2)
    assert found.difference == pytest.approx(-0.1)


def test_an_article_that_the_file_did_not_answer_is_not_the_same():
    one, two = recorded({"a": Found((), (Window(0, 5, "X"),))}), recorded({})
    assert compare_answers("f16", one, two, (), None, None).same_articles == 0


def test_special_tokens_are_not_text_and_a_longer_prompt_is_another():
    one = recorded({"a": Found((), (Window(0, 5, "<user>X<s>"), Window(5, 9, "Y")))})
    two = recorded({"a": Found((), (Window(0, 5, "X"), Window(5, 9, "Y", 8)))})
    assert compare_answers("f32", one, two, ("<user>", "<s>"), None, None).same_windows == 1


def test_what_the_source_cuts_off_for_going_in_circles_a_server_writes_on():
    one = recorded({"a": Found((), (Window(0, 5, "xyxy", 7, True), Window(5, 9, "xyxy")))})
    two = recorded({"a": Found((), (Window(0, 5, "xyxyxyxy", 7, True), Window(5, 9, "xyxyxyxy", 7, True)))})
    assert compare_answers("f32", one, two, (), None, None).same_windows == 1


@pytest.mark.parametrize(
    ("found", "passed"),
    [
        (parity("f32"), True),
        (parity("f32", same=99), False),
        (parity("f32", same=2923, windows=2925), True),
        (parity("f16", same=99), True),
        (parity("f16", same=98), False),
        (parity("q8_0", same=0), True),
        (parity("q8_0", f1=0.785), True),
        (parity("q4_k_m", f1=0.77), False),
        (parity("q4_k_m", f1=0.9), True),
        (parity("q4_k_m", f1=None), True),
    ],
)
def test_full_weights_must_answer_alike_and_rounded_ones_score_alike(found, passed):
    assert (judge(found, 0.02) is None) == passed
