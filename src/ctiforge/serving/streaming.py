"""A streamed answer: its events, what is said while nothing comes, and what became of it in the end."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable

from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from ctiforge.serving.openai_shapes import DONE, KEEP_ALIVE, RefusalError, event

Events = AsyncIterator[str | RefusalError]
"""What a stream sends: events as they are, and what went wrong."""
_HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}


class EventStream(StreamingResponse):
    """A response that is under way until its last event is sent, or the client is gone."""

    def __init__(self, events: Events) -> None:
        super().__init__(self._written(events), media_type="text/event-stream", headers=_HEADERS)
        self.error: RefusalError | None = None
        """What went wrong on the way."""
        self.is_whole = False
        """Whether it was sent to its end."""
        self._at_end: list[Callable[[], None]] = []

    def at_end(self, do: Callable[[], None]) -> None:
        """Have something done when it has ended, however that was."""
        self._at_end.append(do)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            for do in self._at_end:
                do()

    async def _written(self, events: Events) -> AsyncGenerator[str]:
        async for each in events:
            if isinstance(each, RefusalError):
                self.error = each
                yield event(each.body())
                continue
            self.is_whole = self.is_whole or each == DONE
            yield each


async def never_silent(
    events: AsyncGenerator[str | RefusalError], seconds: float
) -> AsyncGenerator[str | RefusalError]:
    """Say that work goes on whenever nothing else is said for so long."""
    following: asyncio.Future[str | RefusalError | None] | None = None
    try:
        while True:
            following = asyncio.ensure_future(anext(events, None))
            while not (await asyncio.wait({following}, timeout=seconds))[0]:
                yield KEEP_ALIVE
            each = following.result()
            if each is None:
                return
            yield each
    finally:
        # the client is gone: so is what it asked for
        if following and not following.done():
            following.cancel()
            await asyncio.wait({following})
        await events.aclose()
