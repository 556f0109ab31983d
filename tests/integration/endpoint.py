"""A small OpenAI-compatible endpoint on this machine that does as it is told, and remembers what it was asked."""

import json
import re
import select
import socket
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self


@dataclass
class Asked:
    """One request as it came in."""

    body: dict[str, Any]
    headers: dict[str, str]
    number: int
    """From 1, in the order of arrival."""
    path: str = ""
    answered: bool = False
    """Whether the client was still there when the reply was due."""

    @property
    def text(self) -> str:
        """What the user's message says, or the text that is to be gone on with."""
        return str(self.body["prompt"] if "prompt" in self.body else self.body["messages"][-1]["content"])

    @property
    def article(self) -> str:
        """Which article it is about: the first `article-…` in the text."""
        found = re.search(r"article-\w+", self.text)
        return found[0] if found else ""

    @property
    def structured(self) -> bool:
        return "response_format" in self.body


@dataclass(frozen=True)
class Reply:
    """What to answer; `drop` closes the connection without a word, `hang` never answers, `trickle` never ends."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    drop: bool = False
    hang: bool = False
    trickle: bool = False


DROP, HANG, TRICKLE = Reply(drop=True), Reply(hang=True), Reply(trickle=True)


def completion(text: str | None, finish_reason: str = "stop", refusal: str | None = None) -> Reply:
    """A chat completion of 100 tokens in and 10 out that says `text`."""
    message = {"role": "assistant", "content": text, "refusal": refusal}
    return Reply(
        body={
            "id": "c",
            "object": "chat.completion",
            "created": 0,
            "model": "m",
            "choices": [{"index": 0, "message": message, "finish_reason": finish_reason}],
            "usage": {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110},
        }
    )


def text_completion(text: str, finish_reason: str = "stop") -> Reply:
    """A completion of a text, of 100 tokens in and 10 out."""
    return Reply(
        body={
            "id": "c",
            "object": "text_completion",
            "created": 0,
            "model": "m",
            "choices": [{"index": 0, "text": text, "finish_reason": finish_reason, "logprobs": None}],
            "usage": {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110},
        }
    )


def answer(label: str, *quotes: tuple[str, str]) -> Reply:
    """A usable answer: the label, and (label, quote) pairs as evidence."""
    evidence = [{"label": each, "quote": quote} for each, quote in quotes]
    return completion(json.dumps({"evidence": evidence, "label": label}))


def error(status: int, message: str = "no", code: str | None = None, **headers: str) -> Reply:
    """An error as OpenAI words it; `retry_after_ms="1"` becomes a header."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status, {"error": {"message": message, "type": "error", "code": code}}, named)


class Endpoint:
    """The endpoint, as a context manager: `respond` says what each request gets, `delay_s` later."""

    def __init__(self, respond: Callable[[Asked], Reply], delay_s: float = 0.0) -> None:
        self.respond = respond
        self.delay_s = delay_s
        self.models = ["m"]
        self.asked: list[Asked] = []
        self.most_at_once = 0
        self.ended = threading.Event()
        self._lock = threading.Lock()
        self._now = 0
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.endpoint = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def per_article(self, *, answered_only: bool = False) -> Counter[str]:
        """Article → requests about it."""
        with self._lock:
            return Counter(each.article for each in self.asked if each.answered or not answered_only)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.ended.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def begin(self, body: dict[str, Any], headers: dict[str, str], path: str) -> Asked:
        with self._lock:
            asked = Asked(body, headers, len(self.asked) + 1, path)
            self.asked.append(asked)
            self._now += 1
            self.most_at_once = max(self.most_at_once, self._now)
        return asked

    def finish(self) -> None:
        with self._lock:
            self._now -= 1


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    endpoint: Endpoint

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that is gone is no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def do_GET(self) -> None:
        """The models that are served; nothing else is there."""
        served = [
            {"id": name, "object": "model", "created": 0, "owned_by": "us"} for name in self.server.endpoint.models
        ]
        found = self.path == "/v1/models"
        self._send(Reply(body={"object": "list", "data": served}) if found else error(404))

    def do_POST(self) -> None:
        endpoint = self.server.endpoint
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        asked = endpoint.begin(body, {name.lower(): value for name, value in self.headers.items()}, self.path)
        try:
            reply = endpoint.respond(asked)
            endpoint.ended.wait(endpoint.delay_s)
            if reply.hang:
                endpoint.ended.wait()
            if reply.hang or reply.drop or _is_gone(self.connection):
                self.close_connection = True
                return
            asked.answered = True
        finally:
            endpoint.finish()
        if reply.trickle:
            self._trickle(reply)
            return
        self._send(reply)

    def _send(self, reply: Reply) -> None:
        data = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
        self.send_response(reply.status)
        for name, value in {"Content-Type": "application/json", **reply.headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _trickle(self, reply: Reply) -> None:
        """Blank after blank behind what is said, as some endpoints send to keep a connection open."""
        self.send_response(200)
        for name, value in {"Content-Type": "application/json", "Content-Length": "1000000", **reply.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(reply.body or b"")
        while not self.server.endpoint.ended.wait(0.02):
            self.wfile.write(b" ")

    def log_message(self, *args: object) -> None:
        """Quiet."""


def _is_gone(connection: socket.socket) -> bool:
    """Whether the client has closed its end."""
    readable, _, _ = select.select([connection], [], [], 0)
    try:
        return bool(readable) and connection.recv(1, socket.MSG_PEEK) == b""
    except OSError:
        return True
