from collections.abc import Generator, Iterable, Sequence

import pytest

from ctiforge.osbert.cascade import Cascade, choose_threshold
from ctiforge.osbert.detection import Detection
from ctiforge.osbert.opinions import Opinion, Unlabeled
from ctiforge.records.article import OS_LABELS, OsLabel
from ctiforge.records.model_note import UNCHOSEN
from ctiforge.records.os_article import Evidence, LabeledArticle

LINUX = "It ran systemctl enable x and crontab -e on Ubuntu."


class Stub:
    """A model that says what stands in the text: `Windows 0.7`."""

    name = "stub"
    size_bytes = 7

    def __init__(self, threshold: float = 0.5) -> None:
        self.threshold = threshold
        self.asked: list[str] = []

    def detect_many(self, texts: Sequence[str]) -> list[Detection]:
        self.asked += texts
        return [self._detect(*text.split()[:2]) for text in texts]

    def _detect(self, label: str, confidence: str) -> Detection:
        found = next(each for each in OS_LABELS if each == label)
        return Detection(found, float(confidence), {}, None)


class Last:
    """An endpoint's place."""

    name = "last"

    def __init__(self) -> None:
        self.asked: list[str] = []

    def label(self, articles: Iterable[Unlabeled]) -> Generator[tuple[Unlabeled, Opinion]]:
        for article in articles:
            self.asked.append(article.content)
            evidence = Evidence(label="MacOS", quote="MacOS", start=0, end=5)
            yield article, Opinion("MacOS", (evidence,)) if "MacOS" in article.content else Opinion(None, problem="no")


def test_the_rule_answers_first_and_the_model_only_what_it_is_sure_of() -> None:
    model = Stub()
    found = Cascade(model).detect_many(["multiple 0.9", LINUX, "multiple 0.5"])

    assert [each.label for each in found] == ["multiple", "Linux", "Unknown"]
    assert model.asked == ["multiple 0.9", "multiple 0.5"]


def test_what_is_left_is_asked_of_the_last() -> None:
    last = Last()
    # no cue of the rule's stands in them
    texts = ["multiple 0.9", LINUX, "Unknown 0.2", "Unknown 0.1 of what?"]
    found = Cascade(Stub(), last).detect_many(texts)

    assert [each.label for each in found] == ["multiple", "Linux", "Unknown", "Unknown"]
    assert last.asked == texts[2:]
    assert found[1].platforms == ("Linux",)
    assert Cascade(Stub(), last).name == "keywords then stub then last"


def test_what_the_last_says_has_its_evidence() -> None:
    class Mac(Last):
        def label(self, articles: Iterable[Unlabeled]) -> Generator[tuple[Unlabeled, Opinion]]:
            for article in articles:
                yield article, Opinion("multiple", tuple(
                    Evidence(label=label, quote="q", start=0, end=7) for label in ("MacOS", "Windows")
                ))  # fmt: skip

    found = Cascade(Stub(), Mac()).detect_many(["Unknown 0.2"])[0]

    assert (found.label, found.confidence, found.platforms) == ("multiple", 1.0, ("Windows", "MacOS"))
    assert found.evidence is not None
    assert found.evidence.text == "Unknown"


def article(label: OsLabel, content: str) -> LabeledArticle:
    return LabeledArticle(id=content, content=content, content_hash=content, label=label, labeler="human:a")


@pytest.mark.parametrize(
    ("articles", "threshold"),
    [
        # always right: the lowest of equals
        ([article("multiple", "multiple 0.3"), article("Unknown", "Unknown 0.9")], 0.0),
        # right from 0.4 on
        ([article("multiple", "multiple 0.8"), article("Unknown", "multiple 0.4")], 0.4),
        # never right
        ([article("Unknown", "multiple 0.8"), article("Unknown", "multiple 0.4")], 0.8),
        ([article("Linux", LINUX)], UNCHOSEN),
        ([], UNCHOSEN),
    ],
)
def test_the_threshold_is_that_with_the_best_macro_f1_on_validation(
    articles: list[LabeledArticle], threshold: float
) -> None:
    assert choose_threshold(articles, Stub()) == threshold
