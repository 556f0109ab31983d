"""Greedy answers of a causal language model to a batch of prompts; a row whose answer is over leaves the batch."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ctiforge.extract.answering.certainty import TokenProbabilities
from ctiforge.extract.answering.item_choice import ItemBias
from ctiforge.training.choice import ItemChoice

_SAME_TOKENS, _SAME_TIMES, _LONGEST_SAME = 192, 4, 128
"""An answer goes round in circles where so many tokens say one thing so often, which has so many tokens at most."""
_LOOK_EVERY = 32
"""Tokens of an answer between two looks whether it does: at the same places whatever shares its batch."""


class PromptTokens(NamedTuple):
    """A prompt as it goes to the model."""

    ids: list[int]
    room: int
    """Tokens that its answer may have."""


@dataclass
class Written:
    """What a model wrote to one prompt."""

    ids: list[int] = field(default_factory=list)
    """The answer's tokens, with the one that ends it."""
    logprobs: list[float] = field(default_factory=list)
    """The log-probability of each."""
    leaning: float | None = None
    """The log-odds of an item, before the bias; None of an answer that never made that choice."""


@dataclass(frozen=True)
class Writer:
    """A model, and how it is asked."""

    model: Any
    ends: Sequence[int]
    """Tokens of which each ends an answer."""
    pad: int
    choice: ItemChoice | None = None
    heed: Callable[[], object] | None = None
    """Called with each token; what it raises ends the work."""

    def write(
        self, asked: Sequence[PromptTokens], *, bias: float = 0.0, constraint: Any = None, begun: int = 0
    ) -> list[Written]:
        """Answer prompts together, greedily and by no setting of the checkpoint's.

        Each has the room that it would have alone. Once half of the rows are over, the others go on without them. An
        answer that says one thing again and again is cut off, unless a constraint is to end it: it never would.

        Args:
            asked: The prompts, padded on the left here.
            bias: By which the log-odds of the choice of an item are shifted.
            constraint: The `AnswerProcessor` of these rows; None lets the model write anything.
            begun: Tokens at each prompt's end with which the answer has begun.

        Returns:
            One for each prompt, in order.

        Raises:
            CannotGoOnError: The model computes no numbers.
        """
        import torch

        ids, mask = self._padded([each.ids for each in asked])
        longest, circles = ids.shape[1], constraint is None
        found, rows, cache = [Written() for _ in asked], list(range(len(asked))), None
        with torch.inference_mode(), _no_settings_of_its_own(self.model):
            while rows:
                left = [asked[row].room - len(found[row].ids) for row in rows]
                over = _RowsThatAreOver(ids.shape[1], ids.shape[1] - longest, left, self.ends, circles=circles)
                item_bias = ItemBias(self.choice, bias, longest - begun) if self.choice else None
                probabilities = TokenProbabilities()
                # of what is not allowed no token is chosen
                processors = [each for each in (item_bias, constraint, probabilities) if each]
                output = self._written_on(ids, mask, cache, max(left), processors, over)
                tokens = output.sequences[:, ids.shape[1] :].tolist()
                logprobs = probabilities.rows() or [[]] * len(rows)
                leanings = item_bias.leanings(len(rows)) if item_bias else [None] * len(rows)
                places = []
                for place, row in enumerate(rows):
                    of_row = found[row]
                    of_row.ids += tokens[place]
                    of_row.logprobs += logprobs[place][: len(tokens[place])]
                    of_row.leaning = leanings[place] if of_row.leaning is None else of_row.leaning
                    end = _end_of(of_row.ids, self.ends, asked[row].room, circles=circles)
                    if end is None:
                        places.append(place)
                    else:
                        del of_row.ids[end:], of_row.logprobs[end:]
                rows = [rows[place] for place in places]
                ids = output.sequences[places]
                mask = torch.cat([mask[places], mask.new_ones(len(places), ids.shape[1] - mask.shape[1])], dim=1)
                cache = _rows_of_cache(output.past_key_values, places)
                constraint = constraint.of_rows(places) if constraint else None
        return found

    def _padded(self, prompts: Sequence[list[int]]) -> tuple[Any, Any]:
        """Pad prompts on the left: their tokens and where they are, each (rows, longest), on the model's device."""
        import torch

        longest = max(map(len, prompts))
        ids = torch.tensor([[self.pad] * (longest - len(each)) + each for each in prompts])
        mask = torch.tensor([[0] * (longest - len(each)) + [1] * len(each) for each in prompts])
        return ids.to(self.model.device), mask.to(self.model.device)

    def _written_on(
        self, ids: Any, mask: Any, cache: Any, most: int, processors: Sequence[Any], over: "_RowsThatAreOver"
    ) -> Any:
        """Write on until no more than half of the rows have something left to write."""
        return self.model.generate(
            input_ids=ids,
            attention_mask=mask,
            past_key_values=cache,
            max_new_tokens=most,
            stopping_criteria=[over, *([_stops_none(self.heed)] if self.heed else [])],
            do_sample=False,
            eos_token_id=list(self.ends),
            pad_token_id=self.pad,
            logits_processor=list(processors),
            return_dict_in_generate=True,
        )


