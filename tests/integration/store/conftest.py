"""A tiny S3 that checks no signatures and can misbehave: it ignores conditions, answers 409
a few times, or fails after it has written."""

import hashlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

import pytest


@dataclass
class FakeS3:
    """What the fake holds and how it misbehaves."""

    endpoint: str = ""
    objects: dict[str, bytes] = field(default_factory=dict)
    ignores_conditions: bool = False
    conflicts_left: int = 0
    loses_reply_of: str = ""


@pytest.fixture
def fake_s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeS3]:
    """The fake as `s3://bucket`, reachable with the environment as it is during the test."""
    fake = FakeS3()

    class Handler(_Handler):
        state = fake

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        fake.endpoint = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        for name, value in {
            "AWS_ENDPOINT_URL": fake.endpoint,
            "AWS_ACCESS_KEY_ID": "anyone",
            "AWS_SECRET_ACCESS_KEY": "anything",
            "AWS_REGION": "us-east-1",
        }.items():
            monkeypatch.setenv(name, value)
        yield fake
        server.shutdown()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    state: FakeS3

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        query = parse_qs(url.query)
        if "list-type" in query:
            return self._list(query.get("prefix", [""])[0])
        data = self.state.objects.get(_key(url.path))
        if data is None:
            return self._answer(404, b"<Error><Code>NoSuchKey</Code></Error>")
        return self._answer(200, data, _etag(data))

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_PUT(self) -> None:
        state, key = self.state, _key(urlsplit(self.path).path)
        data = self.rfile.read(int(self.headers["Content-Length"]))
        if state.conflicts_left:
            state.conflicts_left -= 1
            return self._answer(409, b"<Error><Code>ConditionalRequestConflict</Code></Error>")
        if not state.ignores_conditions and not self._condition_holds(key):
            return self._answer(412, b"<Error><Code>PreconditionFailed</Code></Error>")
        state.objects[key] = data
        if state.loses_reply_of and key.endswith(state.loses_reply_of):
            state.loses_reply_of = ""
            return self._answer(500, b"<Error><Code>InternalError</Code></Error>")
        return self._answer(200, b"", _etag(data))

    def do_DELETE(self) -> None:
        self.state.objects.pop(_key(urlsplit(self.path).path), None)
        self._answer(204, b"")

    def log_message(self, *args: object) -> None:
        """Stay silent."""

    def _condition_holds(self, key: str) -> bool:
        there = self.state.objects.get(key)
        if self.headers.get("If-None-Match") == "*":
            return there is None
        wanted = self.headers.get("If-Match")
        return wanted is None or (there is not None and _etag(there) == wanted)

    def _list(self, prefix: str) -> None:
        entries = "".join(
            f"<Contents><Key>{escape(key)}</Key><Size>{len(data)}</Size>"
            f"<LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>{_etag(data)}</ETag></Contents>"
            for key, data in sorted(self.state.objects.items())
            if key.startswith(prefix)
        )
        self._answer(200, f"<ListBucketResult>{entries}<IsTruncated>false</IsTruncated></ListBucketResult>".encode())

    def _answer(self, status: int, body: bytes, etag: str | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Last-Modified", "Thu, 01 Jan 2026 00:00:00 GMT")
        if etag:
            self.send_header("ETag", etag)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def _key(path: str) -> str:
    return unquote(path).removeprefix("/bucket").lstrip("/")


def _etag(data: bytes) -> str:
    return f'"{hashlib.md5(data).hexdigest()}"'
