"""A baseline on words alone: TF-IDF and logistic regression, kept as numbers and a list of words."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ctiforge.errors import UsageError
from ctiforge.osbert.cascade import choose_threshold
from ctiforge.osbert.detection import Detection, detection_of
from ctiforge.records.article import OS_LABELS
from ctiforge.records.model_note import WordsNote
from ctiforge.records.os_article import LabeledArticle

NAME = "tf-idf"
WEIGHTS = "words.safetensors"
_TEXTS_TOGETHER = 256
_STRETCH = re.compile(r".{1,1000}(?:\s|$)|.{1,1000}", re.DOTALL)
"""A passage of a text that is looked at by itself."""


class Words:
    """A classifier of `save_words`."""

    def __init__(self, folder: Path) -> None:
        from safetensors.numpy import load_file

        file = folder / WEIGHTS
        if not file.is_file():
            raise UsageError(f"{folder} holds no {WEIGHTS}: give the folder {NAME} of baselines_os")
        self.note = WordsNote.load(folder)
        self.size_bytes: int | None = file.stat().st_size
        weights = load_file(file)
        self._coefficients, self._intercepts = weights["coefficients"], weights["intercepts"]
        self._vectorizer = vectorizer(self.note.words)
        self._vectorizer.idf_ = weights["idf"]

    @property
    def name(self) -> str:
        """Return what tables call it."""
        return self.note.name

    @property
    def threshold(self) -> float:
        """Return the confidence above which its answer is taken where the rule has none."""
        return self.note.threshold

    def detect_many(self, texts: Sequence[str]) -> list[Detection]:
        """Detect the system of each text, in order."""
        starts = range(0, len(texts), _TEXTS_TOGETHER)
        return [each for start in starts for each in self._detect(texts[start : start + _TEXTS_TOGETHER])]

    def _detect(self, texts: Sequence[str]) -> list[Detection]:
        spans = [[match.span() for match in _STRETCH.finditer(text)] or [(0, 0)] for text in texts]
        whole = self._probabilities(texts)
        shown = self._probabilities([text[a:b] for text, each in zip(texts, spans, strict=True) for a, b in each])
        ends = np.cumsum([len(each) for each in spans])
        return [
            detection_of(whole[number], shown[ends[number] - len(spans[number]) : ends[number]], spans[number], text)
            for number, text in enumerate(texts)
        ]

    def _probabilities(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Predict (texts, classes) in the order of our labels; 0 for a class that it was not trained on."""
        logits = self._vectorizer.transform(texts) @ self._coefficients.T + self._intercepts
        own = np.exp(logits - logits.max(axis=1, keepdims=True))
        probabilities = np.zeros((len(texts), len(OS_LABELS)))
        columns = [OS_LABELS.index(label) for label in self.note.labels]
        probabilities[:, columns] = own / own.sum(axis=1, keepdims=True)
        return probabilities


def vectorizer(words: Sequence[str] | None = None) -> Any:
    """Make what turns a text into the weights of its words and pairs of words; None: which ones is learnt."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    return TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=2 if words is None else 1, vocabulary=words)


def save_words(fitted: Any, labeler: str, validation: Sequence[LabeledArticle], folder: Path) -> None:
    """Write a fitted classifier, with the threshold that suits the validation articles.

    Args:
        fitted: scikit-learn's pipeline of `words`, a `vectorizer`, and `model`, a logistic regression.
        labeler: Whose labels it was trained on.
        validation: Labeled articles that it was not trained on.
        folder: The folder to make for it.
    """
    from safetensors.numpy import save_file

    words, model = fitted.named_steps["words"], fitted.named_steps["model"]
    coefficients, intercepts = model.coef_, model.intercept_
    if len(model.classes_) == 2:
        # scikit-learn keeps one row for two classes
        coefficients, intercepts = (np.concatenate([-each, each]) / 2 for each in (coefficients, intercepts))
    folder.mkdir(parents=True)
    weights = {"idf": words.idf_, "coefficients": coefficients, "intercepts": intercepts}
    save_file({name: np.ascontiguousarray(each, dtype=np.float64) for name, each in weights.items()}, folder / WEIGHTS)
    note = WordsNote(
        labels=tuple(str(label) for label in model.classes_),
        name=NAME,
        words=tuple(str(word) for word in words.get_feature_names_out()),
        labeler=labeler,
    )
    note.write(folder)
    threshold = choose_threshold(validation, Words(folder))
    note.model_copy(update={"threshold": threshold}).write(folder)
