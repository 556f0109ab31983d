"""Whom a run tells what came of it: a webhook hears of what it asked for, once."""

import json

import pytest

from ctiforge.launcher import telling
from ctiforge.launcher.result import Result

URL = "http://hooks.example/secret"


@pytest.fixture
def told(world, monkeypatch: pytest.MonkeyPatch) -> list[Result]:
    """What a webhook hears that asked for everything."""
    heard: list[Result] = []

    def send(url: str, result: Result, wait: object) -> None:
        assert url == URL
        heard.append(result)

    monkeypatch.setattr(telling, "send", send)
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
    assert world.ctiforge("run", "extract", "--set", "train_extract.epochs=8").returncode == 3
    assert [each.kind for each in told] == ["trained", "nothing-new", "refused", "failed"]
    assert told[2].words.endswith("agent is not promoted: worse")


def test_by_default_it_is_told_of_failures_alone(world, told: list[Result]) -> None:
    del world.environment["CTIFORGE_WEBHOOK_RESULTS"]
    assert "told the webhook" not in world.ctiforge("run", "extract").stdout
    world.control(train_extract={"fails": True})
    ended = world.ctiforge("run", "extract", "--set", "train_extract.epochs=8")
    assert "told the webhook" in ended.stdout
    assert [each.kind for each in told] == ["failed"]
    assert "secret" not in ended.stdout + ended.stderr


@pytest.mark.parametrize(
    ("variable", "value", "reason"),
    [
        # the plan, the store, the cluster
        ("CTIFORGE_TEST_SET", "nobody-made-it", "there is no test set nobody-made-it"),
        ("CTIFORGE_STORE", "/proc/nowhere", "/proc/nowhere"),
        ("CTIFORGE_BACKEND", "kubernetes", "no usable kubeconfig"),
    ],
)
def test_a_launcher_that_cannot_start_says_so(
    world, told: list[Result], variable: str, value: str, reason: str
) -> None:
    world.environment |= {variable: value, "CTIFORGE_RUN_ID": "nightly", "KUBECONFIG": "/nowhere"}
    ended = world.ctiforge("run", "extract")
    assert ended.returncode == 2, ended.stderr
    (result,) = told
    assert (result.kind, result.began, result.run.exit_code) == ("failed", False, 2)
    assert result.words.startswith("nightly cannot start: ")
    assert reason in result.words

    world.ctiforge("run", "extract", "--dry-run")
    assert len(told) == 1, "a plan is nobody's business"
