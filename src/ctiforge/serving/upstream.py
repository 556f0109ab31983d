"""Requests that are not the model's go on to an upstream, and its answers come back mended."""

import asyncio
import codecs
import json
import secrets
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from io import IncrementalNewlineDecoder
from urllib.parse import urlsplit

import httpx2

from ctiforge.endpoints import check_address
from ctiforge.serving.intake import PASSED_BEFORE, PASSED_BY
from ctiforge.serving.mending import NoCompletionError, StreamMender, mend_completion
from ctiforge.serving.openai_shapes import DONE, KEEP_ALIVE, RefusalError, Sent
from ctiforge.settings import read_api_key

_LIST_SECONDS = 5.0


class Upstream:
    """An OpenAI-compatible endpoint behind this server; its key, where it needs one, is in OPENAI_API_KEY.

    Raises UsageError for what is no address or no key.
    """

    def __init__(self, url: str, *, seconds: float, model: str | None = None) -> None:
        check_address(url)
        self.url = url.rstrip("/")
        self.name = secrets.token_hex(8)
        """What tells this server from others that a request has come through."""
        self._seconds = seconds
        self._model = model
        """What is asked for in the place of a model of ours; None: whatever the request says."""
        key = read_api_key(needed=False)
        self._client = httpx2.AsyncClient(
            timeout=httpx2.Timeout(seconds, connect=5.0),
            headers={"Authorization": f"Bearer {key}"},
            limits=httpx2.Limits(max_connections=256),
            event_hooks={"request": [self._sign]},
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _sign(self, request: httpx2.Request) -> None:
        before = PASSED_BEFORE.get()
        request.headers[PASSED_BY] = f"{before},{self.name}" if before else self.name

    async def chat(self, sent: Sent, *, is_ours: bool) -> Sent:
        """Have a request answered whole. Raises RefusalError for whatever is no answer."""
        asked = self._addressed(sent, is_ours)
        async with self._in_time():
            answer = await self._client.post(f"{self.url}/chat/completions", json=asked)
        _check_place(answer)
        if answer.is_error:
            raise _refused(answer.status_code, answer.content, answer.headers.get("retry-after"))
        try:
            return mend_completion(answer.content, str(asked.get("model")))
        except NoCompletionError as error:
            raise _no_completion(error) from None

    async def stream(self, sent: Sent, *, is_ours: bool) -> AsyncGenerator[str | RefusalError]:
        """Have a request answered as a stream, event by event. Raises RefusalError where no answer begins.

        What goes wrong on the way is given in the place of what is missing.
        """
        asked = self._addressed(sent, is_ours)
        request = self._client.build_request("POST", f"{self.url}/chat/completions", json=asked)
        try:
            answer = await self._client.send(request, stream=True)
        except httpx2.HTTPError as error:
            raise _unreached(error, self._seconds) from None
        mender = StreamMender(str(asked.get("model")), with_usage=wants_usage(sent))
        if answer.is_error or "text/event-stream" not in answer.headers.get("content-type", "").lower():
            return await self._whole_as_stream(answer, mender, str(asked.get("model")))
        return self._mended(answer, mender)

    async def post(self, path: str, body: bytes) -> tuple[int, bytes, str]:
        """Pass another request of OpenAI's protocol on as it is: status, body and media type of the answer."""
        return await self._as_it_is(f"{self.url}/{path}", body)

    async def models(self) -> list[Sent]:
        """List its models as it lists them, those with an id; none where it does not answer."""
        return [each for each in await self._list(f"{self.url}/models") if each.get("id")]

    async def studio_models(self) -> list[Sent]:
        """List its models as LM Studio's own API does; none where it has none."""
        return await self._list(f"{self._root}/api/v1/models")

    async def studio_load(self, body: bytes) -> tuple[int, bytes, str]:
        """Have LM Studio load one of its models."""
        return await self._as_it_is(f"{self._root}/api/v1/models/load", body)

    @property
    def _root(self) -> str:
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}"

    @asynccontextmanager
    async def _in_time(self) -> AsyncIterator[None]:
        """Bound what is waited for; RefusalError where it does not come, or the connection breaks off."""
        try:
            async with asyncio.timeout(self._seconds):
                yield
        except (httpx2.HTTPError, TimeoutError) as error:
            raise _unreached(error, self._seconds) from None

    def _addressed(self, sent: Sent, is_ours: bool) -> Sent:
        return {**sent, "model": self._model} if is_ours and self._model else sent

    async def _as_it_is(self, url: str, body: bytes) -> tuple[int, bytes, str]:
        headers = {"content-type": "application/json"}
        async with self._in_time():
            answer = await self._client.post(url, content=body, headers=headers)
        _check_place(answer)
        return answer.status_code, answer.content, answer.headers.get("content-type", "application/json")

    async def _list(self, url: str) -> list[Sent]:
        try:
            found = (await self._client.get(url, timeout=_LIST_SECONDS)).json()
        except (httpx2.HTTPError, ValueError, RecursionError):
            return []
        rows = found.get("data") or found.get("models") if isinstance(found, dict) else None
        named = [each for each in rows if isinstance(each, dict)] if isinstance(rows, list) else []
        return [each for each in named if isinstance(each.get("id") or each.get("key"), str)]

    async def _whole_as_stream(
        self, answer: httpx2.Response, mender: StreamMender, model: str
    ) -> AsyncGenerator[str | RefusalError]:
        try:
            async with self._in_time():
                body = await answer.aread()
        finally:
            await answer.aclose()
        _check_place(answer)
        if answer.is_error:
            raise _refused(answer.status_code, body, answer.headers.get("retry-after"))
        try:
            whole = mend_completion(body, model)
            events = [*mender.line(f"data: {json.dumps(whole)}"), *mender.end()]
        except NoCompletionError as error:
            raise _no_completion(error) from None

        async def give() -> AsyncGenerator[str | RefusalError]:
            for each in events:
                yield each
            yield DONE

        return give()

    async def _mended(self, answer: httpx2.Response, mender: StreamMender) -> AsyncGenerator[str | RefusalError]:
        try:
            async for line in _lines(answer):
                if line.startswith(":"):
                    yield KEEP_ALIVE
                for each in mender.line(line):
                    yield each
                # it may keep the connection open behind its last word
                if mender.is_done:
                    break
            for each in mender.end():
                yield each
            yield DONE
        except NoCompletionError as error:
            yield _no_completion(error)
        except httpx2.HTTPError as error:
            yield _unreached(error, self._seconds)
        finally:
            await answer.aclose()


