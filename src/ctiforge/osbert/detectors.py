"""The encoders that say which operating system a text is about: a fine-tuned one, a frozen one."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ctiforge.osbert.base import resolve_encoder
from ctiforge.osbert.detection import Detection, detection_of
from ctiforge.osbert.embedding import article_means, embed_windows, load_frozen
from ctiforge.osbert.frozen import WEIGHTS, load_baseline
from ctiforge.osbert.model import load_trained, window_batches
from ctiforge.osbert.pooling import pool
from ctiforge.osbert.windows import EncodedArticle, WindowSize, encode_articles
from ctiforge.osbert.words import WEIGHTS as WORDS_WEIGHTS
from ctiforge.osbert.words import Words
from ctiforge.records.article import OS_LABELS
from ctiforge.records.model_note import UNCHOSEN, BaselineNote
from ctiforge.store.hub import join_name
from ctiforge.training.encoding import load_tokenizer
from ctiforge.training.models import pick_device

_TEXTS_TOGETHER = 64


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

    @property
    def threshold(self) -> float:
        """Return the confidence above which its answer is taken where the rule has none."""
        return self.note.threshold

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
            detection_of(pooled[number], shown[of == number], article.spans, text)
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

    threshold = UNCHOSEN

    def __init__(self, folder: Path, base_folder: str | None = None, device: str = "auto") -> None:
        self.classifier, self.note = load_baseline(folder)
        base = _base_of(self.note) if base_folder in (None, self.note.base_model) else str(base_folder)
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
            detection_of(pooled[number], shown[owners == number], article.spans, text)
            for number, (article, text) in enumerate(zip(articles, texts, strict=True))
        ]

    def _probabilities(self, vectors: NDArray[Any]) -> NDArray[Any]:
        """Predict (vectors, classes) in the order of our labels; 0 for a class that it was not trained on."""
        own = self.classifier.predict_proba(vectors.astype(np.float32))
        probabilities = np.zeros((len(vectors), len(OS_LABELS)))
        for column, label in enumerate(self.classifier.classes_):
            probabilities[:, OS_LABELS.index(label)] = own[:, column]
        return probabilities


def load_detector(folder: Path, *, base_folder: str | None = None, device: str = "auto") -> FineTuned | Frozen | Words:
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
    if (folder / WORDS_WEIGHTS).is_file():
        return Words(folder)
    if (folder / WEIGHTS).is_file():
        return Frozen(folder, base_folder, device)
    return FineTuned(folder, device)


def _base_of(note: BaselineNote) -> str:
    """Name the encoder as it was when the baseline was fitted."""
    return resolve_encoder(join_name(note.base_model, note.base_revision))


def _starts(texts: Sequence[str]) -> Iterator[int]:
    return iter(range(0, len(texts), _TEXTS_TOGETHER))


def _bytes_of(folder: Path, pattern: str = "*.safetensors") -> int:
    return sum(path.stat().st_size for path in folder.glob(pattern))
