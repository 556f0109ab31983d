"""Whatever goes wrong with announcing, the run ends as it did, and it is said in a line."""

from pathlib import Path
from typing import get_args

import pytest

from ctiforge.errors import StoreError
from ctiforge.launcher import announcing as module
from ctiforge.launcher import metrics
from ctiforge.launcher.announcing import Announcing
from ctiforge.launcher.kubernetes import job_events
from ctiforge.launcher.kubernetes.refusals import ClusterError
from ctiforge.launcher.result import Result
from ctiforge.settings import RunResult, Settings
from ctiforge.store.objects import open_store
from ctiforge.store.runs import new_run

SETTINGS = Settings(
    backend="kubernetes", run_id="nightly", webhook_url="http://hooks.example/secret", webhook_results=("refused",)
)
RESULT = Result(new_run("extract", [], "nightly").model_copy(update={"state": "done"}), "refused")


@pytest.fixture(autouse=True)
def receiver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")


def told(said: list[str]) -> Announcing:
    return Announcing(SETTINGS, "extract", say=said.append, wait=pytest.fail)


def test_by_default_a_webhook_is_told_of_failures_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_ENDPOINT")
    heard: list[object] = []
    monkeypatch.setattr(module, "send", lambda _url, result, _wait: heard.append(result.kind))
    said: list[str] = []
    announcing = Announcing(Settings(webhook_url="http://hooks.example/secret"), "extract", say=said.append)
    for kind in (*get_args(RunResult), None):
        announcing.tell(Result(RESULT.run, kind), None)
    assert (heard, said) == (["failed"], ["told the webhook"])


def test_what_goes_wrong_keeps_nobody_else_from_being_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def forbidden(*_: object) -> None:
        raise ClusterError("cannot create an event: forbidden", 403)

    def away(*_: object) -> bool:
        raise StoreError("s3://bucket: nothing answers there\nsecond line")

    def broken(*_: object) -> None:
        raise KeyError("http://hooks.example/secret")

    monkeypatch.setattr(job_events, "note_on_job", forbidden)
    monkeypatch.setattr(metrics, "push_metrics", away)
    monkeypatch.setattr(module, "send", broken)
    said: list[str] = []
    told(said).tell(RESULT, open_store(str(tmp_path)))
    assert said == [
        "warning: the cluster was not told: cannot create an event: forbidden",
        "warning: no metrics were pushed: s3://bucket: nothing answers there",
        "warning: the webhook was not told: KeyError",
    ]


def test_an_exporter_that_is_not_installed_is_told_with_its_extra(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def missing(*_: object) -> bool:
        raise ModuleNotFoundError("No module named 'opentelemetry'", name="opentelemetry")

    monkeypatch.setattr("ctiforge.pod.extras._is_installed", lambda _module: False)
    monkeypatch.setattr(job_events, "note_on_job", lambda *_: None)
    monkeypatch.setattr(metrics, "push_metrics", missing)
    monkeypatch.setattr(module, "send", lambda *_: None)
    said: list[str] = []
    told(said).tell(RESULT, open_store(str(tmp_path)))
    assert len(said) == 2
    assert "pip install 'ctiforge[launcher]'" in said[0]
    assert said[1] == "told the webhook"


def test_a_cause_that_everybody_meets_is_said_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def away(*_: object) -> None:
        raise ClusterError("nothing answers at the API")

    monkeypatch.setattr(job_events, "note_on_job", away)
    monkeypatch.setattr(metrics, "push_metrics", lambda *_: True)
    said: list[str] = []
    with pytest.raises(ClusterError), told(said):
        away()
    assert said == [], "the error that ends the launcher says it"
