"""The Extract Agent at work: windows of an article through the model, answers merged."""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from ctiforge.extract.answers import ParsedAnswer, parse_answer
from ctiforge.extract.examples import WindowSizes
from ctiforge.extract.extraction import Extraction, Source, WindowAnswer
from ctiforge.extract.merging import merge_windows
from ctiforge.extract.prepared import Usage, usage_of_model
from ctiforge.extract.prompts import load_prompt
from ctiforge.extract.rendering import Format, render_prompt
from ctiforge.observables import TYPES, Observable
from ctiforge.training.encoding import count_tokens, encode_prompt, end_token_id, load_tokenizer, pad_token_id
from ctiforge.training.models import compute_dtype, load_causal_lm, pick_device
from ctiforge.training.windows import Window, cut_windows, split_pieces

# How a model is asked that was not trained here.
_PLAIN_SIZES = WindowSizes(max_length=2048, window_tokens=900, overlap_tokens=200)
_PLAIN_TYPES = tuple(name for name in TYPES if name != "network_indicators")
# Articles whose windows are generated together; more fill batches better and take more memory.
_ARTICLES_TOGETHER = 32
_LEAST_ANSWER_TOKENS = 16
# How often a window whose answer has no room is halved.
_HALVINGS = 3


@dataclass(frozen=True)
class _Job:
    """One window waiting for its answer."""

    article: int
    window: Window
    types: tuple[str, ...]
    prompt_ids: list[int]


@dataclass(frozen=True)
class _Answer:
    """What the model wrote for one window."""

    job: _Job
    raw: str
    tokens: int
    stopped_by_length: bool
    error: str | None = None


