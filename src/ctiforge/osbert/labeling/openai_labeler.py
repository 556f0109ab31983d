"""Labels from a language model behind any OpenAI-compatible endpoint.

Several articles are asked about at once; answers come back in the order of the articles. A usable
answer is kept in a store as soon as it arrives, under what was asked, so that no article is paid
twice, also when a run is killed.
"""

import asyncio
import hashlib
import json
import re
import threading
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any
from weakref import WeakValueDictionary

import openai

from ctiforge.endpoints import RETRIES, UNREACHED, check_address, meaning_of, names_quota, own_words, unreached_words
from ctiforge.errors import CannotGoOnError, CtiforgeError
from ctiforge.osbert.labeling import prompt
from ctiforge.osbert.labeling.flags import flags_of
from ctiforge.osbert.labeling.prompt import LabelAnswer
from ctiforge.osbert.opinions import Opinion, Unlabeled
from ctiforge.settings import read_api_key
from ctiforge.store.objects import ObjectStore

LOOK_AHEAD = 4
"""Articles under way or done early, for each that may be asked about at once."""
LAST_ANSWERS_S = 20.0
"""How long a run that ends early waits for the answers that are under way: they are paid."""


@dataclass
class Usage:
    """What a labeler has done so far; prices are per million tokens."""

    price_in: float | None = None
    price_out: float | None = None
    labeled: int = 0
    asked: int = 0
    """Articles that the endpoint was asked about, whatever came of it."""
    cached: int = 0
    """Articles whose answer was kept from before."""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    dropped_quotes: int = 0
    """Quotes that do not stand in their article."""

    @property
    def cost(self) -> float | None:
        """Compute the cost of the tokens so far, in the currency of the prices; None where no price was given."""
        if self.price_in is None and self.price_out is None:
            return None
        tokens = self.prompt_tokens * (self.price_in or 0) + self.completion_tokens * (self.price_out or 0)
        return tokens / 1_000_000

    def __str__(self) -> str:
        cost = "" if self.cost is None else f", cost {self.cost:.4f}"
        return (
            f"{self.labeled} articles labeled, {self.asked} asked about, {self.cached} kept from before, "
            f"{self.prompt_tokens:,} + {self.completion_tokens:,} tokens{cost}, {self.dropped_quotes} quotes not found"
        )


class OpenAiLabeler:
    """A labeler that asks `model` at `endpoint` (None: OpenAI's own); the key is in OPENAI_API_KEY.

    `answers` keeps usable answers by content. Raises UsageError for an address that is none, and where
    OpenAI's own endpoint would be asked without a key.
    """

    def __init__(
        self,
        endpoint: str | None,
        model: str,
        answers: ObjectStore,
        *,
        concurrency: int = 8,
        timeout_s: float = 60.0,
        price_in: float | None = None,
        price_out: float | None = None,
    ) -> None:
        if endpoint is not None:
            check_address(endpoint)
        self.endpoint = endpoint
        self.key = read_api_key(needed=endpoint is None)
        self.model = model
        self.answers = answers
        self.concurrency = concurrency
        self.timeout_s = timeout_s
        self.usage = Usage(price_in, price_out)

    @property
    def name(self) -> str:
        """Name it `openai:<model>`."""
        return f"openai:{self.model}"

    def label(self, articles: Iterable[Unlabeled]) -> Generator[tuple[Unlabeled, Opinion]]:
        """Label each article, in the order given; close the iterator to end early.

        Nothing more is asked once the endpoint refuses the key or the model (UsageError), says that its limit
        is over, or cannot be reached (CannotGoOnError): the error says how far the work has come.
        """
        asking = _Asking(self)
        with _event_loop() as loop:
            try:
                yield from _in_order(articles, asking, loop, LOOK_AHEAD * self.concurrency)
            except _StoppedError as stopped:
                raise stopped.explained(self.endpoint or "OpenAI", self.usage) from None
            finally:
                asyncio.run_coroutine_threadsafe(asking.close(), loop).result()


class _ProblemError(Exception):
    """Why an article has no label."""


