"""Whether a model sees that a window holds something: the one token at which an answer with items leaves an empty one.

The loss per token hardly shows it: that token is one of many, and the others copy values.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from ctiforge.training.encoding import IGNORE, encode_answer


@dataclass(frozen=True)
class ItemChoice:
    """Where answers part, and into what."""

    offset: int
    """The token of the answer, counted from 0."""
    item: int
    """The token that goes on to an item."""
    empty: int
    """The token that ends the list."""


def find_choice(tokenizer: Any, empty: str, answers: Sequence[str]) -> ItemChoice | None:
    """Find where answers with items leave the empty one.

    Args:
        tokenizer: The model's tokenizer.
        empty: The answer that says that nothing was found.
        answers: Answers with items.

    Returns:
        The choice; None where there is no such answer, or where they do not all part from it in one way.
    """
    nothing = encode_answer(tokenizer, empty)
    found = {_parting(nothing, encode_answer(tokenizer, answer)) for answer in answers}
    return found.pop() if len(found) == 1 else None


def _parting(nothing: Sequence[int], answer: Sequence[int]) -> ItemChoice | None:
    pairs = zip(answer, nothing, strict=False)
    return next((ItemChoice(at, some, none) for at, (some, none) in enumerate(pairs) if some != none), None)


def leanings(logits: torch.Tensor, labels: torch.Tensor, choice: ItemChoice) -> list[tuple[float, bool]]:
    """Read how much a model leans to an item in each window.

    Args:
        logits: (rows, positions, vocabulary), where the model predicts the labels.
        labels: (rows, positions); `IGNORE` where nothing is predicted.
        choice: Where answers part.

    Returns:
        Of each row whose label is either token there: the log-odds of an item (natural logarithm), and whether there is
        one.
    """
    predicted = labels != IGNORE
    at = (predicted.cumsum(dim=1) == choice.offset + 1) & predicted
    rows, places = at.nonzero(as_tuple=True)
    chosen, odds = labels[rows, places], logits[rows, places, choice.item] - logits[rows, places, choice.empty]
    told = zip(odds.float().tolist(), chosen.tolist(), strict=True)
    return [(each, token == choice.item) for each, token in told if token in (choice.item, choice.empty)]


def auc(pairs: Sequence[tuple[float, bool]]) -> float | None:
    """Compute the area under the ROC curve: how often a window with an item leans more to one than a window without.

    Args:
        pairs: The score of each window, and whether it holds an item.

    Returns:
        0 to 1, 0.5 for chance, ties counted half (Mann & Whitney 1947); None where one of both kinds is missing.
    """
    kinds = [is_item for _, is_item in pairs]
    if all(kinds) or not any(kinds):
        return None
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(kinds, [score for score, _ in pairs]))
