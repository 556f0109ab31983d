"""A stand-in for an inference engine: `fake_engine.py HOW MODEL PORT`, where HOW says what goes wrong with it."""

import json
import os
import signal
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ITEM = {"observables": [{"type": "cmdline", "value": "whoami /all"}]}
ASKED = threading.Semaphore(4)
"""Requests that one that dies in the middle still answers."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self):
        if self.path == "/health":
            self.send(503 if HOW == "loading" else 200, {})
        elif self.path == "/v1/models":
            ids = ("base", os.path.basename(MODEL)) if HOW == "adapter" else (MODEL,)
            self.send(200, {"object": "list", "data": [model(each) for each in ids]})
        elif self.path == "/props":
            self.send(200, {"build_info": "b1234-abc"})
        else:
            self.send(404, {})

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if HOW == "dying" and not ASKED.acquire(blocking=False):
            print("out of memory", flush=True)
            os._exit(9)
        if HOW == "signaling":
            os.kill(os.getppid(), getattr(signal, os.environ["FAKE_SIGNAL"]))
            threading.Event().wait()
        if HOW == "adapter" and body["model"] == "base":
            self.send(500, {})
        text = json.dumps(ITEM, separators=(",", ":"))
        place = {"message": {"role": "assistant", "content": text}} if "messages" in body else {"text": text}
        self.send(200, {"choices": [{"index": 0, "finish_reason": "stop", **place}], "usage": None})

    def send(self, status, body):
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


def model(name):
    return {"id": name, "object": "model", "created": 0, "owned_by": "fake"}


class Server(ThreadingHTTPServer):
    daemon_threads = True


if sys.argv[-1] == "--version":
    if "FAKE_UNVERSIONED" in os.environ:
        sys.exit(2)
    print("loading libraries\nfake 1.2.3")
    sys.exit()
HOW, MODEL, PORT = sys.argv[-3:]
if HOW == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
if HOW == "stillborn":
    print("starting\nno such layer: " + MODEL.rpartition("/")[2] + "\n" + " ".join(sys.argv[1:-3]), flush=True)
    sys.exit(3)
if HOW == "silent":
    print("waiting for a GPU", flush=True)
    threading.Event().wait()
Server(("127.0.0.1", int(PORT)), Handler).serve_forever(0.02)
