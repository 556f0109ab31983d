"""Served models as extractors: asked window by window as one trained here, or as the application asks them."""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from ctiforge.data.generations import read_result
from ctiforge.errors import UsageError
from ctiforge.extract.answering.certainty import item_probabilities
from ctiforge.extract.answering.endpoint import Client, Completion, RefusedError
from ctiforge.extract.answering.examples_shown import ShownExamples
from ctiforge.extract.answering.extraction import Extraction, Source, Tell, WindowAnswer, WindowSpan
from ctiforge.extract.answering.served_choice import ServedChoice
from ctiforge.extract.answering.windowed import LEAST_ANSWER_TOKENS, PendingWindow, RawAnswer, WindowedExtractor
from ctiforge.extract.prompts.answers import answer_schema
from ctiforge.extract.prompts.rendering import conversation, render_answer, render_prompt
from ctiforge.records.answer import ItemProbability
from ctiforge.records.model_note import AgentUsage
from ctiforge.records.observable import Observable
from ctiforge.training.encoding import count_tokens, encode_prompt
from ctiforge.training.special_tokens import break_special, mend_special

Asked = TypeVar("Asked")
Got = TypeVar("Got")
BYTES_PER_TOKEN = 3
"""How long a token is taken to be where no tokenizer says: rather too short, so that nothing is cut off."""
PLACE = "{content}"
"""Where an application's prompt has the article; `{url}` is replaced too."""


class EndpointAgent(WindowedExtractor):
    """A served model, asked window by window as `usage` says: exactly as one on this machine.

    `tokenizer` is that of the model, where it is known: it counts tokens and, for a format that is not
    `messages`, renders the prompt; without one tokens are estimated. `constrained` asks the endpoint to
    enforce the answer's schema, `logprobs` asks how likely each token was.
    """

    def __init__(
        self,
        client: Client,
        usage: AgentUsage,
        name: str,
        *,
        tokenizer: Any = None,
        halves: bool = True,
        constrained: bool = False,
        logprobs: bool = False,
        shown: ShownExamples | None = None,
    ) -> None:
        count = partial(count_tokens, tokenizer) if tokenizer else _estimate_tokens
        super().__init__(usage, name, count, halves=halves, shown=shown)
        self._client = client
        self._tokenizer = tokenizer
        self._constrained = constrained
        self._logprobs = logprobs
        self._choice = ServedChoice.of(tokenizer) if logprobs else None

    def generate(self, waiting: Sequence[PendingWindow]) -> Iterator[RawAnswer]:
        """Answer every window, in order, `concurrency` requests at a time."""
        yield from _several_at_a_time(self._answer, waiting, self._client.endpoint.concurrency)

    def _answer(self, pending: PendingWindow) -> RawAnswer:
        try:
            found = self._ask(pending)
        except RefusedError as error:
            return RawAnswer(pending, "", 0, 0, False, str(error))
        leaning = self._choice.leaning(found) if self._choice else None
        found = self._with_threshold(pending, found, leaning)
        return RawAnswer(
            pending,
            mend_special(self._tokenizer, found.text) if self._tokenizer else found.text,
            found.answer_tokens,
            found.prompt_tokens,
            found.stopped_by_length,
            items=_items(found),
            leaning=leaning,
        )

    def _with_threshold(self, pending: PendingWindow, found: Completion, leaning: float | None) -> Completion:
        """Take the answer on the threshold's side: as it is, an empty one, or one that must have an item."""
        bias = self.usage.item_bias
        if bias is None or leaning is None or (leaning > 0) == (leaning + bias > 0):
            return found
        if leaning > 0:
            return replace(found, text=render_answer(()), tokens=(), alternatives=(), stopped_by_length=False)
        try:
            return self._ask(pending, least=1)
        except RefusedError:
            # an endpoint that holds no answer to a schema: its own stands
            return found

    def _ask(self, pending: PendingWindow, least: int = 0) -> Completion:
        shown = break_special(self._tokenizer, pending.text) if self._tokenizer else pending.text
        user = self.prompt.user(pending.types, shown)
        if self.usage.text_format != "messages":
            text = render_prompt(self.usage.text_format, self.prompt, pending.types, pending.text, self._tokenizer)
            return self._client.complete(text, self._room(text))
        schema = answer_schema(pending.types, least=least) if self._constrained or least else None
        turns = conversation(self.prompt.system, user, self.solved(pending))
        fixed = self.usage.template.arguments if self.usage.template else {}
        room = self._room_of(pending)
        return self._client.chat(turns, room, schema, logprobs=self._logprobs, template_args=fixed)

    def _room_of(self, pending: PendingWindow) -> int:
        if self._tokenizer and self._tokenizer.chat_template:
            return self._room(render_prompt("messages", self.prompt, pending.types, pending.text, self._tokenizer))
        return self._room(f"{self.prompt.system}{self.prompt.user(pending.types, pending.text)}")

    def _room(self, prompt: str) -> int:
        tokens = len(encode_prompt(self._tokenizer, prompt)) if self._tokenizer else _estimate_tokens([prompt])[0]
        return max(LEAST_ANSWER_TOKENS, self.usage.sizes.max_length - tokens)


