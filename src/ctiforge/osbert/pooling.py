"""From the logits of an article's windows to those of the article."""

from collections.abc import Callable
from itertools import combinations
from typing import get_args

import torch

from ctiforge.records.article import OS_LABELS
from ctiforge.records.model_note import Pooling

POOLINGS: tuple[Pooling, ...] = get_args(Pooling)

_NONE = OS_LABELS.index("Unknown")
_MULTIPLE = OS_LABELS.index("multiple")
_SYSTEMS = [number for number, label in enumerate(OS_LABELS) if label not in ("Unknown", "multiple")]
_SEVERAL = [list(shown) for size in (2, 3) for shown in combinations(_SYSTEMS, size)]
_TINY = 1e-30


def pool(pooling: Pooling, logits: torch.Tensor, articles: torch.Tensor, count: int) -> torch.Tensor:
    """Pool logits (windows, classes) and each window's article (windows,) to logits (`count` articles, classes)."""
    return _POOLS[pooling](logits.float(), articles, count)


def _mean(logits: torch.Tensor, articles: torch.Tensor, count: int) -> torch.Tensor:
    sums = logits.new_zeros(count, logits.shape[1]).index_add(0, articles, logits)
    return sums / torch.bincount(articles, minlength=count).unsqueeze(1)


def _max(logits: torch.Tensor, articles: torch.Tensor, count: int) -> torch.Tensor:
    lowest = logits.new_full((count, logits.shape[1]), float("-inf"))
    return lowest.scatter_reduce(0, articles.unsqueeze(1).expand_as(logits), logits, "amax")


def _noisy_or(logits: torch.Tensor, articles: torch.Tensor, count: int) -> torch.Tensor:
    """Compute log probabilities of articles, each window of which may show a system by itself (noisy-or, Pearl 1988).

    A window's probability of a system is that of showing it; that of `multiple` is that of showing
    several at once. An article is about one system where that alone is shown, about several where
    two are shown anywhere in it, `Unknown` where none is. So a window that shows nothing may say so,
    whatever the article's label.
    """
    zeros = logits.new_zeros(count, logits.shape[1])
    # log probability, (articles, classes), that no window shows it, and that one does
    nowhere = zeros.index_add(0, articles, _log_hidden(logits))
    somewhere = torch.log(-torch.expm1(nowhere.clamp(max=-_TINY)))
    none = nowhere[:, [*_SYSTEMS, _MULTIPLE]].sum(dim=1)
    several = [somewhere[:, _MULTIPLE]]
    for shown in _SEVERAL:
        rest = [system for system in _SYSTEMS if system not in shown]
        several.append(nowhere[:, [*rest, _MULTIPLE]].sum(dim=1) + somewhere[:, shown].sum(dim=1))
    pooled = torch.empty_like(nowhere)
    pooled[:, _SYSTEMS] = none.unsqueeze(1) - nowhere[:, _SYSTEMS] + somewhere[:, _SYSTEMS]
    pooled[:, _MULTIPLE] = torch.logsumexp(torch.stack(several), dim=0)
    pooled[:, _NONE] = none
    return pooled


def _log_hidden(logits: torch.Tensor) -> torch.Tensor:
    """Compute log(1 - softmax), exact for windows that are certain either way: their gradient never vanishes."""
    shows = logits.softmax(dim=1)
    classes = logits.shape[1]
    others = (
        logits.unsqueeze(1)
        .expand(-1, classes, -1)
        .masked_fill(torch.eye(classes, dtype=torch.bool, device=logits.device), float("-inf"))
    )
    from_others = torch.logsumexp(others, dim=2) - torch.logsumexp(logits, dim=1, keepdim=True)
    return torch.where(shows < 0.5, torch.log1p(-shows.clamp(max=0.5)), from_others)


_POOLS: dict[Pooling, Callable[[torch.Tensor, torch.Tensor, int], torch.Tensor]] = {
    "noisy-or": _noisy_or,
    "mean": _mean,
    "max": _max,
}
