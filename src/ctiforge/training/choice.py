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

    prefix: tuple[int, ...]
    """The tokens that every answer begins with."""
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
    parted = ((at, some, none) for at, (some, none) in enumerate(pairs) if some != none)
    return next((ItemChoice(tuple(nothing[:at]), some, none) for at, some, none in parted), None)


def leanings(logits: torch.Tensor, labels: torch.Tensor, choice: ItemChoice) -> list[tuple[float, bool] | None]:
    """Read how much a model leans to an item in each window.

    Args:
        logits: (rows, positions, vocabulary), where the model predicts the labels.
        labels: (rows, positions); `IGNORE` where nothing is predicted.
        choice: Where answers part.

    Returns:
        Of each row the log-odds of an item (natural logarithm) and whether there is one; None of a row whose answer
        does not begin as all do.
    """
    found: list[tuple[float, bool] | None] = [None] * len(labels)
    rows, places = _places(labels, choice)
    chosen, odds = labels[rows, places], logits[rows, places, choice.item] - logits[rows, places, choice.empty]
    for row, score, token in zip(rows.tolist(), odds.float().tolist(), chosen.tolist(), strict=True):
        found[row] = (score, token == choice.item)
    return found


def choice_loss(logits: torch.Tensor, labels: torch.Tensor, choice: ItemChoice) -> torch.Tensor:
    """Sum the loss of that one token over the rows: each window weighs the same, however long its answer.

    Args:
        logits: (rows, positions, vocabulary), where the model predicts the labels.
        labels: (rows, positions); `IGNORE` where nothing is predicted.
        choice: Where answers part.

    Returns:
        Cross-entropy in nats, a scalar; 0 where no row makes the choice.
    """
    rows, places = _places(labels, choice)
    return torch.nn.functional.cross_entropy(logits[rows, places].float(), labels[rows, places], reduction="sum")


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


def _places(labels: torch.Tensor, choice: ItemChoice) -> tuple[torch.Tensor, torch.Tensor]:
    """Find the rows that make the choice, and the position of each at which they do."""
    predicted = labels != IGNORE
    nth = predicted.cumsum(dim=1)
    at = len(choice.prefix)
    chosen = predicted & (nth == at + 1) & ((labels == choice.item) | (labels == choice.empty))
    for index, token in enumerate(choice.prefix):
        begins = (predicted & (nth == index + 1) & (labels == token)).any(dim=1, keepdim=True)
        chosen &= begins
    rows, places = chosen.nonzero(as_tuple=True)
    return rows, places
