"""One request for a completion: told whose it is, answered from the article's extraction, or passed on."""

import asyncio
import time
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from typing import Any

from fastapi.responses import JSONResponse, Response
from starlette.concurrency import run_in_threadpool

from ctiforge.errors import CtiforgeError
from ctiforge.extract.answering.extraction import Extraction
from ctiforge.extract.harvest.choosing import SERVED
from ctiforge.records.profile import Profile
from ctiforge.serving.agents import why_unanswered
from ctiforge.serving.answering import agent_answer
from ctiforge.serving.engine import Engine, QueueFullError
from ctiforge.serving.metrics import Metrics
from ctiforge.serving.openai_shapes import DONE, KEEP_ALIVE, RefusalError, Sent, Spent, Turn, event
from ctiforge.serving.recognizing import Asked, MisshapenError, recognize
from ctiforge.serving.rollout import Rollout
from ctiforge.serving.streaming import EventStream, never_silent
from ctiforge.serving.upstream import Upstream, wants_usage
from ctiforge.training.faults import first_line

PROBE_TOKENS = 10
"""A request for so few tokens only tries whether somebody is there, and how much it takes."""
_AGAIN_SECONDS = 10


@dataclass(frozen=True)
class ChatOptions:
    """How requests are answered."""

    aliases: tuple[str, ...] = (SERVED,)
    """Names by which clients may call the model, besides its own id."""
    seconds: float = 170.0
    """How long a request may take; the application waits 180."""
    keep_alive: float = 10.0
    """Seconds of silence after which a stream says that the model is at work."""


class Chat:
    """Answers requests for completions."""

    def __init__(
        self, profile: Profile, rollout: Rollout, metrics: Metrics, upstream: Upstream | None, options: ChatOptions
    ) -> None:
        self._profile = profile
        self._rollout = rollout
        self._metrics = metrics
        self._upstream = upstream
        self._options = options
        self._late: set[asyncio.Task[Turn]] = set()

    def is_ours(self, name: Any) -> bool:
        """Tell whether a request names our model, in any of its versions, or none at all."""
        return not name or name in self._options.aliases or str(name).startswith(f"{SERVED}/")

    async def answer(self, sent: Sent) -> Response:
        """Answer a request. Raises RefusalError."""
        started = time.monotonic()
        try:
            agent, response = await self._answer(sent, started)
        except _AgentError as error:
            self._note(error.agent, _outcome(error.refusal), started)
            raise error.refusal from None
        except BaseException as error:
            self._note("none", _outcome(error) if isinstance(error, RefusalError) else "failed", started)
            raise
        if isinstance(response, EventStream):
            response.at_end(lambda: self._note(agent, _outcome_of(response), started))
        else:
            self._note(agent, "answered", started)
        return response

    def _note(self, agent: str, outcome: str, started: float) -> None:
        self._metrics.count("requests_total", agent=agent, outcome=outcome)
        self._metrics.took(agent, time.monotonic() - started)

    async def _answer(self, sent: Sent, started: float) -> tuple[str, Response]:
        ours = self.is_ours(sent.get("model"))
        if _is_probe(sent) and (ours or not self._upstream):
            return "probe", self._whole(sent, Turn("ok", str(sent.get("model") or self._options.aliases[0])))
        try:
            asked = await run_in_threadpool(recognize, self._profile, sent["messages"])
        except MisshapenError as error:
            raise RefusalError(400, str(error), "no_article") from None
        if asked is None:
            why = f"the request has the shape of no agent of the profile {self._profile.name}"
            return "upstream", await self._pass_on(sent, ours, why, "not_recognized")
        engine = self._rollout.hold()
        if engine is None:
            why = f"no model answers now: {self._rollout.not_ready}"
            raise _AgentError(asked.agent, RefusalError(503, why, "not_ready", retry_after=_AGAIN_SECONDS))
        missing = why_unanswered(self._profile, asked.agent, engine.loaded.types, engine.loaded.why_not)
        if missing:
            engine.release()
            why = f"{engine.loaded.id} does not answer {asked.agent}: {missing}"
            return "upstream", await self._pass_on(sent, ours, why, "agent_not_answered")
        if _choices(sent) > 1:
            engine.release()
            words = f"n is {_choices(sent)}: the model has one answer for an article; ask for one"
            raise _AgentError(asked.agent, RefusalError(400, words, "one_choice"))
        try:
            return asked.agent, await self._from_model(sent, asked, engine, started)
        except RefusalError as error:
            raise _AgentError(asked.agent, error) from None

    async def _pass_on(self, sent: Sent, ours: bool, why: str, code: str) -> Response:
        if self._upstream is None:
            raise RefusalError(400, f"{why}, and there is no upstream: name one with --upstream", code)
        try:
            if not sent.get("stream"):
                return JSONResponse(await self._upstream.chat(sent, is_ours=ours))
            events = await self._upstream.stream(sent, is_ours=ours)
        except RefusalError as error:
            raise _AgentError("upstream", error) from None
        return EventStream(never_silent(events, self._options.keep_alive))

    async def _from_model(self, sent: Sent, asked: Asked, engine: Engine, started: float) -> Response:
        turn = Turn("", engine.loaded.id)
        task = asyncio.create_task(self._turn(asked, engine, turn, started))
        # it goes on when the client is gone: asked again, the article is known
        self._late.add(task)
        task.add_done_callback(self._forget)
        await asyncio.wait({task}, timeout=self._options.keep_alive if sent.get("stream") else None)
        if task.done():
            return self._whole(sent, task.result())
        return EventStream(self._when_done(task, turn, wants_usage(sent)))

    async def _turn(self, asked: Asked, engine: Engine, turn: Turn, started: float) -> Turn:
        """Wait for the article's extraction, and write the agent's answer from it."""
        try:
            future, known = await run_in_threadpool(engine.read, asked.text, asked.url)
            wrapped = asyncio.wrap_future(future)
            left = started + self._options.seconds - time.monotonic()
            # waited for, not cancelled: others may wait for it, too
            await asyncio.wait({wrapped}, timeout=max(0.0, left))
            if not wrapped.done():
                wrapped.add_done_callback(lambda done: done.cancelled() or done.exception())
                words = f"the article was not read in {self._options.seconds:g} s: ask again, it is still being read"
                raise RefusalError(504, words, "timeout")
            try:
                extraction = wrapped.result()
            except CtiforgeError as error:
                raise RefusalError(_status(engine), f"the model does not answer: {error}", "model_failed") from None
            except Exception as error:
                words = f"the article could not be read: {first_line(error)}"
                raise RefusalError(500, words, "model_failed") from None
            check_answers(extraction, _status(engine))
            model = engine.loaded.model
            content = await run_in_threadpool(agent_answer, self._profile, asked.agent, asked.text, extraction, model)
            return Turn(content, turn.model, _spent(extraction, known), turn.id, turn.created)
        except QueueFullError as error:
            raise RefusalError(429, str(error), "busy", retry_after=error.retry_after) from None
        finally:
            engine.release()

    def _forget(self, task: "asyncio.Task[Turn]") -> None:
        self._late.discard(task)
        if not task.cancelled():
            # looked at, so that nobody logs it where the client is gone
            task.exception()

    def _whole(self, sent: Sent, turn: Turn) -> Response:
        if not sent.get("stream"):
            return JSONResponse(turn.completion())
        events = [event(each) for each in turn.chunks(with_usage=wants_usage(sent))]

        async def give() -> AsyncGenerator[str]:
            for each in (*events, DONE):
                yield each

        return EventStream(give())

    async def _when_done(
        self, task: "asyncio.Task[Turn]", blank: Turn, with_usage: bool
    ) -> AsyncGenerator[str | RefusalError]:
        """Stream an answer that is still being worked on; what goes wrong now can only be told as an event."""
        first, *_ = blank.chunks(with_usage=False)
        yield event(first)
        while not task.done():
            yield KEEP_ALIVE
            await asyncio.wait({task}, timeout=self._options.keep_alive)
        try:
            _, *rest = task.result().chunks(with_usage=with_usage)
        except RefusalError as error:
            yield error
            return
        except Exception as error:
            yield RefusalError(500, f"the answer failed: {type(error).__name__}", "failed")
            return
        for each in rest:
            yield event(each)
        yield DONE


