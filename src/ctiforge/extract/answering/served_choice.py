"""The choice between an item and an empty answer, as an endpoint tells of it: by its tokens' alternatives.

An endpoint takes no bias at one place of an answer. What its model chose there is compared with what it would have
chosen with the bias: an item too many is left out, and a window without one is asked about again with a schema in which
there must be one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ctiforge.extract.answering.endpoint import Completion
from ctiforge.extract.answering.item_choice import choice_of


@dataclass(frozen=True)
class ServedChoice:
    """Where answers part, as texts of tokens."""

    prefix: str
    """What every answer begins with."""
    item: str
    """The token that goes on to an item."""
    empty: str
    """The token that ends the list."""

    @classmethod
    def of(cls, tokenizer: Any) -> "ServedChoice | None":
        """Find it for a tokenizer; None where there is none, or where its answers part in several ways."""
        choice = choice_of(tokenizer) if tokenizer else None
        if not choice:
            return None
        return cls(*(_decode(tokenizer, ids) for ids in (choice.prefix, [choice.item], [choice.empty])))

    def leaning(self, found: Completion) -> float | None:
        """Read the log-odds of an item in one answer.

        Args:
            found: The answer with its tokens and their alternatives.

        Returns:
            Natural logarithm; where only one of both is among the alternatives, the least that the other can differ by;
            None where the endpoint does not say, or the answer does not begin as all do.
        """
        written = ""
        for (text, _), others in zip(found.tokens, found.alternatives, strict=False):
            if written == self.prefix:
                return self._odds(others)
            if not self.prefix.startswith(written + text):
                return None
            written += text
        return None

    def _odds(self, others: dict[str, float]) -> float | None:
        if self.item not in others and self.empty not in others:
            return None
        least = min(others.values())
        return others.get(self.item, least) - others.get(self.empty, least)


def _decode(tokenizer: Any, ids: Sequence[int]) -> str:
    text: str = tokenizer.decode(list(ids), skip_special_tokens=False, clean_up_tokenization_spaces=False)
    return text
