import pytest

from ctiforge.launcher.backend import LAST_LINES, Command, Made, Outcome, Progressed, Said, read_event


def test_progress_lines_become_progress() -> None:
    line = '{"event":"progress","stage":"train","done":3,"total":9,"eta_s":6.5,"metrics":{"loss":0.25}}'
    assert read_event(line) == Progressed(3, 9, 6.5, {"loss": 0.25})
    unknown = '{"event":"progress","stage":"train","done":3,"total":null,"eta_s":null,"metrics":{}}'
    assert read_event(unknown) == Progressed(3, None, None, {})


def test_artifact_lines_become_artifacts() -> None:
    line = '{"event": "artifact", "stage": "train", "fingerprint": "ab", "uri": "s3://b/x", "cached": false}'
    assert read_event(line) == Made("ab", "s3://b/x", False)


@pytest.mark.parametrize(
    "line",
    [
        "words",
        "",
        '{"event":"progress"',
        '{"event":"progress","done":"three","total":9,"metrics":{}}',
        '{"event":"other"}',
        '{"event"}',
    ],
)
def test_everything_else_is_words(line: str) -> None:
    assert read_event(line) == Said(line)


def test_the_last_lines_are_few() -> None:
    outcome = Outcome(1, tuple(str(i) for i in range(100)))
    assert len(outcome.last_lines) == LAST_LINES
    assert outcome.last_lines[-1] == "99"


def test_a_command_does_not_show_its_environment() -> None:
    assert "s3cr3t" not in repr(Command("harvest", (), {"DATABASE_URL": "postgresql://u:s3cr3t@h/d"}))