class _AgentError(Exception):
    """A refusal of a request whose agent is known."""

    def __init__(self, agent: str, refusal: RefusalError) -> None:
        super().__init__(str(refusal))
        self.agent = agent
        self.refusal = refusal


def check_answers(extraction: Extraction, status: int) -> None:
    """Refuse an extraction that would pass for "nothing found" though nobody read all of the article."""
    windows = extraction.windows
    failed = [window.error for window in windows if window.error]
    if failed:
        words = f"{len(failed)} of the article's {len(windows)} windows got no answer ({failed[0]}): ask again"
        raise RefusalError(status, words, "windows_failed")
    unread = sum(not window.json_parsed for window in windows)
    if unread and not extraction.observables:
        words = f"the model answered {unread} of the article's {len(windows)} windows without JSON, and found nothing "
        words += "in the others: look at the model" if unread < len(windows) else "at all: look at the model"
        raise RefusalError(status, words, "answers_unread")


def _status(engine: Engine) -> int:
    return 502 if engine.loaded.engine else 500


def _is_probe(sent: Mapping[str, Any]) -> bool:
    most = sent.get("max_completion_tokens") or sent.get("max_tokens")
    # true is a number in Python, and less than none is no limit to some clients
    return type(most) is int and 0 < most <= PROBE_TOKENS


def _choices(sent: Mapping[str, Any]) -> int:
    wanted = sent.get("n")
    return wanted if isinstance(wanted, int) else 1


def _spent(extraction: Extraction, known: bool) -> Spent:
    prompt = sum(window.prompt_tokens for window in extraction.windows)
    return Spent(prompt, sum(window.answer_tokens for window in extraction.windows), prompt if known else 0)


def _outcome(error: RefusalError) -> str:
    return {429: "busy", 503: "not_ready", 504: "timeout"}.get(
        error.status, "refused" if error.status < 500 else "failed"
    )


def _outcome_of(stream: EventStream) -> str:
    if stream.error:
        return _outcome(stream.error)
    return "answered" if stream.is_whole else "gone"