def wants_usage(sent: Sent) -> bool:
    """Tell whether a streamed answer is to end with its usage."""
    options = sent.get("stream_options")
    return isinstance(options, dict) and bool(options.get("include_usage"))


async def _lines(answer: httpx2.Response) -> AsyncGenerator[str]:
    """Cut a stream into lines where its format does: any other break that Unicode knows is of the text."""
    decoder = IncrementalNewlineDecoder(codecs.getincrementaldecoder("utf-8-sig")("replace"), translate=True)
    rest = ""
    async for part in answer.aiter_bytes():
        *lines, rest = (rest + decoder.decode(part)).split("\n")
        for line in lines:
            yield line
    for line in (rest + decoder.decode(b"", final=True)).split("\n"):
        yield line


def _check_place(answer: httpx2.Response) -> None:
    """Refuse an answer that only names another place: the key is not sent there."""
    if answer.is_redirect:
        place = urlsplit(answer.headers.get("location", ""))
        where = place.hostname or f"another place of its own ({place.path[:80]})"
        raise RefusalError(
            502, f"the upstream redirects to {where}: name that address with --upstream", "upstream_moved"
        )


def _no_completion(error: NoCompletionError) -> RefusalError:
    return RefusalError(502, f"{error}: look at the upstream", "upstream_no_completion")


def _unreached(error: Exception, seconds: float) -> RefusalError:
    if isinstance(error, httpx2.ConnectTimeout | httpx2.ConnectError):
        return RefusalError(502, "the upstream is not there: is its server up?", "upstream_gone")
    if isinstance(error, httpx2.TimeoutException | TimeoutError):
        return RefusalError(
            504, f"the upstream gave no answer in {seconds:g} s: ask again, or ask for less", "upstream_slow"
        )
    return RefusalError(502, "the connection to the upstream broke off: is its server up?", "upstream_gone")


def _refused(status: int, body: bytes, retry_after: str | None) -> RefusalError:
    """Word an upstream's refusal; its own words are for whoever asked."""
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        said = None
    error = said.get("error") if isinstance(said, dict) else None
    message = error.get("message") if isinstance(error, dict) else error
    words = " ".join(str(message).split())[:500] if message else "it does not say why"
    seconds = int(retry_after) if retry_after and retry_after.isdecimal() else None
    return RefusalError(status, f"the upstream refuses ({status}): {words}", "upstream_refused", retry_after=seconds)