class _StoppedError(openai.OpenAIError):
    """Nothing more is to be asked; the library passes its own kind of error on without a retry."""

    def __init__(self, why: str, kind: type[CtiforgeError] = CannotGoOnError) -> None:
        super().__init__(why)
        self.why = why
        self.kind = kind

    def explained(self, endpoint: str, usage: Usage) -> CtiforgeError:
        return self.kind(
            f"{endpoint}: {self.why}\n{usage.labeled} articles are labeled ({usage.cached} from answers kept "
            "before); their answers are kept, and the same command goes on from there"
        )


class _Asking:
    """The requests of one run, in one event loop."""

    def __init__(self, labeler: OpenAiLabeler) -> None:
        self._model = labeler.model
        self._answers = labeler.answers
        self._usage = labeler.usage
        self._key = labeler.key
        self._timeout_s = labeler.timeout_s
        self._room = asyncio.Semaphore(labeler.concurrency)
        self._twins: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._structured = True
        self._unreached = 0
        self.stopped: _StoppedError | None = None
        self._client = openai.AsyncOpenAI(
            api_key=labeler.key,
            base_url=labeler.endpoint,
            timeout=labeler.timeout_s,
            max_retries=RETRIES,
            # the library retries on its own: these see every request and every answer
            http_client=openai.DefaultAsyncHttpxClient(
                event_hooks={"request": [self._before_request], "response": [self._after_response]}
            ),
        )

    async def close(self) -> None:
        await self._client.close()

    async def opinion(self, article: Unlabeled) -> Opinion:
        """Ask what the model says about the article. Raises _StoppedError when nothing more is to be asked."""
        flags = flags_of(f"{article.title}\n{article.content}")
        if not article.content.strip():
            return Opinion("Unknown", flags=flags)
        try:
            answer = await self._answer(article)
        except _ProblemError as problem:
            return Opinion(None, flags=flags, problem=str(problem))
        evidence, missing = prompt.locate_quotes(article.content, answer.quotes)
        self._usage.labeled += 1
        self._usage.dropped_quotes += missing
        return Opinion(answer.label, evidence, flags)

    async def _answer(self, article: Unlabeled) -> LabelAnswer:
        """Find the answer kept from before, or a new one, which is kept at once."""
        texts = await asyncio.to_thread(prompt.write_prompt, article.title, article.content)
        key = _answer_key(self._model, texts)
        # copies of one article wait here for one answer
        lock = self._twins.setdefault(key, asyncio.Lock())
        async with lock:
            kept = await asyncio.to_thread(_read_kept, self._answers, key)
            if kept:
                self._usage.cached += 1
                return kept
            async with self._room:
                if self.stopped:
                    raise self.stopped
                self._usage.asked += 1
                text = await self._ask(*texts)
            try:
                answer = prompt.read_answer(text)
            except ValueError as error:
                raise _ProblemError(str(error)) from None
            await asyncio.to_thread(self._answers.write, key, answer.to_json())
            return answer

    async def _ask(self, system: str, user: str) -> str:
        """Get the answer's text. Raises _ProblemError where there is none, _StoppedError to end it all."""
        try:
            completion = await self._complete(system, user)
        except openai.APIStatusError as error:
            meaning = meaning_of(error.status_code, own_words(error, self._key), model=self._model)
            if meaning.ends:
                raise self._stop(meaning.words, meaning.ends) from None
            if meaning.may_pass:
                raise self._missed(meaning.words) from None
            raise _ProblemError(f"the endpoint refuses the article: {meaning.words}") from None
        except (openai.APITimeoutError, TimeoutError):
            raise self._missed("it did not answer in time") from None
        except openai.APIConnectionError as error:
            raise self._missed(f"no connection: {error.__cause__ or error}") from None
        except _StoppedError:
            raise
        except (openai.OpenAIError, ValueError) as error:
            raise _ProblemError(f"the answer is no chat completion: {own_words(error, self._key)}") from None
        self._unreached = 0
        return self._text_of(completion)

    async def _complete(self, system: str, user: str) -> Any:
        messages: list[Any] = [{"role": "system", "content": system}, {"role": "user", "content": user}]
        create = self._client.chat.completions.create
        if self._structured:
            schema: Any = {"name": "os_label", "strict": True, "schema": prompt.SCHEMA}
            with suppress(openai.BadRequestError, openai.UnprocessableEntityError):
                return await create(
                    model=self._model,
                    messages=messages,
                    temperature=0,
                    response_format={"type": "json_schema", "json_schema": schema},
                )
        completion = await create(model=self._model, messages=messages)
        # what it refused was not the article: it is not asked that way again
        self._structured = False
        return completion

    def _text_of(self, completion: Any) -> str:
        """Take the text and count its tokens. Raises _ProblemError where the model gave none or not all of it."""
        usage = getattr(completion, "usage", None)
        self._usage.prompt_tokens += getattr(usage, "prompt_tokens", None) or 0
        self._usage.completion_tokens += getattr(usage, "completion_tokens", None) or 0
        choices = getattr(completion, "choices", None)
        if not choices or not getattr(choices[0], "message", None):
            raise _ProblemError("the answer is no chat completion")
        choice = choices[0]
        if getattr(choice.message, "refusal", None) or choice.finish_reason == "content_filter":
            raise _ProblemError("the model refuses to answer")
        if choice.finish_reason == "length":
            raise _ProblemError("the answer is cut off (length)")
        if not isinstance(choice.message.content, str) or not choice.message.content.strip():
            raise _ProblemError("the answer is empty")
        return choice.message.content

    async def _before_request(self, _request: Any) -> None:
        if self.stopped:
            raise self.stopped

    async def _after_response(self, response: Any) -> None:
        # the library's time limit is for each piece: an answer that trickles in would never end
        async with asyncio.timeout(self._timeout_s):
            body = await response.aread()
        if names_quota(response.status_code, body):
            raise self._stop(meaning_of(429, "", model=self._model, is_quota_over=True).words)

    def _missed(self, why: str) -> Exception:
        """Note that the endpoint was not reached for one article more."""
        self._unreached += 1
        if self._unreached >= UNREACHED:
            return self._stop(unreached_words(why))
        return _ProblemError(f"the endpoint cannot be reached: {why}")

    def _stop(self, why: str, kind: type[CtiforgeError] = CannotGoOnError) -> _StoppedError:
        self.stopped = self.stopped or _StoppedError(why, kind)
        return self.stopped