class ExtractAgent:
    """A causal language model with the tokenizer, prompt and window sizes it was trained with."""

    def __init__(
        self, model: Any, tokenizer: Any, usage: Usage, name: str, batch_size: int = 32, *, halves: bool = True
    ) -> None:
        self.model = model
        self.tokenizer = tokenizer
        self.usage = usage
        self.name = name
        self.batch_size = batch_size
        self.halves = halves
        self._prompt = load_prompt(usage.prompt_version)
        self._end = end_token_id(tokenizer)

    @classmethod
    def load(
        cls,
        model: str,
        *,
        usage: Usage | None = None,
        device: str = "auto",
        batch_size: int = 32,
        name: str | None = None,
    ) -> "ExtractAgent":
        """The model of a folder (full weights or adapter) or a hub name.

        A model trained here knows how it is to be asked; another is asked as `usage` says, or with
        the full prompt and windows of 900 tokens. Raises UsageError where it cannot be loaded.
        """
        target = pick_device(device)
        tokenizer = load_tokenizer(model)
        loaded = load_causal_lm(model, target, compute_dtype(target)).eval()
        trained_here = usage_of_model(Path(model))
        known = trained_here or usage or _plain_usage(tokenizer)
        # A model that was not trained here has not learnt to end: its answers would only be asked for again.
        return cls(loaded, tokenizer, known, name or model, batch_size, halves=trained_here is not None)

    def extract(self, text: str, types: Sequence[str] | None = None, *, source_url: str | None = None) -> Extraction:
        """Find the observables of `types` (default: those the model was trained for) in one text."""
        return next(self.extract_many([Source(text, tuple(types) if types else None, source_url)]))

    def extract_many(self, sources: Sequence[Source]) -> Iterator[Extraction]:
        """The same for many texts, in order; their windows share batches."""
        for start in range(0, len(sources), _ARTICLES_TOGETHER):
            yield from self._extract_together(sources[start : start + _ARTICLES_TOGETHER])

    def _extract_together(self, sources: Sequence[Source]) -> list[Extraction]:
        started = time.monotonic()
        jobs = [job for index, source in enumerate(sources) for job in self._jobs(index, source)]
        halved: Counter[int] = Counter()
        answers: list[list[_Answer]] = [[] for _ in sources]
        for answer in sorted(self._answers(sources, jobs, halved), key=lambda each: each.job.window):
            answers[answer.job.article].append(answer)
        seconds = time.monotonic() - started
        total_windows = max(sum(map(len, answers)), 1)
        return [
            self._extraction(source, found, seconds * len(found) / total_windows, halved[index])
            for index, (source, found) in enumerate(zip(sources, answers, strict=True))
        ]

    def _jobs(self, index: int, source: Source) -> list[_Job]:
        types = source.types or self.usage.types
        sizes = self.usage.sizes
        pieces = split_pieces(source.text, partial(count_tokens, self.tokenizer))
        windows = cut_windows(pieces, window_tokens=sizes.window_tokens, overlap_tokens=sizes.overlap_tokens)
        return [_Job(index, window, types, self._prompt_ids(source.text, window, types)) for window in windows]

    def _answers(
        self, sources: Sequence[Source], jobs: Sequence[_Job], halved: Counter[int], rounds: int = _HALVINGS
    ) -> list[_Answer]:
        """An answer for every window, or for the parts of one whose answer had no room; `halved` counts by article."""
        settled: list[_Answer] = []
        again: list[_Job] = []
        for answer in self._generate(jobs):
            halves = self._half_jobs(sources, answer) if answer.stopped_by_length and rounds else []
            again += halves
            halved[answer.job.article] += bool(halves)
            if not halves:
                settled.append(answer)
        return settled + (self._answers(sources, again, halved, rounds - 1) if again else [])

    def _half_jobs(self, sources: Sequence[Source], answer: _Answer) -> list[_Job]:
        """Two overlapping halves of a window whose answer had no room, as training halves such a window."""
        job, source = answer.job, sources[answer.job.article]
        pieces = split_pieces(source.text[job.window.start : job.window.end], partial(count_tokens, self.tokenizer))
        if not self.halves or pieces.total_tokens < _LEAST_ANSWER_TOKENS:
            return []
        overlap = min(self.usage.sizes.overlap_tokens, pieces.total_tokens // 2)
        halves = cut_windows(pieces, window_tokens=(pieces.total_tokens + overlap) // 2 + 1, overlap_tokens=overlap)
        moved = [Window(job.window.start + half.start, job.window.start + half.end) for half in halves]
        return [
            _Job(job.article, half, job.types, self._prompt_ids(source.text, half, job.types))
            for half in moved
            if half != job.window
        ]

    def _prompt_ids(self, text: str, window: Window, types: Sequence[str]) -> list[int]:
        shown = text[window.start : window.end]
        rendered = render_prompt(self.usage.text_format, self._prompt, types, shown, self.tokenizer)
        return encode_prompt(self.tokenizer, rendered)

    def _generate(self, jobs: Sequence[_Job]) -> Iterator[_Answer]:
        """Answers in order of the jobs; windows of like lengths share a batch."""
        order = sorted(range(len(jobs)), key=lambda i: len(jobs[i].prompt_ids))
        answers: dict[int, _Answer] = {}
        for start in range(0, len(order), self.batch_size):
            batch = order[start : start + self.batch_size]
            answers.update(zip(batch, self._generate_batch([jobs[i] for i in batch]), strict=True))
        yield from (answers[i] for i in range(len(jobs)))

    def _generate_batch(self, jobs: Sequence[_Job]) -> list[_Answer]:
        try:
            return self._generate_greedily(jobs)
        except RuntimeError as error:
            if len(jobs) > 1:
                half = len(jobs) // 2
                return self._generate_batch(jobs[:half]) + self._generate_batch(jobs[half:])
            # One bad window costs that window, not the article.
            return [_Answer(jobs[0], "", 0, False, str(error).splitlines()[0])]

    def _generate_greedily(self, jobs: Sequence[_Job]) -> list[_Answer]:
        import torch

        longest = max(len(job.prompt_ids) for job in jobs)
        pad = pad_token_id(self.tokenizer)
        ids = torch.tensor([[pad] * (longest - len(job.prompt_ids)) + job.prompt_ids for job in jobs])
        mask = torch.tensor([[0] * (longest - len(job.prompt_ids)) + [1] * len(job.prompt_ids) for job in jobs])
        room = max(_LEAST_ANSWER_TOKENS, self.usage.sizes.max_length - longest)
        with torch.inference_mode():
            output = self.model.generate(
                input_ids=ids.to(self.model.device),
                attention_mask=mask.to(self.model.device),
                max_new_tokens=room,
                do_sample=False,
                eos_token_id=self._end,
                pad_token_id=pad,
            )
        return [self._answer(job, row) for job, row in zip(jobs, output[:, longest:].tolist(), strict=True)]

    def _answer(self, job: _Job, ids: list[int]) -> _Answer:
        ended = self._end in ids
        written = ids[: ids.index(self._end)] if ended else ids
        raw = self.tokenizer.decode(written, skip_special_tokens=False, clean_up_tokenization_spaces=False)
        return _Answer(job, raw, len(written), stopped_by_length=not ended)

    def _extraction(self, source: Source, answers: Sequence[_Answer], seconds: float, halved: int) -> Extraction:
        parsed = [parse_answer(answer.raw, answer.job.types) for answer in answers]
        found: list[tuple[Window, Sequence[Observable]]] = [
            (answer.job.window, each.observables) for answer, each in zip(answers, parsed, strict=True)
        ]
        return Extraction(
            observables=merge_windows(source.text, found),
            windows=tuple(_window_answer(answer, each) for answer, each in zip(answers, parsed, strict=True)),
            seconds=seconds,
            source_url=source.source_url,
            requested_types=tuple(source.types or self.usage.types),
            halved=halved,
        )


def _window_answer(answer: _Answer, parsed: ParsedAnswer) -> WindowAnswer:
    return WindowAnswer(
        start=answer.job.window.start,
        end=answer.job.window.end,
        raw=answer.raw,
        json_parsed=parsed.json_parsed,
        schema_valid=parsed.schema_valid,
        stopped_by_length=answer.stopped_by_length,
        duplicates=parsed.duplicates,
        prompt_tokens=len(answer.job.prompt_ids),
        answer_tokens=answer.tokens,
        error=answer.error,
    )


def _plain_usage(tokenizer: Any) -> Usage:
    text_format: Format = "messages" if tokenizer.chat_template else "simple"
    return Usage(text_format, "full-v1", _PLAIN_TYPES, _PLAIN_SIZES)