@dataclass(frozen=True)
class ServedPrompt:
    """The application's own prompt."""

    system: str
    user: str

    def messages(self, source: Source) -> list[dict[str, str]]:
        """Write the conversation about one article; where the prompt has no place for it, it comes last."""
        user = self.user if PLACE in self.system + self.user else f"{self.user.rstrip()}\n\n{PLACE}"
        turns = [("system", self.system), ("user", user)]
        return [{"role": role, "content": _filled(text, source)} for role, text in turns if text]


class ServedAsIs:
    """What runs today: whole articles to a served model with the application's own prompt, no windows, no repair."""

    def __init__(self, client: Client, prompt: ServedPrompt, name: str) -> None:
        self.name = name
        self._client = client
        self._prompt = prompt

    def extract(self, text: str, types: Sequence[str] | None = None, *, source_url: str | None = None) -> Extraction:
        """Ask about one text; `types` is not the application's to ask for."""
        return next(self.extract_many([Source(text, tuple(types) if types else None, source_url)]))

    def extract_many(self, sources: Sequence[Source], tell: Tell | None = None) -> Iterator[Extraction]:
        """Extract from many texts, in order, `concurrency` at a time."""
        for extraction in _several_at_a_time(self._extract, sources, self._client.endpoint.concurrency):
            yield extraction
            if tell:
                tell()

    def plan(self, source: Source) -> list[WindowSpan]:
        """Plan to ask about a text whole, as the application does."""
        return [(0, len(source.text))]

    def _extract(self, source: Source) -> Extraction:
        started = time.monotonic()
        try:
            found = self._client.chat(self._prompt.messages(source), None, None)
        except RefusedError as error:
            return _whole(source, Completion("", False, 0, 0), str(error), time.monotonic() - started)
        return _whole(source, found, None, time.monotonic() - started)


def read_prompt(path: Path) -> ServedPrompt:
    """Read the prompt of a file: JSON with `system` and `user`, or a text, which is the user's turn.

    Raises UsageError for JSON without a `user`.
    """
    text = path.read_text(encoding="utf-8", errors="replace")
    if not text.strip():
        raise UsageError(f"{path} is empty: give the application's prompt, with {PLACE} where the article goes")
    if path.suffix != ".json":
        return ServedPrompt("", text)
    try:
        raw = json.loads(text)
        return ServedPrompt(str(raw.get("system") or ""), str(raw["user"]))
    except (ValueError, KeyError, AttributeError):
        raise UsageError(f"{path} is no prompt: give JSON with system and user, or a text with {PLACE}") from None


def _several_at_a_time(ask: Callable[[Asked], Got], of: Sequence[Asked], at_once: int) -> Iterator[Got]:
    """Ask about each, some at once; yields what is got, in order."""
    pool = ThreadPoolExecutor(at_once)
    try:
        yield from pool.map(ask, of)
    finally:
        # what was not begun when one request or a signal ended everything is not begun, nor is the rest waited for
        pool.shutdown(wait=False, cancel_futures=True)


def _items(found: Completion) -> tuple[ItemProbability, ...] | None:
    """Tell how likely each item is; None where the endpoint's tokens are not those of its text."""
    texts = [text for text, _ in found.tokens]
    if not texts or "".join(texts) != found.text:
        return None
    counts = range(len(texts))
    return item_probabilities(
        found.text, counts, [each for _, each in found.tokens], lambda part: "".join(texts[: len(part)])
    )


def _whole(source: Source, found: Completion, error: str | None, seconds: float) -> Extraction:
    observables, parsed, valid = _read_answer(found.text)
    window = WindowAnswer(
        start=0,
        end=len(source.text),
        raw=found.text,
        json_parsed=parsed,
        schema_valid=valid,
        stopped_by_length=found.stopped_by_length,
        duplicates=0,
        prompt_tokens=found.prompt_tokens,
        answer_tokens=found.answer_tokens,
        error=error,
    )
    return Extraction(observables, (window,), seconds, source.source_url, source.types or ())


def _read_answer(raw: str) -> tuple[tuple[Observable, ...], bool, bool]:
    """Read an answer in any of the application's shapes: its items, whether it is raw JSON, whether it is read."""
    try:
        whole, parsed = json.loads(raw), True
    except (ValueError, RecursionError):
        whole, parsed = _inner_json(raw), False
    outcome = read_result(whole)
    if outcome.generation is None and isinstance(whole, dict):
        # one list a type, as the application's agents for single types answer
        outcome = read_result({"observables": {name: each for name, each in whole.items() if isinstance(each, list)}})
    return outcome.observables, parsed, parsed and outcome.generation is not None and not outcome.set_aside


def _inner_json(raw: str) -> Any:
    """Parse what lies between the first and the last brace, as the application finds it in prose and code fences."""
    try:
        return json.loads(raw[raw.index("{") : raw.rindex("}") + 1])
    except (ValueError, RecursionError):
        return None


def _filled(text: str, source: Source) -> str:
    # the article last: its braces are its own
    return text.replace("{url}", source.source_url or "").replace(PLACE, source.text)


def _estimate_tokens(texts: Sequence[str]) -> list[int]:
    return [-(-len(text.encode("utf-8", "replace")) // BYTES_PER_TOKEN) for text in texts]
