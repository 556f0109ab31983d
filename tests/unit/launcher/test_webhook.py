"""The message to a webhook, and a webhook that is not there."""

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

from ctiforge.launcher.webhook import message, send
from ctiforge.records.run import Cause, StageRecord
from ctiforge.store.runs import new_run

CAUSE = Cause(category="no gpu", summary="no node has a GPU", detail="0/3 nodes", remedy="add one")


def failed_run():
    stage = StageRecord(name="train_extract", program="train_extract", state="failed", cause=CAUSE)
    return new_run("extract", [stage], "nightly").model_copy(update={"state": "failed", "exit_code": 4})


def test_the_message_names_run_stage_and_cause() -> None:
    said = message(failed_run())
    assert said["text"] == "nightly failed at train_extract: no node has a GPU"
    assert (said["run"], said["exit_code"], said["stage"]) == ("nightly", 4, "train_extract")


def test_it_is_posted_as_json() -> None:
    heard = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            heard.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *args: object) -> None:
            """Stay silent."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        assert send(f"http://127.0.0.1:{server.server_port}/secret", failed_run()) is None
    assert heard[0]["run"] == "nightly"


def test_what_goes_wrong_is_said_without_the_url() -> None:
    for url in ("http://127.0.0.1:9/token", "ftp://host/token", "file:///etc/passwd"):
        problem = send(url, failed_run())
        assert problem
        assert "token" not in problem
