"""How sure a model was of what it wrote: the probability of each token that it chose, and of each item."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from functools import cache
from math import isfinite
from typing import Any

from ctiforge.extract.prompts.answers import item_spans
from ctiforge.records.answer import ItemProbability
from ctiforge.training.faults import no_numbers

_DIGITS = 4


class TokenProbabilities:
    """A `LogitsProcessor` of transformers that changes nothing and keeps the log-probability of each greedy token."""

    def __init__(self) -> None:
        self._steps: list[Any] = []

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        """Keep the largest of `scores` (rows, vocabulary), which greedy decoding takes, before and after softmax."""
        largest = scores.max(dim=-1).values
        self._steps.append((largest, largest - scores.logsumexp(dim=-1)))
        return scores

    def rows(self) -> list[list[float]]:
        """Give the log-probabilities of each row's tokens; nothing where nothing was kept.

        Raises CannotGoOnError where logits were no numbers: then no answer of this model on this device is one.
        """
        import torch

        if not self._steps:
            return []
        largest, kept = (torch.stack(each, dim=1) for each in zip(*self._steps, strict=True))
        # -inf is the constraint's: nothing may follow
        if (largest.isnan() | largest.isposinf()).any():
            raise no_numbers("the model")
        found: list[list[float]] = kept.tolist()
        return found


def item_probabilities(
    raw: str, ids: Sequence[int], logprobs: Sequence[float], decode: Callable[[Sequence[int]], str]
) -> tuple[ItemProbability, ...]:
    """Tell how sure a model was of each whole item of its answer.

    Args:
        raw: The answer.
        ids: Its tokens.
        logprobs: Their log-probabilities, (tokens,) or more.
        decode: Turns tokens into text: all of `ids` into `raw`.

    Returns:
        Mean and least log-probability of the tokens of each item, in order.
    """

    @cache
    def length(tokens: int) -> int:
        return len(decode(ids[:tokens]))

    found = []
    counts = range(len(ids) + 1)
    for start, end in item_spans(raw):
        first, last = bisect_right(counts, start, key=length) - 1, bisect_left(counts, end, key=length)
        of_item = [each for each in logprobs[first:last] if isfinite(each)]
        if of_item:
            mean, least = round(sum(of_item) / len(of_item), _DIGITS), round(min(of_item), _DIGITS)
            # no minus zero
            found.append(ItemProbability(start=start, end=end, mean=mean + 0.0, least=least + 0.0))
    return tuple(found)
