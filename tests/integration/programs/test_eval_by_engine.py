"""eval_extract with an engine that it starts: what comes of it, and what remains when it goes wrong."""

import json
import shlex
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from ctiforge.extract.answering import engine
from ctiforge.records.article import ArticleRecord
from ctiforge.records.observable import Observable
from ctiforge.training.encoding import resolve_model
from tests.ending import MARK, alive
from tests.in_process import run_here

FAKE = Path(__file__).parents[1] / "extract" / "answering" / "fake_engine.py"


@pytest.fixture(autouse=True)
def marked(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is started is known by a mark, no pauses between tries, and a key that is not to be told."""
    monkeypatch.setenv(MARK, uuid.uuid4().hex)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-the-team")
    monkeypatch.setattr("openai._base_client.INITIAL_RETRY_DELAY", 0.001)
    monkeypatch.setattr("openai._base_client.MAX_RETRY_DELAY", 0.001)


@pytest.fixture
def test_file(tmp_path: Path) -> Path:
    file = tmp_path / "articles.jsonl"
    lines = [
        ArticleRecord(
            id=f"a{number}",
            title=f"Report {number}",
            content=f"On host {number} the actor ran whoami /all and then hid command-{number}.",
            content_hash=str(number),
            observables=(
                Observable(type="cmdline", value="whoami /all"),
                Observable(type="cmdline", value=f"command-{number}"),
            ),
            labelled_types=("cmdline",),
            labelled_by="human",
            annotator="tester",
        ).model_dump_json()
        for number in range(12)
    ]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file


def fake(how: str, *flags: str) -> str:
    return shlex.join([sys.executable, str(FAKE), *flags, how]) + " {model} {port}"


def evaluate(test_file: Path, command: str, *flags: str) -> "subprocess.CompletedProcess[str]":
    line = (f"--test-data={test_file}", f"--store={test_file.parent / 'store'}", f"--engine={command}")
    model = () if any(each.startswith("--model") for each in flags) else ("--model=demo",)
    done = run_here("eval_extract", *line, *model, *flags, cwd=test_file.parent)
    assert not alive(), "the engine still runs"
    assert "Traceback" not in done.stderr
    return done


def published(test_file: Path) -> list[Path]:
    return [*(test_file.parent / "store").rglob("evaluation.json")]


def test_an_engine_s_answers_are_scored_once_and_say_whose_they_are(test_file: Path) -> None:
    first = evaluate(test_file, fake("serving", "--api-key", "hidden-words"), "--output=one.json")
    again = evaluate(test_file, fake("serving", "--api-key", "hidden-words"))
    other = evaluate(test_file, fake("serving", "--slots=8"))

    assert first.returncode == 0, first.stderr
    body = json.loads((test_file.parent / "one.json").read_text())
    assert body["metrics"]["recall"]["value"] == 0.5
    assert body["model"]["name"] == "demo, served"
    command = f"{sys.executable} {FAKE} --api-key ******** serving {{model}} {{port}}"
    assert body["engine"] == {"command": command, "version": "fake 1.2.3"}
    assert "cached: eval_extract" in again.stdout
    assert "cached" not in other.stdout
    assert len({json.loads(file.read_text())["fingerprint"] for file in published(test_file)}) == 2
    assert not any(
        b"hidden-words" in file.read_bytes() for file in (test_file.parent / "store").rglob("*") if file.is_file()
    )


def test_an_engine_whose_program_has_no_version_is_asked_anew_each_time(
    test_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_UNVERSIONED", "1")
    done = [evaluate(test_file, fake("serving"), "--output=one.json") for _ in range(2)]

    assert [each.returncode for each in done] == [0, 0], done[0].stderr
    assert "cached" not in done[1].stdout
    assert json.loads((test_file.parent / "one.json").read_text())["engine"]["version"] == "b1234-abc"


def test_a_file_is_served_and_asked_as_another_model_and_of_several_the_one_of_its_name(test_file: Path) -> None:
    file = test_file.parent / "mine-q8_0.gguf"
    file.write_bytes(b"GGUF")

    done = evaluate(
        test_file, fake("adapter"), f"--model={file}", f"--asked-as={resolve_model('demo')}", "--output=one.json"
    )

    assert done.returncode == 0, done.stderr
    body = json.loads((test_file.parent / "one.json").read_text())
    assert body["model"]["name"] == "mine-q8_0, served"
    assert body["metrics"]["recall"]["value"] == 0.5


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("stillborn", "the engine ended (exit 3) before it was ready: starting | no such layer: base"),
        ("silent", "has not answered within 1 s (--engine-wait): waiting for a GPU"),
        ("loading", "has not answered within 1 s (--engine-wait): it wrote nothing"),
        ("dying", "the engine ended (exit 9) while it was asked: out of memory"),
    ],
)
def test_an_engine_that_fails_is_told_by_its_last_lines_and_nothing_is_published(
    how: str, words: str, test_file: Path
) -> None:
    done = evaluate(test_file, fake(how, "--token=hidden-words"), "--engine-wait=1")

    assert done.returncode == 4, done.stderr
    assert words in done.stderr.splitlines()[-1]
    assert "hidden-words" not in done.stderr
    assert not published(test_file)


@pytest.mark.parametrize(("number", "code"), [("SIGTERM", 75), ("SIGINT", 130)])
def test_an_engine_ends_at_once_where_the_evaluation_is_told_to(
    number: str, code: int, test_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_SIGNAL", number)

    assert evaluate(test_file, fake("signaling"), "--concurrency=1").returncode == code
    assert not published(test_file)


def test_an_engine_that_does_not_end_is_killed(test_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "ENDS_WITHIN_S", 0.1)

    assert evaluate(test_file, fake("stubborn")).returncode == 0


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--engine=server {model}",), "lacks {port}, the place of the port"),
        (("--engine=server {port}",), "lacks {model}, the place of the model's path"),
        (("--engine=no-such-server {model} {port}",), "there is no program 'no-such-server'"),
        (("--engine=server '{model} {port}",), "close its quotes"),
        (("--engine=sh {model} {port}", "--endpoint=http://x/v1"), "give one of the two"),
        (("--engine=sh {model} {port}", "--article-id=a1"), "leave out --engine"),
        (("--engine=sh {model} {port}", "--served-version=1"), "give its --endpoint"),
        (("--engine=sh {model} {port}", "--model=regex"), "no engine serves"),
    ],
)
def test_what_cannot_be_started_is_a_usage_error(flags: tuple[str, ...], words: str, test_file: Path) -> None:
    model = () if flags[-1] == "--model=regex" else ("--model=demo",)
    done = run_here("eval_extract", f"--test-data={test_file}", *model, *flags, cwd=test_file.parent)

    assert done.returncode == 2, done.stderr
    assert words in done.stderr.splitlines()[-1]
