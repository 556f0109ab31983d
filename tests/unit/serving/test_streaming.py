"""A streamed answer is under way until its last event, and what became of it is known then."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from ctiforge.serving.openai_shapes import DONE, KEEP_ALIVE, RefusalError
from ctiforge.serving.streaming import EventStream, never_silent

SLOW = RefusalError(504, "the upstream is slow", "upstream_slow")


async def given(*events: str | RefusalError) -> AsyncGenerator[str | RefusalError]:
    for each in events:
        yield each


async def received(stream: EventStream, *, gone_after: int = 99) -> list[bytes]:
    """What a client is sent that goes away after so many pieces."""
    sent: list[bytes] = []
    gone = asyncio.Event()

    async def send(message: Any) -> None:
        sent.append(message.get("body", b""))
        if len(sent) > gone_after:
            gone.set()
            await asyncio.Event().wait()

    async def receive() -> Any:
        await gone.wait()
        return {"type": "http.disconnect"}

    await stream({"type": "http", "asgi": {"spec_version": "2.0"}}, receive, send)
    return sent[1:]


@pytest.mark.parametrize(
    ("events", "is_whole", "error"),
    [(("data: 1\n\n", DONE), True, None), (("data: 1\n\n", SLOW), False, SLOW), (("data: 1\n\n",), False, None)],
)
def test_how_a_stream_ended(events: tuple[Any, ...], is_whole: bool, error: RefusalError | None) -> None:
    stream = EventStream(given(*events))
    seen: list[tuple[bool, RefusalError | None]] = []
    stream.at_end(lambda: seen.append((stream.is_whole, stream.error)))
    sent = asyncio.run(received(stream))
    assert seen == [(is_whole, error)]
    assert (b'"code": "upstream_slow"' in b"".join(sent)) == (error is not None)


def test_a_stream_ends_with_its_client() -> None:
    stream = EventStream(given("data: 1\n\n", "data: 2\n\n", DONE))
    seen: list[bool] = []
    stream.at_end(lambda: seen.append(stream.is_whole))
    asyncio.run(received(stream, gone_after=1))
    assert seen == [False]


def test_silence_is_filled() -> None:
    async def read() -> list[str | RefusalError]:
        may_come, sent = asyncio.Event(), []

        async def late() -> AsyncGenerator[str | RefusalError]:
            await may_come.wait()
            yield DONE

        async for each in never_silent(late(), 0.001):
            sent.append(each)
            if len(sent) == 3:
                may_come.set()
        return sent

    sent = asyncio.run(read())
    assert (sent[:3], sent[-1]) == ([KEEP_ALIVE] * 3, DONE)
