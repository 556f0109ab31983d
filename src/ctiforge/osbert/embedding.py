"""Articles as vectors of a frozen encoder: what the baselines classify, and what a pooling is chosen on."""

from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ctiforge.errors import UsageError
from ctiforge.osbert.model import window_batches
from ctiforge.osbert.windows import EncodedArticle
from ctiforge.progress import Progress
from ctiforge.training.encoding import cannot_load, on_this_machine
from ctiforge.training.models import only_errors

Vectors = NDArray[np.float32]


def load_frozen(model: str, device: torch.device) -> Any:
    """Load the encoder of a folder or hub name, without a head. Raises UsageError where there is none."""
    from transformers import AutoModel

    only_errors()
    try:
        with on_this_machine(model) as path:
            loaded = AutoModel.from_pretrained(path, trust_remote_code=False, use_safetensors=True, dtype=torch.float32)
    except (OSError, ValueError, KeyError) as error:
        raise UsageError(cannot_load("base model", model, error)) from error
    return loaded.to(device).eval()


def embed_windows(
    encoder: Any, articles: Sequence[EncodedArticle], pad_token_id: int, stage: str | None
) -> tuple[Vectors, NDArray[np.int64]]:
    """Compute the mean of each window's token vectors, (windows, hidden), and the article of each window, (windows,).

    `stage` is told in progress lines; None: nothing is told.
    """
    windows = [window for article in articles for window in article.windows]
    owners = np.array([number for number, article in enumerate(articles) for _ in article.windows])
    vectors = np.empty((len(windows), encoder.config.hidden_size), dtype=np.float32)
    with Progress(stage, len(windows)) if stage else nullcontext() as progress:
        for part, batch in window_batches(windows, pad_token_id, encoder.device):
            vectors[part] = _means(encoder, batch)
            if progress:
                progress.advance(len(part))
    return vectors, owners


def embed_articles(encoder: Any, articles: Sequence[EncodedArticle], pad_token_id: int, stage: str) -> Vectors:
    """Compute the mean over each article's tokens, (articles, hidden): its windows' vectors weighted by tokens."""
    vectors, owners = embed_windows(encoder, articles, pad_token_id, stage)
    return article_means(vectors, owners, articles)


def article_means(vectors: Vectors, owners: NDArray[np.int64], articles: Sequence[EncodedArticle]) -> Vectors:
    """Average the vectors of `embed_windows` into one vector an article, (articles, hidden)."""
    tokens = np.array([len(window) for article in articles for window in article.windows], dtype=np.float32)
    sums = np.zeros((len(articles), vectors.shape[1]), dtype=np.float32)
    np.add.at(sums, owners, vectors * tokens[:, None])
    return sums / np.bincount(owners, weights=tokens, minlength=len(articles)).astype(np.float32)[:, None]


@torch.inference_mode()
def _means(encoder: Any, batch: dict[str, torch.Tensor]) -> Vectors:
    hidden = encoder(**batch).last_hidden_state
    mask = batch["attention_mask"].unsqueeze(-1)
    means: Vectors = ((hidden * mask).sum(dim=1) / mask.sum(dim=1)).float().cpu().numpy()
    return means
