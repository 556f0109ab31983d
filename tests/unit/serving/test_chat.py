"""What is no answer to a request."""

import pytest

from ctiforge.extract.answering.extraction import Extraction, WindowAnswer
from ctiforge.records.observable import TYPES, Observable
from ctiforge.serving.chat import check_answers
from ctiforge.serving.openai_shapes import RefusalError

FOUND = (Observable(type="cmdline", value="whoami /all", platform="Windows"),)


def extraction(*parsed: bool, found: tuple[Observable, ...] = (), error: str | None = None) -> Extraction:
    windows = tuple(WindowAnswer(0, 9, "", each, each, False, 0, 1, 1, error) for each in parsed)
    return Extraction(found, windows, 0.1, None, TYPES)


@pytest.mark.parametrize(
    ("answered", "code"),
    [
        (extraction(True, True), None),
        (extraction(), None),
        (extraction(True, False, found=FOUND), None),
        (extraction(False, found=FOUND), None),
        (extraction(False, False), "answers_unread"),
        (extraction(True, False, False, False), "answers_unread"),
        (extraction(True, error="gone"), "windows_failed"),
    ],
)
def test_nothing_found_is_only_said_of_an_article_that_was_read(answered: Extraction, code: str | None) -> None:
    if code is None:
        check_answers(answered, 502)
        return
    with pytest.raises(RefusalError) as refused:
        check_answers(answered, 502)
    assert (refused.value.code, refused.value.status) == (code, 502)


def test_a_refusal_says_how_much_was_unread() -> None:
    with pytest.raises(
        RefusalError, match=r"1 of the article's 2 windows without JSON, and found nothing in the others"
    ):
        check_answers(extraction(True, False), 502)
