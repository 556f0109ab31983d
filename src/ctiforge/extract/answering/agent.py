"""The Extract Agent at work on this machine: windows of an article through the model, batch by batch."""

from collections.abc import Callable, Iterator, Sequence
from copy import copy
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from ctiforge.errors import CtiforgeError
from ctiforge.extract.answering.certainty import item_probabilities
from ctiforge.extract.answering.constrained import AnswerConstraint
from ctiforge.extract.answering.examples_shown import ShownExamples
from ctiforge.extract.answering.item_choice import choice_of
from ctiforge.extract.answering.windowed import (
    LEAST_ANSWER_TOKENS,
    PendingWindow,
    RawAnswer,
    WindowedExtractor,
    plain_usage,
)
from ctiforge.extract.answering.writing import PromptTokens, Writer, Written
from ctiforge.extract.prepared import usage_of_model
from ctiforge.extract.prompts.rendering import render_prompt
from ctiforge.records.model_note import AgentUsage
from ctiforge.training.encoding import count_tokens, encode_prompt, end_token_ids, load_tokenizer, pad_token_id
from ctiforge.training.faults import check_device, first_line
from ctiforge.training.models import compute_dtype, load_causal_lm, merge_adapter, pick_device
from ctiforge.training.special_tokens import mend_special
from ctiforge.training.templates import use_template


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
        prefix = self._choice.prefix
        prompts = [
            (index, PromptTokens([*self._prompt(pending).ids, *prefix], 1)) for index, pending in enumerate(waiting)
        ]
        prompts.sort(key=lambda each: len(each[1].ids))
        found: list[float | None] = [None] * len(waiting)
        for start in range(0, len(prompts), self.batch_size):
            batch = prompts[start : start + self.batch_size]
            written = self._writer.write([asked for _, asked in batch], begun=len(prefix))
            for (index, _), of_row in zip(batch, written, strict=True):
                found[index] = of_row.leaning
        return found

    def _prompt(self, pending: PendingWindow) -> PromptTokens:
        """Write a window's prompt; examples that it shows take nothing of the answer's room."""
        plain = self._prompt_ids(pending, ())
        solved = self.solved(pending)
        room = max(LEAST_ANSWER_TOKENS, self.usage.sizes.max_length - len(plain))
        return PromptTokens(self._prompt_ids(pending, solved) if solved else plain, room)

    def _prompt_ids(self, pending: PendingWindow, solved: Sequence[tuple[str, str]]) -> list[int]:
        usage = self.usage
        rendered = render_prompt(
            usage.text_format, self.prompt, pending.types, pending.text, self.tokenizer, solved=solved
        )
        return encode_prompt(self.tokenizer, rendered)

    def _generate_batch(self, batch: Sequence[tuple[PendingWindow, PromptTokens]]) -> list[RawAnswer]:
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

    def _generate_greedily(self, batch: Sequence[tuple[PendingWindow, PromptTokens]]) -> list[RawAnswer]:
        constraint = None
        if self._constraint:
            types = [pending.types for pending, _ in batch]
            longest = max(len(asked.ids) for _, asked in batch)
            constraint = self._constraint.processor(types, longest, [asked.room for _, asked in batch])
        written = self._writer.write(
            [asked for _, asked in batch], bias=self.usage.item_bias or 0.0, constraint=constraint
        )
        return [
            self._answer(pending, len(asked.ids), of_row)
            for (pending, asked), of_row in zip(batch, written, strict=True)
        ]

    @property
    def _writer(self) -> Writer:
        return Writer(self.model, self._ends, pad_token_id(self.tokenizer), self._choice, self._heed)

    def _answer(self, pending: PendingWindow, prompt_tokens: int, found: Written) -> RawAnswer:
        end = next((place for place, token in enumerate(found.ids) if token in self._ends), None)
        written = found.ids[:end]
        raw = self._decode(written)
        mended = mend_special(self.tokenizer, raw)
        # of an answer that spelled a special token the places no longer hold
        known = bool(found.logprobs) and mended == raw
        items = item_probabilities(raw, written, found.logprobs, self._decode) if known else None
        return RawAnswer(
            pending,
            mended,
            len(written),
            prompt_tokens,
            stopped_by_length=end is None,
            items=items,
            leaning=found.leaning,
        )

    def _decode(self, ids: Sequence[int]) -> str:
        text: str = self.tokenizer.decode(ids, skip_special_tokens=False, clean_up_tokenization_spaces=False)
        return text
