"""What says which operating system a text is about: a fine-tuned model, a frozen one, a rule, a constant."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from ctiforge.osbert.base import resolve_encoder
from ctiforge.osbert.embedding import article_means, embed_windows, load_frozen
from ctiforge.osbert.frozen import WEIGHTS, load_baseline
from ctiforge.osbert.labeling.keywords import decide, find_evidence
from ctiforge.osbert.labeling.passages import Passage
from ctiforge.osbert.model import load_trained, window_batches
from ctiforge.osbert.pooling import pool
from ctiforge.osbert.windows import EncodedArticle, WindowSize, encode_articles
from ctiforge.records.article import OS_LABELS, OsLabel
from ctiforge.training.encoding import load_tokenizer
from ctiforge.training.models import pick_device

_TEXTS_TOGETHER = 64


@dataclass(frozen=True)
class Detection:
    """Which operating system a text is about."""

    label: OsLabel
    confidence: float
    """The probability of the label."""
    probabilities: dict[str, float]
    """Of every label; together 1."""
    evidence: Passage | None
    """The window that speaks most for the label; None for Unknown, and where no window was looked at by itself."""


class Detector(Protocol):
    """One way to tell."""

    @property
    def name(self) -> str:
        """Return what people call it."""
        ...

    @property
    def size_bytes(self) -> int | None:
        """Return what it takes on disk; None for a rule."""
        ...

    def detect_many(self, texts: Sequence[str]) -> list[Detection]:
        """Detect the system of each text, in order; an empty text is no error."""
        ...


class FineTuned:
    """A trained classifier over all windows of a text, or, as a plain snippet would, over the first alone."""

    def __init__(self, folder: Path, device: str = "auto", *, first_window_only: bool = False) -> None:
        self.model, self.note = load_trained(folder, pick_device(device))
        self.tokenizer = load_tokenizer(str(folder))
        self.first_window_only = first_window_only
        self.size_bytes: int | None = _bytes_of(folder)

    @property
    def name(self) -> str:
        """Return what tables call it."""
        first = ", first window only" if self.first_window_only else ""
        return f"{self.note.name}{first}"

    def detect_many(self, texts: Sequence[str]) -> list[Detection]:
        """Detect the system of each text, in order."""
        return [each for start in _starts(texts) for each in self._detect(texts[start : start + _TEXTS_TOGETHER])]

    def _detect(self, texts: Sequence[str]) -> list[Detection]:
        articles = encode_articles(self.tokenizer, texts, WindowSize.of_note(self.note))
        if self.first_window_only:
            articles = [EncodedArticle(each.windows[:1], each.spans[:1]) for each in articles]
        windows = [window for article in articles for window in article.windows]
        owners = torch.tensor([number for number, article in enumerate(articles) for _ in article.windows])
        logits = self._logits(windows)
        pooled = pool(self.note.pooling, logits, owners, len(articles)).softmax(dim=1).numpy()
        shown, of = logits.softmax(dim=1).numpy(), owners.numpy()
        return [
            _detection(pooled[number], shown[of == number], article, text)
            for number, (article, text) in enumerate(zip(articles, texts, strict=True))
        ]

    @torch.inference_mode()
    def _logits(self, windows: Sequence[list[int]]) -> torch.Tensor:
        """Compute logits (windows, classes); windows of like length together, so that little is padding."""
        logits = torch.empty(len(windows), len(OS_LABELS))
        pad = int(self.tokenizer.pad_token_id or 0)
        for part, batch in window_batches(windows, pad, self.model.device):
            logits[part] = self.model(**batch).logits.float().cpu()
        return logits


class Frozen:
    """A baseline of `frozen`: the mean vector of a text, classified."""

    def __init__(self, folder: Path, base_folder: str | None = None, device: str = "auto") -> None:
        self.classifier, self.note = load_baseline(folder)
        base = base_folder or resolve_encoder(self.note.base_model)
        self.encoder = load_frozen(base, pick_device(device))
        self.tokenizer = load_tokenizer(base)
        encoder = _bytes_of(Path(base))
        self.size_bytes: int | None = encoder and encoder + _bytes_of(folder, WEIGHTS)

    @property
    def name(self) -> str:
        """Return what tables call it."""
        return self.note.name

    def detect_many(self, texts: Sequence[str]) -> list[Detection]:
        """Detect the system of each text, in order."""
        return [each for start in _starts(texts) for each in self._detect(texts[start : start + _TEXTS_TOGETHER])]

    def _detect(self, texts: Sequence[str]) -> list[Detection]:
        articles = encode_articles(self.tokenizer, texts, WindowSize.of_note(self.note))
        vectors, owners = embed_windows(self.encoder, articles, int(self.tokenizer.pad_token_id or 0), None)
        means = article_means(vectors, owners, articles)
        pooled, shown = self._probabilities(means), self._probabilities(vectors)
        return [
            _detection(pooled[number], shown[owners == number], article, text)
            for number, (article, text) in enumerate(zip(articles, texts, strict=True))
        ]

    def _probabilities(self, vectors: NDArray[Any]) -> NDArray[Any]:
        """Predict (vectors, classes) in the order of our labels; 0 for a class that it was not trained on."""
        own = self.classifier.predict_proba(vectors.astype(np.float32))
        probabilities = np.zeros((len(vectors), len(OS_LABELS)))
        for column, label in enumerate(self.classifier.classes_):
            probabilities[:, OS_LABELS.index(label)] = own[:, column]
        return probabilities


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
        return Detection(label, 1.0, _certain(label), passage)


class Majority:
    """The most frequent class of the training articles, whatever the text."""

    name = "majority class"
    size_bytes: int | None = None

    def __init__(self, classes: dict[str, int]) -> None:
        self.label: OsLabel = max(OS_LABELS, key=lambda label: classes.get(label, 0))

    def detect_many(self, texts: Sequence[str]) -> list[Detection]:
        """Answer each text with the same class."""
        return [Detection(self.label, 1.0, _certain(self.label), None) for _ in texts]


def load_detector(folder: Path, *, base_folder: str | None = None, device: str = "auto") -> FineTuned | Frozen:
    """Load the classifier of a folder.

    Args:
        folder: A baseline of baselines_os, or a fine-tuned model of train_os_bert.
        base_folder: The encoder's folder, for a baseline; None: what the baseline's note names.
        device: `auto`, `cpu` or `cuda`.

    Returns:
        The classifier.

    Raises:
        UsageError: The folder holds neither, or a baseline that cannot be trusted.
        DataError: Its note is missing or damaged.
    """
    if (folder / WEIGHTS).is_file():
        return Frozen(folder, base_folder, device)
    return FineTuned(folder, device)


def _detection(pooled: NDArray[Any], shown: NDArray[Any], article: EncodedArticle, text: str) -> Detection:
    """Decide from `pooled`, an article's probabilities (classes,), and `shown`, its windows' (windows, classes)."""
    number = int(pooled.argmax())
    label = OS_LABELS[number]
    return Detection(
        label=label,
        confidence=float(pooled[number]),
        probabilities={name: float(value) for name, value in zip(OS_LABELS, pooled, strict=True)},
        evidence=None if label == "Unknown" else _passage(article, int(_speaks_for(shown, label).argmax()), text),
    )


def _speaks_for(shown: NDArray[Any], label: OsLabel) -> NDArray[Any]:
    # several systems may each be shown in a window of its own
    if label == "multiple":
        return 1 - shown[:, OS_LABELS.index("Unknown")]
    column: NDArray[Any] = shown[:, OS_LABELS.index(label)]
    return column


def _passage(article: EncodedArticle, window: int, text: str) -> Passage:
    start, end = article.spans[window]
    return Passage(start, end, text[start:end])


def _certain(label: OsLabel) -> dict[str, float]:
    return {name: float(name == label) for name in OS_LABELS}


def _starts(texts: Sequence[str]) -> Iterator[int]:
    return iter(range(0, len(texts), _TEXTS_TOGETHER))


def _bytes_of(folder: Path, pattern: str = "*.safetensors") -> int:
    return sum(path.stat().st_size for path in folder.glob(pattern))
