"""The token at which an answer with items leaves an empty one, while the model writes: read, and shifted by a bias."""

from collections.abc import Sequence
from typing import Any

from ctiforge.extract.prompts.rendering import render_answer
from ctiforge.records.observable import TYPES, Observable
from ctiforge.training.choice import ItemChoice, find_choice

ALWAYS = 1e4
"""A bias with which a model always goes on to an item; float16 still holds it."""


def choice_of(tokenizer: Any) -> ItemChoice | None:
    """Find where this tokenizer's answers with items leave the empty one.

    Args:
        tokenizer: The model's tokenizer.

    Returns:
        The choice; None where answers of different types leave it at different tokens.
    """
    some = [render_answer((Observable(type=name, value="x"),)) for name in TYPES]
    return find_choice(tokenizer, render_answer(()), some)


# How far a token is put before the others where it would not be first.
_AHEAD = 1.0


class ItemBias:
    """A `LogitsProcessor` of transformers that keeps how much each row leans to an item, and shifts that by a bias.

    As with `EndpointAgent` only a row changes that the bias brings to the other side, and it gets the other of both
    tokens: no third one, which may be likelier than that.
    """

    def __init__(self, choice: ItemChoice, bias: float, prompt_length: int) -> None:
        self._choice = choice
        self._bias = bias
        self._prompt_length = prompt_length
        self._leanings: list[float | None] = []

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        """Change `scores` (rows, vocabulary) of the rows that have written what every answer begins with."""
        import torch

        choice = self._choice
        written = input_ids[:, self._prompt_length :]
        if written.shape[1] != len(choice.prefix):
            return scores
        prefix = torch.tensor(choice.prefix, dtype=written.dtype, device=written.device)
        begun = (written == prefix).all(dim=1)
        odds = scores[:, choice.item].float() - scores[:, choice.empty].float()
        self._leanings = [each if at else None for each, at in zip(odds.tolist(), begun.tolist(), strict=True)]
        to_item = odds + self._bias > 0
        turned = begun & (to_item != (odds > 0))
        shifted = scores.clone()
        shifted[:, choice.item] += self._bias * turned.to(scores.dtype)
        for token, rows in ((choice.item, turned & to_item), (choice.empty, turned & ~to_item)):
            others = shifted[rows].index_fill(1, torch.tensor([token], device=scores.device), -torch.inf)
            own, most = shifted[rows, token], others.amax(dim=1)
            shifted[rows, token] = torch.where(own > most, own, most + _AHEAD)
        return shifted

    def leanings(self, rows: int) -> Sequence[float | None]:
        """Give the log-odds of an item of each row, before the bias; None of a row that never made the choice."""
        return self._leanings or [None] * rows
