"""Whom a run tells what came of it: a webhook hears of what it asked for, once."""

import json

import pytest

from ctiforge.errors import UsageError
from ctiforge.launcher import announcing, metrics
from ctiforge.launcher.kubernetes import job_events, release
from ctiforge.launcher.result import Result
from tests.otlp import receiving

URL = "http://hooks.example/secret"


@pytest.fixture
def told(world, monkeypatch: pytest.MonkeyPatch) -> list[Result]:
    """What a webhook hears that asked for everything."""
    heard: list[Result] = []

    def send(url: str, result: Result, wait: object) -> None:
        assert url == URL
        heard.append(result)

    monkeypatch.setattr(announcing, "send", send)
    everything = ["failed", "refused", "promoted", "waiting", "nothing-new", "trained"]
    world.environment |= {"CTIFORGE_WEBHOOK_URL": URL, "CTIFORGE_WEBHOOK_RESULTS": json.dumps(everything)}
    return heard


def test_each_end_is_told_once_as_what_it_is(world, told: list[Result]) -> None:
    assert world.ctiforge("run", "extract").returncode == 0
    assert world.ctiforge("run", "extract").returncode == 0
    world.environment["CTIFORGE_PROMOTE_AUTO"] = "true"
    world.control(promote={"reason": "agent is not promoted: worse"})
    again = ("run", "extract", "--set", "train_extract.epochs=7")
    assert world.ctiforge(*again).returncode == 5
    world.control(train_extract={"fails": True})
    ended = world.ctiforge("run", "extract", "--set", "train_extract.epochs=8")
    assert (ended.returncode, "told the webhook" in ended.stdout) == (3, True)
    assert [each.kind for each in told] == ["trained", "nothing-new", "refused", "failed"]
    assert told[2].words.endswith("agent is not promoted: worse")
    assert "secret" not in ended.stdout + ended.stderr


def test_a_launcher_that_cannot_start_says_so(world, told: list[Result], monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object) -> None:
        raise UsageError("no usable kubeconfig: set KUBECONFIG")

    for module in (release, job_events):
        monkeypatch.setattr(module, "connect", unknown)
    world.environment["CTIFORGE_RUN_ID"] = "nightly"
    for variable, value, reason in (
        ("CTIFORGE_BACKEND", "kubernetes", "no usable kubeconfig"),
        ("CTIFORGE_STORE", "/proc/nowhere", "/proc/nowhere"),
    ):
        world.environment |= {"CTIFORGE_BACKEND": "local", variable: value}
        ended = world.ctiforge("run", "extract")
        assert ended.returncode == 2, ended.stderr
        result = told.pop()
        assert (result.kind, result.began, result.run.exit_code, told) == ("failed", False, 2, [])
        assert result.words.startswith("nightly cannot start: ")
        assert reason in result.words

    world.ctiforge("run", "extract", "--dry-run")
    assert told == [], "a plan is nobody's business"


def test_metrics_are_pushed_at_the_end_of_each_run(world) -> None:
    with receiving() as receiver:
        world.environment["OTEL_EXPORTER_OTLP_ENDPOINT"] = receiver.url
        world.control(train_extract={"fails": True})
        assert world.ctiforge("run", "extract", "--run-id", "nightly").returncode == 3
        failed = receiver.last()
        world.control()
        assert world.ctiforge("run", "extract", "--run-id", "nightly").returncode == 0
        done = receiver.last()
        assert world.ctiforge("run", "extract", "--dry-run").returncode == 0
        world.environment["CTIFORGE_TEST_SET"] = "nobody-made-it"
        assert world.ctiforge("run", "extract").returncode == 2
    assert len(receiver.asked) == 3
    assert (failed["ctiforge.runs"]["failed"], done["ctiforge.runs"]["done"]) == (1, 1)
    ends = {state: count for state, count in receiver.last()["ctiforge.runs"].items() if count}
    assert ends == {"done": 1, "failed": 1, "not-started": 1}
    assert "ctiforge.last_success.timestamp" not in failed
    assert "train_extract" in done["ctiforge.stage.duration"]
    # of the run that was gone on with, what it had tried before is not counted again
    assert failed["ctiforge.attempts"]["data error"] == 1
    assert done["ctiforge.attempts"]["data error"] == 1


def test_a_receiver_that_is_away_fails_no_run(world, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "WITHIN_S", 0.05)
    world.environment["OTEL_EXPORTER_OTLP_ENDPOINT"] = "http://127.0.0.1:9/secret"
    ended = world.ctiforge("run", "extract")
    assert ended.returncode == 0
    assert "warning: no metrics were pushed: their receiver did not take them" in ended.stdout
    assert "secret" not in ended.stdout + ended.stderr
