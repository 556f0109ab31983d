"""What a run's record keeps of a stage, from one try to the next."""

from datetime import UTC, datetime

from ctiforge.launcher.backend import Outcome
from ctiforge.launcher.stage_records import note_begun, note_cancelled, note_ended, note_found
from ctiforge.records.run import RunRecord, StageRecord


def entry(**fields: object) -> StageRecord:
    return StageRecord.model_validate({"name": "train", "program": "train_extract", **fields})


def test_tries_add_up_and_each_begins_without_the_end_of_the_one_before() -> None:
    stage = entry()
    for code in (137, 0):
        note_begun(stage)
        assert (stage.state, stage.exit_code, stage.ended_at, stage.last_lines) == ("running", None, None, [])
        note_ended(stage, Outcome(code, (), attempts=2, ran_s=30.0, interruptions={"evicted": 1}))
        stage.last_lines = ["its last words"]
    assert (stage.exit_code, stage.attempts, stage.ran_s, stage.interruptions) == (0, 4, 60.0, {"evicted": 2})


def test_what_a_run_did_itself_stays_done_and_what_it_finds_is_cached() -> None:
    own, other = entry(state="done", fingerprint="a"), entry(state="done", fingerprint="b")
    for each in (own, other):
        note_found(each, "a", "s3://store/artifacts/train_extract/a")
    assert (own.state, other.state) == ("done", "cached")
    assert (other.fingerprint, other.exit_code) == ("a", 0)


def test_of_a_cancelled_run_what_was_under_way_is_cancelled_too() -> None:
    states = ("done", "running", "interrupted", "waiting")
    stages = [entry(state=state) for state in states]
    run = RunRecord(id="r", line="extract", state="interrupted", started_at=datetime.now(UTC), stages=stages)
    note_cancelled(run)
    assert run.state == "cancelled"
    assert [each.state for each in run.stages] == ["done", "cancelled", "cancelled", "waiting"]
