"""What comes in: who may ask, how much they may send, and whether it is a request at all."""

import secrets
from contextvars import ContextVar

from fastapi import Request
from fastapi.responses import JSONResponse
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from ctiforge.serving.json_texts import read_json
from ctiforge.serving.openai_shapes import RefusalError, Sent

OPEN_PATHS = frozenset({"/healthz", "/readyz", "/metrics"})
"""What the cluster asks, which has no key."""
PASSED_BY = "x-ctiforge-passed-by"
"""The header that names the servers that have passed a request on."""
PASSED_BEFORE: ContextVar[str] = ContextVar("PASSED_BEFORE", default="")
"""Which those are of the request that is being answered."""
_THROWN_AWAY = 64_000_000
"""Bytes of a body too large that are still read: many clients send all of it before they look at an answer."""


class KeyGuard:
    """Lets through whoever gives the key (`Authorization: Bearer …`), and what needs none."""

    def __init__(self, app: ASGIApp, key: str | None) -> None:
        self._app = app
        self._key = key

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http" or self._key is None or scope["path"] in OPEN_PATHS or self._is_given(scope):
            await self._app(scope, receive, send)
            return
        words = "the API key is missing or wrong: send it as Authorization: Bearer …"
        await refuse(RefusalError(401, words, "invalid_api_key"))(scope, receive, send)

    def _is_given(self, scope: Scope) -> bool:
        assert self._key
        kind, _, given = Headers(scope=scope).get("authorization", "").partition(" ")
        # headers are read as Latin-1: these are the bytes that were sent
        key = given.strip(" \t").encode("latin-1")
        return kind.lower() == "bearer" and secrets.compare_digest(key, self._key.encode())


class LoopGuard:
    """Lets nothing through that this server has passed on itself: its upstream leads back to it."""

    def __init__(self, app: ASGIApp, name: str) -> None:
        self._app = app
        self._name = name

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "http":
            passed_by = Headers(scope=scope).get(PASSED_BY, "")
            if self._name in passed_by.split(","):
                words = "the upstream leads back to this server: name another --upstream"
                await refuse(RefusalError(508, words, "upstream_loop"))(scope, receive, send)
                return
            PASSED_BEFORE.set(passed_by)
        await self._app(scope, receive, send)


async def read_body(request: Request, most: int) -> bytes:
    """Read a body of at most so many bytes. Raises RefusalError; ClientDisconnect where it breaks off."""
    told = request.headers.get("content-length", "")
    size = int(told) if told.isdecimal() else 0
    is_kept = size <= most
    body, read = bytearray(), 0
    if size <= most + _THROWN_AWAY:
        async for piece in request.stream():
            read += len(piece)
            is_kept = is_kept and read <= most
            if read > most + _THROWN_AWAY:
                break
            if is_kept:
                body += piece
    if not is_kept:
        raise RefusalError(413, f"the request is larger than {most:,} bytes: send less", "request_too_large")
    return bytes(body)


def read_request(body: bytes) -> Sent:
    """Read a chat request. Raises RefusalError where the body is none."""
    sent = read_object(body)
    messages = sent.get("messages")
    if not isinstance(messages, list) or not messages or not all(isinstance(each, dict) for each in messages):
        raise RefusalError(
            400, "the request has no messages: send a list of objects with role and content", "no_messages"
        )
    if not isinstance(sent.get("stream") or False, bool):
        raise RefusalError(400, "stream is neither true nor false: send one of them, without quotes", "no_boolean")
    return sent


def read_object(body: bytes) -> Sent:
    """Read a JSON object, so that it can be passed on. Raises RefusalError where it is none."""
    try:
        sent = read_json(body)
    except (ValueError, RecursionError):
        raise RefusalError(400, "the body is no JSON, or was cut off: send one JSON object", "no_json") from None
    if not isinstance(sent, dict):
        raise RefusalError(400, "the body is no JSON object: send one", "no_json")
    return sent


def refuse(error: RefusalError) -> JSONResponse:
    """Answer with an error."""
    headers = {"Retry-After": str(error.retry_after)} if error.retry_after is not None else {}
    if error.status == 413:
        # what is still being sent is not read
        headers["Connection"] = "close"
    return JSONResponse(error.body(), status_code=error.status, headers=headers)