class _RowsThatAreOver:
    """A stopping criterion of transformers: (rows,), true for those that are over, for all once half of them are."""

    def __init__(
        self, prompt_length: int, written: int, left: Sequence[int], ends: Sequence[int], *, circles: bool
    ) -> None:
        import torch

        self._prompt_length = prompt_length
        self._written = written
        self._left = torch.tensor(left)
        self._ends = torch.tensor(ends)
        self._over = torch.zeros(len(left), dtype=torch.bool)
        self._circles = circles

    def __call__(self, input_ids: Any, _scores: Any, **_: Any) -> Any:
        import torch

        device = input_ids.device
        if self._over.device != device:
            self._left, self._ends, self._over = (each.to(device) for each in (self._left, self._ends, self._over))
        new = input_ids.shape[1] - self._prompt_length
        self._over = self._over | (new >= self._left) | torch.isin(input_ids[:, -1], self._ends)
        if self._circles and _is_looked_at(self._written + new):
            for period, tokens in _periods(self._written + new):
                last = input_ids[:, -tokens:]
                self._over = self._over | (last[:, period:] == last[:, :-period]).all(dim=1)
        half_are = 2 * self._over.sum() >= len(self._over)
        return self._over | half_are


def _end_of(ids: Sequence[int], ends: Sequence[int], room: int, *, circles: bool) -> int | None:
    """Say how many tokens of an answer count; None where it goes on."""
    end = next((place for place, token in enumerate(ids, 1) if token in ends), None)
    if end is None and circles:
        looks = range(_SAME_TOKENS, min(len(ids), room) + 1, _LOOK_EVERY)
        end = next((look for look in looks if _is_in_circles(ids[:look])), None)
    if end is None and len(ids) < room:
        return None
    return min(end or room, room)


def _is_in_circles(ids: Sequence[int]) -> bool:
    """Tell whether an answer has ended in saying one thing again and again."""
    return any(ids[-tokens:][period:] == ids[-tokens:][:-period] for period, tokens in _periods(len(ids)))


def _is_looked_at(written: int) -> bool:
    return written >= _SAME_TOKENS and written % _LOOK_EVERY == 0


def _periods(written: int) -> Iterator[tuple[int, int]]:
    """List, for what may be said again and again in so many tokens: its own tokens, and those that say it."""
    for period in range(1, _LONGEST_SAME + 1):
        tokens = max(_SAME_TOKENS, _SAME_TIMES * period)
        if tokens <= written:
            yield period, tokens


def _rows_of_cache(cache: Any, places: Sequence[int]) -> Any:
    """Keep these rows of what a model remembers; None, so that it reads them again, where its kind cannot lose rows."""
    import torch

    if not places or not hasattr(cache, "reorder_cache"):
        return None
    # on the CPU: each layer takes the indices to where it lies
    cache.reorder_cache(torch.tensor(places))
    return cache


def _stops_none(heed: Callable[[], object]) -> Any:
    """Make a stopping criterion of transformers that stops no row, but asks whether to go on at all."""
    import torch

    def none(input_ids: Any, _scores: Any, **_: Any) -> Any:
        heed()
        return torch.zeros(len(input_ids), dtype=torch.bool, device=input_ids.device)

    return none


@contextmanager
def _no_settings_of_its_own(model: Any) -> Iterator[None]:
    """Keep what a checkpoint's generation_config asks for, like a repetition_penalty, out of its answers."""
    from transformers import GenerationConfig

    own, model.generation_config = getattr(model, "generation_config", None), GenerationConfig()
    try:
        yield
    finally:
        # a model that is asked while it is trained is saved with its own
        model.generation_config = own
