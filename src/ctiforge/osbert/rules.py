"""What tells operating systems apart without a model: the rule of keywords, and a constant."""

from collections.abc import Sequence

from ctiforge.osbert.detection import Detection, certain
from ctiforge.osbert.labeling.keywords import decide, find_evidence, systems_of
from ctiforge.osbert.labeling.passages import Passage
from ctiforge.records.article import OS_LABELS, OsLabel


class Keywords:
    """The rule floor."""

    name = "keywords"
    size_bytes: int | None = None

    def detect_many(self, texts: Sequence[str]) -> list[Detection]:
        """Detect the system of each text, in order."""
        return [self._detect(text) for text in texts]

    def _detect(self, text: str) -> Detection:
        evidence = find_evidence(text)
        label = decide(evidence)
        shown = next((each for each in evidence if each.label == label), None)
        passage = Passage(shown.start, shown.end, text[shown.start : shown.end]) if shown else None
        return certain(label, passage, systems_of(evidence))


class Majority:
    """The most frequent class of the training articles, whatever the text."""

    name = "majority class"
    size_bytes: int | None = None

    def __init__(self, classes: dict[str, int]) -> None:
        self.label: OsLabel = max(OS_LABELS, key=lambda label: classes.get(label, 0))

    def detect_many(self, texts: Sequence[str]) -> list[Detection]:
        """Answer each text with the same class."""
        return [certain(self.label) for _ in texts]
