"""The Extract Agent at work on this machine: windows of an article through the model, batch by batch."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from ctiforge.errors import CtiforgeError
from ctiforge.extract.answering.certainty import TokenProbabilities, item_probabilities
from ctiforge.extract.answering.constrained import AnswerConstraint
from ctiforge.extract.answering.examples_shown import ShownExamples
from ctiforge.extract.answering.item_choice import ItemBias, choice_of
from ctiforge.extract.answering.windowed import (
    LEAST_ANSWER_TOKENS,
    PendingWindow,
    RawAnswer,
    WindowedExtractor,
    plain_usage,
)
from ctiforge.extract.prepared import usage_of_model
from ctiforge.extract.prompts.rendering import render_prompt
from ctiforge.records.model_note import AgentUsage
from ctiforge.training.encoding import count_tokens, encode_prompt, end_token_ids, load_tokenizer, pad_token_id
from ctiforge.training.faults import check_device, first_line
from ctiforge.training.models import compute_dtype, load_causal_lm, merge_adapter, pick_device
from ctiforge.training.special_tokens import mend_special
from ctiforge.training.templates import use_template


class _Asked(NamedTuple):
    """A prompt as it goes to the model."""

    ids: list[int]
    room: int
    """Tokens that its answer may have."""


class ExtractAgent(WindowedExtractor):
    """A causal language model with the tokenizer, prompt and window sizes it was trained with."""

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        usage: AgentUsage,
        name: str,
        batch_size: int = 32,
        *,
        halves: bool = True,
        constrained: bool = False,
        shown: ShownExamples | None = None,
    ) -> None:
        super().__init__(usage, name, partial(count_tokens, tokenizer), halves=halves, shown=shown)
        self.model = model
        self.tokenizer = tokenizer
        self.batch_size = batch_size
        self._ends = end_token_ids(tokenizer)
        self._choice = choice_of(tokenizer)
        self._heed: Callable[[], object] | None = None
        self._constraint = None
        if constrained:
            size = model.config.get_text_config().vocab_size
            self._constraint = AnswerConstraint(tokenizer, size, self._ends[0])

    @classmethod
    def load(
        cls,
        model: str,
        *,
        usage: AgentUsage | None = None,
        device: str = "auto",
        batch_size: int = 32,
        name: str | None = None,
        constrained: bool = False,
        shown: ShownExamples | None = None,
    ) -> "ExtractAgent":
        """Load the model of a folder (full weights or adapter) or a hub name.

        A model trained here knows how it is to be asked; another is asked as `usage` says, or with
        the full prompt and windows of 900 tokens. `constrained` lets it write nothing but answers of
        the right form, `shown` are examples in every prompt. Raises UsageError where it cannot be loaded.
        """
        target = pick_device(device)
        tokenizer = load_tokenizer(model)
        loaded = merge_adapter(load_causal_lm(model, target, compute_dtype(target))).eval()
        trained_here = usage_of_model(Path(model))
        known = trained_here or usage or plain_usage("messages" if tokenizer.chat_template else "simple")
        use_template(tokenizer, known.template)
        # A model that was not trained here has not learnt to end: its answers would only be asked for again.
        halves = trained_here is not None
        return cls(
            loaded, tokenizer, known, name or model, batch_size, halves=halves, constrained=constrained, shown=shown
        )

    def generate(self, waiting: Sequence[PendingWindow]) -> Iterator[RawAnswer]:
        """Answer every window, those with short prompts first; windows of like lengths share a batch."""
        prompts = [(pending, self._prompt(pending)) for pending in waiting]
        prompts.sort(key=lambda each: len(each[1].ids))
        for start in range(0, len(prompts), self.batch_size):
            yield from self._generate_batch(prompts[start : start + self.batch_size])

    def with_bias(self, bias: float) -> "ExtractAgent":
        """Make the same model go on to an item more or less readily, by a bias of that choice's log-odds."""
        usage = replace(self.usage, item_bias=bias)
        return ExtractAgent(self.model, self.tokenizer, usage, self.name, self.batch_size, halves=self.halves)

    def heeding(self, heed: Callable[[], object]) -> "ExtractAgent":
        """Make the same model call `heed` with each token that it writes; a CtiforgeError from it ends the work."""
        made = copy(self)
        made._heed = heed
        return made

    def leanings(self, waiting: Sequence[PendingWindow]) -> list[float | None]:
        """Read the log-odds of an item in each window, in one pass with nothing written; None where there is no choice.

        The order is that of the windows. Raises CannotGoOnError for a device that failed.
        """
        if not self._choice:
            return [None] * len(waiting)
        prompts = [(index, self._prompt(pending).ids) for index, pending in enumerate(waiting)]
        prompts.sort(key=lambda each: len(each[1]))
        found: list[float | None] = [None] * len(waiting)
        for start in range(0, len(prompts), self.batch_size):
            batch = prompts[start : start + self.batch_size]
            longest = max(len(ids) for _, ids in batch)
            bias = ItemBias(self._choice, 0.0, longest)
            self._run([[*ids, *self._choice.prefix] for _, ids in batch], 1, [bias])
            for (index, _), leaning in zip(batch, bias.leanings(len(batch)), strict=True):
                found[index] = leaning
        return found

    def _prompt(self, pending: PendingWindow) -> _Asked:
        """Write a window's prompt; examples that it shows take nothing of the answer's room."""
        plain = self._prompt_ids(pending, ())
        solved = self.solved(pending)
        room = max(LEAST_ANSWER_TOKENS, self.usage.sizes.max_length - len(plain))
        return _Asked(self._prompt_ids(pending, solved) if solved else plain, room)

    def _prompt_ids(self, pending: PendingWindow, solved: Sequence[tuple[str, str]]) -> list[int]:
        usage = self.usage
        rendered = render_prompt(
            usage.text_format, self.prompt, pending.types, pending.text, self.tokenizer, solved=solved
        )
        return encode_prompt(self.tokenizer, rendered)

    def _generate_batch(self, batch: Sequence[tuple[PendingWindow, _Asked]]) -> list[RawAnswer]:
        """Answer a batch, or its halves where it cannot be answered together; one window that cannot be has failed."""
        try:
            return self._generate_greedily(batch)
        except CtiforgeError:
            raise
        except Exception as error:
            check_device(error)
            why = first_line(error)
        # only here: as long as an error lives, so do the tensors of where it was raised
        if len(batch) > 1:
            half = len(batch) // 2
            return self._generate_batch(batch[:half]) + self._generate_batch(batch[half:])
        pending, asked = batch[0]
        return [RawAnswer(pending, "", 0, len(asked.ids), False, why)]

    def _generate_greedily(self, batch: Sequence[tuple[PendingWindow, _Asked]]) -> list[RawAnswer]:
        longest = max(len(asked.ids) for _, asked in batch)
        # each window has the room that it would have alone: what shares its batch changes no answer
        rooms = [asked.room for _, asked in batch]
        types = [pending.types for pending, _ in batch]
        probabilities = TokenProbabilities()
        bias = ItemBias(self._choice, self.usage.item_bias or 0.0, longest) if self._choice else None
        # of what is not allowed no token is chosen
        constraint = self._constraint.processor(types, longest, rooms) if self._constraint else None
        processors: list[Any] = [each for each in (bias, constraint, probabilities) if each]
        output = self._run([asked.ids for _, asked in batch], max(rooms), processors, [_rooms_are_full(longest, rooms)])
        rows = [row[:room] for row, room in zip(output[:, longest:].tolist(), rooms, strict=True)]
        logprobs = probabilities.rows() or [[]] * len(batch)
        leanings = bias.leanings(len(batch)) if bias else [None] * len(batch)
        return [
            replace(self._answer(pending, len(asked.ids), row, of_row), leaning=leaning)
            for (pending, asked), row, of_row, leaning in zip(batch, rows, logprobs, leanings, strict=True)
        ]

    def _run(
        self, prompts: Sequence[list[int]], tokens: int, processors: list[Any], stopping: Sequence[Any] = ()
    ) -> Any:
        """Write on from prompts, padded on the left, greedily and by no setting of the checkpoint's."""
        import torch

        longest = max(map(len, prompts))
        pad = pad_token_id(self.tokenizer)
        ids = torch.tensor([[pad] * (longest - len(each)) + each for each in prompts])
        mask = torch.tensor([[0] * (longest - len(each)) + [1] * len(each) for each in prompts])
        with torch.inference_mode(), _no_settings_of_its_own(self.model):
            return self.model.generate(
                input_ids=ids.to(self.model.device),
                attention_mask=mask.to(self.model.device),
                max_new_tokens=tokens,
                stopping_criteria=[*stopping, *([_stops_none(self._heed)] if self._heed else [])],
                do_sample=False,
                eos_token_id=self._ends,
                pad_token_id=pad,
                logits_processor=processors,
            )

    def _answer(self, pending: PendingWindow, prompt_tokens: int, ids: list[int], logprobs: list[float]) -> RawAnswer:
        end = next((place for place, token in enumerate(ids) if token in self._ends), None)
        written = ids[:end]
        raw = self._decode(written)
        mended = mend_special(self.tokenizer, raw)
        # of an answer that spelled a special token the places no longer hold
        known = bool(logprobs) and mended == raw
        items = item_probabilities(raw, written, logprobs, self._decode) if known else None
        return RawAnswer(pending, mended, len(written), prompt_tokens, stopped_by_length=end is None, items=items)

    def _decode(self, ids: Sequence[int]) -> str:
        text: str = self.tokenizer.decode(ids, skip_special_tokens=False, clean_up_tokenization_spaces=False)
        return text


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


def _rooms_are_full(prompt_length: int, rooms: Sequence[int]) -> Any:
    """Make a stopping criterion of transformers: (rows,), true for those that have written as much as they may."""
    import torch

    most = torch.tensor(rooms)

    def full(input_ids: Any, _scores: Any, **_: Any) -> Any:
        return (input_ids.shape[1] - prompt_length >= most).to(input_ids.device)

    return full


def _stops_none(heed: Callable[[], object]) -> Any:
    """Make a stopping criterion of transformers that stops no row, but asks whether to go on at all."""
    import torch

    def none(input_ids: Any, _scores: Any, **_: Any) -> Any:
        heed()
        return torch.zeros(len(input_ids), dtype=torch.bool, device=input_ids.device)

    return none
