"""From the logits of an article's windows to those of the article."""

from collections.abc import Callable
from typing import Literal, get_args

import torch

from ctiforge.data.records import OS_LABELS

Pooling = Literal["noisy-or", "mean", "max"]
POOLINGS: tuple[Pooling, ...] = get_args(Pooling)

_NONE = OS_LABELS.index("Unknown")
_MULTIPLE = OS_LABELS.index("multiple")
_SYSTEMS = [number for number, label in enumerate(OS_LABELS) if label not in ("Unknown", "multiple")]
_TINY = 1e-7


def pool(pooling: Pooling, logits: torch.Tensor, articles: torch.Tensor, count: int) -> torch.Tensor:
    """Logits (windows, classes) and each window's article (windows,) to logits (`count` articles, classes)."""
    return _POOLS[pooling](logits.float(), articles, count)


def _mean(logits: torch.Tensor, articles: torch.Tensor, count: int) -> torch.Tensor:
    sums = logits.new_zeros(count, logits.shape[1]).index_add(0, articles, logits)
    return sums / torch.bincount(articles, minlength=count).unsqueeze(1)


def _max(logits: torch.Tensor, articles: torch.Tensor, count: int) -> torch.Tensor:
    lowest = logits.new_full((count, logits.shape[1]), float("-inf"))
    return lowest.scatter_reduce(0, articles.unsqueeze(1).expand_as(logits), logits, "amax")


def _noisy_or(logits: torch.Tensor, articles: torch.Tensor, count: int) -> torch.Tensor:
    """Log probabilities of an article, each of whose windows may show a system by itself (noisy-or, Pearl 1988).

    A window's probability of a system is that of showing it; that of `multiple` is that of showing
    several at once. An article is about one system where that alone is shown, about several where
    two are shown anywhere in it, `Unknown` where none is. So a window that shows nothing may say so,
    whatever the article's label.
    """
    shows = logits.softmax(dim=1)
    hidden = torch.log1p(-shows.clamp(max=1 - _TINY))
    # log probability that no window shows it, (articles, classes)
    nowhere = logits.new_zeros(count, logits.shape[1]).index_add(0, articles, hidden)
    somewhere = torch.log(-torch.expm1(nowhere.clamp(max=-_TINY)))
    systems = nowhere[:, _SYSTEMS]
    none = systems.sum(dim=1) + nowhere[:, _MULTIPLE]
    pooled = torch.empty_like(nowhere)
    pooled[:, _SYSTEMS] = none.unsqueeze(1) - systems + somewhere[:, _SYSTEMS]
    pooled[:, _NONE] = none
    others = torch.logsumexp(pooled[:, [*_SYSTEMS, _NONE]], dim=1)
    pooled[:, _MULTIPLE] = torch.log(-torch.expm1(others.clamp(max=-_TINY)))
    return pooled


_POOLS: dict[Pooling, Callable[[torch.Tensor, torch.Tensor, int], torch.Tensor]] = {
    "noisy-or": _noisy_or,
    "mean": _mean,
    "max": _max,
}
