import pytest
from typer.testing import CliRunner

from ctiforge.cli import app
from ctiforge.errors import UsageError
from ctiforge.launcher.kubernetes import connecting, release, runs
from ctiforge.launcher.kubernetes.refusals import ClusterError
from ctiforge.launcher.verbs import _detach, _stage_flags, cancel
from ctiforge.settings import Loaded, load_settings


def test_flags_of_stages_are_read() -> None:
    flags = _stage_flags(
        ["train_extract.epochs=3", "train_extract.learning-rate=2e-4", "eval_extract.note=a=b.c", "x.y=false"]
    )
    assert flags == {
        "train_extract": {"epochs": "3", "learning_rate": "2e-4"},
        "eval_extract": {"note": "a=b.c"},
        "x": {"y": False},
    }


@pytest.mark.parametrize("text", ["train_extract.epochs", "epochs=3", ".epochs=3", "train_extract.=3", ""])
def test_flags_of_stages_that_cannot_be_read_are_usage_errors(text: str) -> None:
    with pytest.raises(UsageError, match=r"stage\.flag=value"):
        _stage_flags([text])


@pytest.mark.parametrize("verb", ["cancel", "status", "logs", "collect"])
@pytest.mark.parametrize("text", ["../champion", "", "a b", "runs/one", "A"])
def test_what_can_be_no_runs_id_is_a_usage_error(verb: str, text: str) -> None:
    done = CliRunner().invoke(app, [verb, text])
    assert isinstance(done.exception, UsageError)
    assert str(done.exception).startswith(f"{text!r} is no run's id")


def test_a_run_that_is_handed_over_ends_as_its_person_set_it(monkeypatch: pytest.MonkeyPatch) -> None:
    handed: list[dict[str, str]] = []
    monkeypatch.setattr(connecting, "connect", lambda *_: None)
    monkeypatch.setattr(runs, "submit", lambda *given: handed.append(given[-1]))
    monkeypatch.setenv("CTIFORGE_REFUSAL_FAILS", "false")
    _detach("extract", load_settings({"run_id": "mine"}))
    monkeypatch.delenv("CTIFORGE_REFUSAL_FAILS")
    _detach("extract", load_settings({"run_id": "mine"}))
    assert [each.get("CTIFORGE_REFUSAL_FAILS") for each in handed] == ["false", None]


def test_what_an_uninstalled_release_left_can_be_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    def uninstalled(_: Loaded) -> None:
        raise ClusterError("cronjobs.batch not found", 404)

    monkeypatch.setattr(release, "find_release", uninstalled)
    with pytest.raises(ClusterError, match=r"`kubectl delete jobs -l ctiforge\.io/run=mine` ends what is left"):
        cancel("mine", backend="kubernetes")
