"""The rule first, a model where the rule does not know, an endpoint where the model is not sure."""

from collections.abc import Sequence

from ctiforge.data.identity import content_hash, fold
from ctiforge.evaluation.scoring.classification import ClassCounts, macro_f1
from ctiforge.osbert.detection import Detection, Detector, Model, certain
from ctiforge.osbert.labeling.passages import Passage
from ctiforge.osbert.opinions import Labeler, Opinion, Unlabeled
from ctiforge.osbert.rules import Keywords
from ctiforge.records.article import OS_LABELS
from ctiforge.records.model_note import UNCHOSEN
from ctiforge.records.os_article import LabeledArticle


class Cascade:
    """Asks the model only about texts in which the rule sees no system, and `last` about what is left then.

    The model's answer is taken above its own threshold. Where nobody knows, and where `last` (None: nobody) gives no
    label, the text is Unknown.
    """

    def __init__(self, model: Model, last: Labeler | None = None) -> None:
        self.rule = Keywords()
        self.model = model
        self.last = last

    @property
    def name(self) -> str:
        """Return what tables call it."""
        return " then ".join([self.rule.name, self.model.name, *([self.last.name] if self.last else ())])

    @property
    def size_bytes(self) -> int | None:
        """Return what its model takes on disk."""
        return self.model.size_bytes

    def detect_many(self, texts: Sequence[str]) -> list[Detection]:
        """Detect the system of each text, in order."""
        found = self.rule.detect_many(texts)
        answers = _ask(self.model, texts, found)
        found = [
            answers[number] if number in answers and answers[number].confidence > self.model.threshold else each
            for number, each in enumerate(found)
        ]
        unsure = [number for number, answer in answers.items() if answer.confidence <= self.model.threshold]
        if self.last and unsure:
            asked = [_unlabeled(number, texts[number]) for number in unsure]
            for article, opinion in self.last.label(asked):
                found[int(article.id)] = _detection(opinion, texts[int(article.id)])
        return found


def choose_threshold(validation: Sequence[LabeledArticle], model: Detector) -> float:
    """Choose the confidence above which a model's answers are taken where the rule has none.

    Args:
        validation: Labeled articles that the model was not trained on.
        model: The model.

    Returns:
        The lowest confidence with which rule and model together have the best macro-F1; `UNCHOSEN` where the rule
        knows every article.
    """
    texts = [article.content for article in validation]
    found = Keywords().detect_many(texts)
    answers = _ask(model, texts, found)
    if not answers:
        return UNCHOSEN

    def together(threshold: float) -> float:
        taken = [
            answers[number].label if number in answers and answers[number].confidence > threshold else each.label
            for number, each in enumerate(found)
        ]
        return float(macro_f1(ClassCounts([article.label for article in validation], taken, OS_LABELS).once())[0])

    # the first of equals
    return max([0.0, *sorted(each.confidence for each in answers.values())], key=together)


def _ask(model: Detector, texts: Sequence[str], found: Sequence[Detection]) -> dict[int, Detection]:
    """Ask the model about the texts in which the rule sees no system, by their numbers."""
    open_ = [number for number, each in enumerate(found) if each.label == "Unknown"]
    return dict(zip(open_, model.detect_many([texts[number] for number in open_]), strict=True))


def _unlabeled(number: int, text: str) -> Unlabeled:
    return Unlabeled(str(number), "", text, content_hash(fold(text)))


def _detection(opinion: Opinion, text: str) -> Detection:
    first = next((each for each in opinion.evidence if opinion.label in (each.label, "multiple")), None)
    passage = Passage(first.start, first.end, text[first.start : first.end]) if first else None
    label = opinion.label or "Unknown"
    return certain(label, passage, [label, *(each.label for each in opinion.evidence)] if label != "Unknown" else [])
