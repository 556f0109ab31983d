"""`ctiforge serve` as a process: it answers, and told to end it finishes what is under way."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

from ctiforge.errors import UsageError
from ctiforge.programs.serve import API_KEY, read_key
from tests.in_process import run_here
from tests.integration.endpoint import Asked, Endpoint, Reply, completion
from tests.serving import KEYS, asks, says

MARK = "unmistakable-word-of-an-article"


@contextmanager
def started(folder: Path, *arguments: str) -> Iterator[tuple["subprocess.Popen[str]", httpx2.Client]]:
    """The command on a free port, and a client of it."""
    command = [sys.executable, "-m", "ctiforge", "serve", "regex", "--port=0", *arguments]
    environment = {**os.environ, "CTIFORGE_SERVE_API_KEY": "secret", "OPENAI_API_KEY": "theirs"}
    process = subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout
        line = process.stdout.readline()
        assert line.startswith("-> http://127.0.0.1:"), process.stderr and process.stderr.read()
        url = line.removeprefix("-> ").partition("/v1")[0]
        with httpx2.Client(base_url=url, timeout=60, headers={"Authorization": "Bearer secret"}) as client:
            yield process, client
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize(("named", "key"), [(None, None), (" a key\n", "a key")])
def test_the_key_of_clients_is_that_of_the_environment(
    monkeypatch: pytest.MonkeyPatch, named: str | None, key: str | None
) -> None:
    monkeypatch.delenv(API_KEY, raising=False)
    if named:
        monkeypatch.setenv(API_KEY, named)
    assert read_key(None) == key


@pytest.mark.parametrize("blank", ["", "  \n"])
def test_a_key_that_is_set_and_blank_opens_nothing(monkeypatch: pytest.MonkeyPatch, blank: str) -> None:
    monkeypatch.setenv(API_KEY, blank)
    with pytest.raises(UsageError, match="is set and blank: give it the key, or unset it"):
        read_key(None)


def test_a_key_that_no_client_could_send_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("first\nsecond\n")
    with pytest.raises(UsageError, match="key holds a line break"):
        read_key(tmp_path / "key")
    monkeypatch.setenv(API_KEY, "a\tkey")
    with pytest.raises(UsageError, match=f"{API_KEY} holds"):
        read_key(None)


def test_told_to_end_it_is_not_ready_and_finishes_what_is_under_way(
    serve: Callable[..., Endpoint], tmp_path: Path
) -> None:
    asked, may_answer = threading.Event(), threading.Event()

    def respond(_: Asked) -> Reply:
        asked.set()
        assert may_answer.wait(60)
        return completion("a rule")

    upstream = serve(respond)
    with (
        started(tmp_path, f"--upstream={upstream.url}", "--still=2") as (process, client),
        ThreadPoolExecutor(1) as pool,
    ):
        assert client.get("/readyz").json()["model"].startswith("ctiforge/regex@")
        found = client.post("/v1/chat/completions", json=asks("CmdlineExtract", f"{MARK}\n\n`whoami /all`"))
        assert json.loads(found.json()["choices"][0]["message"]["content"])["count"] == 1
        assert client.post("/v1/chat/completions", json=says("x"), headers={"Authorization": ""}).status_code == 401
        late = pool.submit(client.post, "/v1/chat/completions", json=says(MARK))
        assert asked.wait(30)
        process.send_signal(signal.SIGTERM)
        while (ready := client.get("/readyz")).status_code == 200:
            pass
        assert ready.json()["why"] == "it is being stopped"
        may_answer.set()
        assert late.result(30).json()["choices"][0]["message"]["content"] == "a rule"
        output, errors = process.communicate(timeout=30)
        assert (process.returncode, output) == (0, "")
        assert MARK not in errors
        assert errors == ""
        # its own key goes on to the upstream, not the client's
        assert upstream.asked[0].headers["authorization"] == "Bearer theirs"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["no/such/model/folder"], "there is no such model folder"),
        (["models:os-bert@champion"], "only models of the line extract are served"),
        (["models:extract@7"], "extract has no version 7"),
        (["regex", "--profile=none.toml"], "none.toml"),
        (["regex", "--upstream=localhost:1"], "is no endpoint"),
        (["regex", "--host=203.0.113.1"], "name others, or port 0"),
        (["regex", "--upstream-engine=http://127.0.0.1:9/v1"], "--upstream-engine needs"),
        (["regex", "--api-key-file=missing"], "missing"),
        (["regex", "--alias=extractor"], "--alias extractor: let it begin with ctiforge"),
    ],
)
def test_what_cannot_be_served_is_told_in_a_line(arguments: list[str], words: str, tmp_path: Path) -> None:
    done = run_here("serve", *arguments, f"--store={tmp_path}/store", cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert words in done.stderr
    assert len(done.stderr.strip().splitlines()) <= 2


def test_every_agent_of_the_shipped_profile_is_answered_by_the_rules(tmp_path: Path) -> None:
    with started(tmp_path, "--alias=ctiforge", "--alias=ctiforge-extract") as (_, client):
        ready = client.get("/readyz").json()
        assert {agent: each["answered"] for agent, each in ready["agents"].items()} == dict.fromkeys(KEYS, True)
        names = [each["id"] for each in client.get("/v1/models").json()["data"]]
        assert names[1:] == ["ctiforge", "ctiforge-extract"]
