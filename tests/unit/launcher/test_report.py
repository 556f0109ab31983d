from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ctiforge.launcher.report import describe_run, describe_runs
from ctiforge.records.run import Cause, RunRecord, StageRecord
from ctiforge.store.objects import open_store
from ctiforge.store.runs import save_run

START = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)


def _run(**changes: object) -> RunRecord:
    stages = [
        StageRecord(name="harvest", program="harvest", state="cached", fingerprint="ab" * 32, artifact="s3://b/x"),
        StageRecord(
            name="train",
            program="train",
            state="failed",
            exit_code=3,
            last_lines=["error: too few"],
            started_at=START,
            ended_at=START + timedelta(seconds=61),
        ),
        StageRecord(name="eval", program="eval"),
    ]
    run = RunRecord(id="extract-20261122-100000-aa", line="extract", state="failed", started_at=START, stages=stages)
    return run.model_copy(update=changes)


def test_a_run_is_told_stage_by_stage() -> None:
    run = _run(ended_at=START + timedelta(seconds=90), exit_code=3)
    assert describe_run(run).splitlines() == [
        "extract-20261122-100000-aa  failed  1/3 stages  2026-11-22 10:00  90 s  exit code 3",
        "  harvest  cached  abababababab  s3://b/x",
        "  train    failed  61 s  exit code 3",
        "    | error: too few",
        "  eval     waiting",
    ]


def test_an_end_is_told_with_its_reason_and_its_stages_cause() -> None:
    cause = Cause(category="no gpu", summary="pod x: no node has free 1 GPU", detail="0/3 nodes", remedy="add a node")
    stages = [StageRecord(name="train", program="train", state="failed", exit_code=4, cause=cause)]
    run = _run(stages=stages, exit_code=4, reason="train ended with exit code 4 (cannot go on)")
    assert describe_run(run).splitlines()[1:] == [
        "  train ended with exit code 4 (cannot go on)",
        "  train  failed  exit code 4",
        "    pod x: no node has free 1 GPU",
        "    the cluster says: 0/3 nodes",
        "    to do: add a node",
    ]


def test_runs_are_listed_newest_first_and_not_too_many(tmp_path: Path) -> None:
    store = open_store(str(tmp_path))
    assert "no runs yet" in describe_runs(store)
    for second in range(25):
        save_run(store, _run(id=f"extract-20261122-1000{second:02}-aa"))
    lines = describe_runs(store).splitlines()
    assert lines[0].startswith("extract-20261122-100024-aa")
    assert lines[-1] == "and 5 older ones"


def test_a_gate_that_was_not_passed_is_no_failure() -> None:
    stages = [
        StageRecord(
            name="promote", program="promote", state="done", exit_code=5, artifact="s3://b/x", last_lines=["no better"]
        )
    ]
    run = _run(stages=stages, state="done", exit_code=5)
    assert describe_run(run).splitlines() == [
        "extract-20261122-100000-aa  done  1/1 stages  2026-11-22 10:00  the gate was not passed",
        "  promote  done  the gate was not passed  s3://b/x",
        "    | no better",
    ]


def test_a_stage_with_nothing_to_work_on_is_no_gap_and_one_that_failed_by_its_own_check_no_gate() -> None:
    stages = [
        StageRecord(name="promote", program="promote", state="done"),
        StageRecord(name="export", program="export", state="skipped"),
    ]
    assert describe_run(_run(stages=stages, state="done")).splitlines() == [
        "extract-20261122-100000-aa  done  2/2 stages  2026-11-22 10:00",
        "  promote  done",
        "  export   skipped",
    ]
    failed = StageRecord(name="export", program="export", state="failed", exit_code=5, last_lines=["another answer"])
    assert describe_run(_run(stages=[failed], exit_code=5)).splitlines() == [
        "extract-20261122-100000-aa  failed  0/1 stages  2026-11-22 10:00  exit code 5",
        "  export  failed  exit code 5",
        "    | another answer",
    ]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "run.json is damaged: delete it"),
        (b"\xff\x00 garbage", "run.json is damaged: delete it"),
        (b'{"schema": 1, "id": "x"}', "run.json is damaged: delete it"),
        (b'{"schema": 99}', "use the ctiforge that wrote it, or a newer one"),
    ],
)
def test_a_run_that_cannot_be_read_is_listed_beside_the_others(tmp_path: Path, content: bytes, says: str) -> None:
    store = open_store(str(tmp_path))
    save_run(store, _run(id="extract-20261122-100000-aa"))
    store.write("runs/extract-20261122-100001-bb/run.json", content)
    save_run(store, _run(id="extract-20261122-100002-cc"))
    third, second, first = describe_runs(store).splitlines()
    assert first.startswith("extract-20261122-100000-aa  failed  1/3 stages")
    assert third.startswith("extract-20261122-100002-cc  failed  1/3 stages")
    assert second.startswith("extract-20261122-100001-bb  cannot be read  ")
    assert second.endswith(says)