def _in_order(
    articles: Iterable[Unlabeled], asking: _Asking, loop: asyncio.AbstractEventLoop, most: int
) -> Iterator[tuple[Unlabeled, Opinion]]:
    """Yield opinions in the order of the articles, of which no more than `most` are held."""
    pending: deque[tuple[Unlabeled, Future[Opinion]]] = deque()
    try:
        for article in articles:
            pending.append((article, asyncio.run_coroutine_threadsafe(asking.opinion(article), loop)))
            if len(pending) >= most:
                first, future = pending.popleft()
                yield first, future.result()
        while pending:
            first, future = pending.popleft()
            yield first, future.result()
    finally:
        asking.stopped = asking.stopped or _StoppedError("ended early")
        wait([future for _, future in pending], LAST_ANSWERS_S)


@contextmanager
def _event_loop() -> Iterator[asyncio.AbstractEventLoop]:
    """Run an event loop in a thread of its own, so that requests go on while the caller is at work."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="labeler", daemon=True)
    thread.start()
    try:
        yield loop
    finally:
        asyncio.run_coroutine_threadsafe(_cancel_all(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _cancel_all() -> None:
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await asyncio.get_running_loop().shutdown_default_executor()


def _answer_key(model: str, texts: tuple[str, str]) -> str:
    asked = json.dumps([prompt.VERSION, model, *texts, prompt.SCHEMA])
    slug = re.sub(r"[^a-z0-9._-]+", "-", model.lower()).strip("-.") or "model"
    return f"labels/{slug}/{hashlib.sha256(asked.encode()).hexdigest()}.json"


def _read_kept(answers: ObjectStore, key: str) -> LabelAnswer | None:
    """Read the answer kept under the key; None where there is none, or one that cannot be read."""
    try:
        return prompt.read_answer(answers.read(key).decode("utf-8", "replace"))
    except (FileNotFoundError, ValueError):
        return None
