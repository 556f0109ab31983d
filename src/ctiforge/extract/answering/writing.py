"""Greedy answers of a causal language model to a batch of prompts; a row whose answer is over leaves the batch."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ctiforge.extract.answering.certainty import TokenProbabilities
from ctiforge.extract.answering.item_choice import ItemBias
from ctiforge.training.choice import ItemChoice


class Asked(NamedTuple):
    """A prompt as it goes to the model."""

    ids: list[int]
    room: int
    """Tokens that its answer may have."""


@dataclass
class Written:
    """What a model wrote to one prompt."""

    ids: list[int] = field(default_factory=list)
    """The answer's tokens; what stands behind one that ends it does not count."""
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
        self, asked: Sequence[Asked], *, bias: float = 0.0, constraint: Any = None, begun: int = 0
    ) -> list[Written]:
        """Answer prompts together, greedily and by no setting of the checkpoint's.

        Each has the room that it would have alone. Once half of the rows are over, the others go on without them.

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

        longest = max(len(each.ids) for each in asked)
        padding = [longest - len(each.ids) for each in asked]
        ids = torch.tensor([[self.pad] * pads + each.ids for pads, each in zip(padding, asked, strict=True)])
        mask = torch.tensor([[0] * pads + [1] * (longest - pads) for pads in padding])
        ids, mask = ids.to(self.model.device), mask.to(self.model.device)
        found, rows, cache = [Written() for _ in asked], list(range(len(asked))), None
        with torch.inference_mode(), _no_settings_of_its_own(self.model):
            while rows:
                left = [asked[row].room - len(found[row].ids) for row in rows]
                item_bias = ItemBias(self.choice, bias, longest - begun) if self.choice else None
                probabilities = TokenProbabilities()
                # of what is not allowed no token is chosen
                processors = [each for each in (item_bias, constraint, probabilities) if each]
                output = self._written_on(ids, mask, cache, left, processors)
                tokens = output.sequences[:, ids.shape[1] :].tolist()
                logprobs = probabilities.rows() or [[]] * len(rows)
                leanings = item_bias.leanings(len(rows)) if item_bias else [None] * len(rows)
                for place, row in enumerate(rows):
                    of_row, new = found[row], tokens[place][: left[place]]
                    of_row.ids += new
                    of_row.logprobs += logprobs[place][: len(new)]
                    of_row.leaning = leanings[place] if of_row.leaning is None else of_row.leaning
                places = [place for place, row in enumerate(rows) if not self._is_over(found[row], asked[row].room)]
                rows = [rows[place] for place in places]
                ids = output.sequences[places]
                mask = torch.cat([mask[places], mask.new_ones(len(places), ids.shape[1] - mask.shape[1])], dim=1)
                cache = _rows_of_cache(output.past_key_values, places)
                constraint = constraint.of_rows(places) if constraint else None
        return found

    def _written_on(self, ids: Any, mask: Any, cache: Any, left: Sequence[int], processors: Sequence[Any]) -> Any:
        """Write on until no more than half of the rows have something left to write."""
        return self.model.generate(
            input_ids=ids,
            attention_mask=mask,
            past_key_values=cache,
            max_new_tokens=max(left),
            stopping_criteria=[
                _RowsThatAreOver(ids.shape[1], left, self.ends),
                *([_stops_none(self.heed)] if self.heed else []),
            ],
            do_sample=False,
            eos_token_id=list(self.ends),
            pad_token_id=self.pad,
            logits_processor=list(processors),
            return_dict_in_generate=True,
        )

    def _is_over(self, written: Written, room: int) -> bool:
        return len(written.ids) >= room or not set(self.ends).isdisjoint(written.ids)


class _RowsThatAreOver:
    """A stopping criterion of transformers: (rows,), true for those that are over, for all once half of them are."""

    def __init__(self, prompt_length: int, left: Sequence[int], ends: Sequence[int]) -> None:
        import torch

        self._prompt_length = prompt_length
        self._left = torch.tensor(left)
        self._ends = torch.tensor(ends)
        self._over = torch.zeros(len(left), dtype=torch.bool)

    def __call__(self, input_ids: Any, _scores: Any, **_: Any) -> Any:
        import torch

        device = input_ids.device
        if self._over.device != device:
            self._left, self._ends, self._over = (each.to(device) for each in (self._left, self._ends, self._over))
        full = input_ids.shape[1] - self._prompt_length >= self._left
        self._over = self._over | full | torch.isin(input_ids[:, -1], self._ends)
        half_are = 2 * self._over.sum() >= len(self._over)
        return self._over | half_are


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
