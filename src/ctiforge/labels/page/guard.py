"""Who may see the page and write on it: the browser of this machine that was given the token, and no other page in it.

A page of another site can send a browser here, also under a name of its own that leads to this machine (DNS
rebinding): so the host that is asked for has to be this machine, the cookie goes along from here alone, and whatever
writes has to come from this page.
"""

import secrets
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse, RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACK = frozenset({"127.0.0.1", "localhost", "[::1]"})
"""Names of this machine."""
_HEADERS = {
    "content-security-policy": "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
}


class TokenGuard:
    """Lets through what the person's own browser asks for, and answers anything else with 403 and one line."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app = app
        self._token = token
        self._session = secrets.token_urlsafe(32)
        # cookies know no port: two pages of one machine have two names
        self._cookie = f"ctiforge-label-{secrets.token_hex(4)}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                extra = [(name.encode(), value.encode()) for name, value in _HEADERS.items()]
                message["headers"] = [*message.get("headers", ()), *extra]
            await send(message)

        answer = self._answer(scope)
        await (answer or self._app)(scope, receive, send_guarded)

    def _answer(self, scope: Scope) -> PlainTextResponse | RedirectResponse | None:
        """Refuse, or exchange the token for the cookie; None where the request may pass."""
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if host.rpartition(":")[0] not in LOOPBACK and host not in LOOPBACK:
            return _refuse("this page is for this machine alone: open it at http://127.0.0.1 and its port")
        token = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]
        if scope["method"] == "GET" and scope["path"] == "/" and _same(token, self._token):
            answer = RedirectResponse("/", status_code=303)
            answer.set_cookie(self._cookie, self._session, httponly=True, samesite="strict")
            return answer
        if not _same(self._given(headers), self._session):
            return _refuse("open the address that `ctiforge label` printed, with its token")
        if scope["method"] not in ("GET", "HEAD") and headers.get("origin") != f"http://{host}":
            return _refuse("only the page itself may write: open it anew, and label there")
        return None

    def _given(self, headers: Headers) -> str:
        try:
            cookies = SimpleCookie(headers.get("cookie", ""))
        except CookieError:
            return ""
        return cookies[self._cookie].value if self._cookie in cookies else ""


def _same(given: str, secret: str) -> bool:
    return secrets.compare_digest(given.encode("utf-8", "replace"), secret.encode())


def _refuse(why: str) -> PlainTextResponse:
    return PlainTextResponse(f"{why}\n", status_code=403)
