"""The message to a webhook, and a webhook that is busy or not there."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from ctiforge.launcher.result import Result
from ctiforge.launcher.webhook import WAITS_S, message, send
from ctiforge.records.run import Cause, StageRecord
from ctiforge.store.runs import new_run

CAUSE = Cause(category="no gpu", summary="no node has a GPU", detail="0/3 nodes", remedy="add one")


def failed() -> Result:
    stage = StageRecord(name="train_extract", program="train_extract", state="failed", cause=CAUSE)
    run = new_run("extract", [stage], "nightly").model_copy(update={"state": "failed", "exit_code": 4})
    return Result(run, "failed")


@contextmanager
def webhook(*answers: int) -> Iterator[tuple[str, list[dict[str, object]]]]:
    """A webhook that gives these answers, one after the other: its URL, and what it heard."""
    heard: list[dict[str, object]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            heard.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(answers[len(heard) - 1])
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args: object) -> None:
            """Stay silent."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=lambda: server.serve_forever(poll_interval=0.01), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/secret", heard
        server.shutdown()


def test_the_message_names_run_stage_and_cause() -> None:
    said = message(failed())
    assert said["text"] == "nightly failed at train_extract: no node has a GPU"
    assert (said["run"], said["exit_code"], said["stage"]) == ("nightly", 4, "train_extract")
    assert said["result"] == "failed"


def test_it_is_posted_as_json() -> None:
    with webhook(204) as (url, heard):
        assert send(url, failed(), pytest.fail) is None
    assert heard[0]["run"] == "nightly"


@pytest.mark.parametrize(
    ("answers", "problem", "waits"),
    [
        ((503, 429, 200), None, [*WAITS_S[:2]]),
        ((500, 500, 500, 500), "the webhook answered 500", [*WAITS_S]),
        ((404,), "the webhook answered 404", []),
    ],
)
def test_it_is_tried_again_where_it_may_yet_be_taken(
    answers: tuple[int, ...], problem: str | None, waits: list[float]
) -> None:
    waited: list[float] = []
    with webhook(*answers) as (url, heard):
        assert send(url, failed(), waited.append) == problem
    assert (len(heard), waited) == (len(answers), waits)


@pytest.mark.parametrize(
    ("url", "waits"),
    [
        ("http://127.0.0.1:9/token", 3),
        ("ftp://host/token", 0),
        ("file:///etc/token", 0),
        ("http://host:token/", 0),
        ("http://[token/", 0),
        ("http://127.0.0.1/to ken", 0),
    ],
)
def test_what_goes_wrong_is_said_without_the_url(url: str, waits: int) -> None:
    waited: list[float] = []
    problem = send(url, failed(), waited.append)
    assert problem
    assert "token" not in problem
    assert len(waited) == waits
