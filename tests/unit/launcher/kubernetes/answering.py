"""An API over real HTTP that answers what a test says: late, wrongly or in pages."""

import json
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

WITHIN_S = 20
Answer = tuple[int, object]


class Api:
    """What the API answers to each path, one after another; the last one stays."""

    def __init__(self) -> None:
        self.answers: dict[str, list[Answer]] = {}
        self.asked: Counter[str] = Counter()
        self.queries: list[dict[str, list[str]]] = []
        self.sent: list[object] = []
        self.headers: list[dict[str, str]] = []
        self.goes_on = threading.Event()
        self.goes_on.set()
        self.was_asked = threading.Event()

    def answer(self, path: str) -> Answer:
        place = urlsplit(path)
        self.asked[place.path] += 1
        self.queries.append(parse_qs(place.query))
        self.was_asked.set()
        assert self.goes_on.wait(WITHIN_S)
        known = self.answers[place.path]
        return known.pop(0) if len(known) > 1 else known[0]


@contextmanager
def serving(api: Api) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            api.headers.append(dict(self.headers))
            if length := int(self.headers.get("Content-Length", 0)):
                api.sent.append(json.loads(self.rfile.read(length)))
            status, body = api.answer(self.path)
            data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_POST = do_DELETE = do_GET

        def log_message(self, *_: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
