"""A canary is answered to the letter, or what is not is named."""

from collections.abc import Sequence

from ctiforge.extract.answering.extraction import Extraction, WindowAnswer
from ctiforge.extract.canary import changed_answers
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
