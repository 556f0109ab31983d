"""A stage from its flags to its artifact, on a folder and on a real S3 server."""

import json
import threading
from pathlib import Path
from typing import Any

import pytest

from ctiforge.errors import CannotGoOnError, InterruptedRunError, StoreError, UsageError
from ctiforge.store.artifacts import fetch, read_manifest
from ctiforge.store.objects import open_store
from ctiforge.store.stages import Stage, StageDirs, StageFlags, StageResult, run_stage

FORMAT = Stage("format_extract", 1, ("pydantic",))


@pytest.fixture(autouse=True)
def _scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CTIFORGE_SCRATCH", str(tmp_path / "scratch"))


@pytest.fixture
def records(tmp_path: Path) -> str:
    path = tmp_path / "records.jsonl"
    path.write_text("a\nb\n")
    return str(path)


def test_a_finished_stage_is_skipped_and_its_output_copied(store_uri: str, records: str, tmp_path: Path) -> None:
    worked = _Counter()
    flags, output = StageFlags(store_uri), str(tmp_path / "out")
    first = _run(worked, records, flags, output=output)
    (tmp_path / "out" / "train.jsonl").unlink()
    second = _run(worked, records, flags, output=output)
    assert worked.times == 1
    assert (first.cached, second.cached) == (False, True)
    assert (first.fingerprint, first.uri, first.summary) == (second.fingerprint, second.uri, second.summary)
    assert (tmp_path / "out" / "train.jsonl").read_text() == "A\nB\n"
    assert not list((tmp_path / "scratch").glob("*/*"))


def test_the_manifest_says_how_the_artifact_came_to_be(store_uri: str, records: str) -> None:
    result = _run(_Counter(), records, StageFlags(store_uri), params={"seed": 7, "unset": None})
    assert result.uri
    manifest = read_manifest(open_store(result.uri))
    assert manifest
    assert manifest.stage == "format_extract"
    assert manifest.parameters == {"seed": 7, "unset": None}
    assert manifest.inputs["data"].uri == records
    assert manifest.summary == {"rows": 2}
    assert manifest.files["train.jsonl"].size == 4
    assert set(manifest.packages) == {"pydantic"}


def test_a_stage_reads_the_artifact_of_another(store_uri: str, records: str, tmp_path: Path) -> None:
    first = _run(_Counter(), records, StageFlags(store_uri))

    def work(dirs: StageDirs) -> dict[str, Any]:
        (dirs.out / "n").write_text(str(len((dirs.inputs["data"] / "train.jsonl").read_text().splitlines())))
        return {}

    stage = Stage("train_extract", 1)
    result = run_stage(
        stage, params={}, inputs={"data": str(first.uri)}, output=None, flags=StageFlags(store_uri), work=work
    )
    assert (fetch(str(result.uri), tmp_path / "back") / "n").read_text() == "2"


def test_what_changes_the_result_changes_the_fingerprint(
    store_uri: str, records: str, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = StageFlags(store_uri, plan=True)
    base = _run(_Counter(), records, plan).fingerprint
    assert _run(_Counter(), records, plan).fingerprint == base
    assert _run(_Counter(), records, plan, params={"seed": 2}).fingerprint != base
    assert _run(_Counter(), records, plan, stage=Stage("format_extract", 2, ("pydantic",))).fingerprint != base
    assert _run(_Counter(), records, plan, stage=Stage("format_extract", 1)).fingerprint != base
    Path(records).write_text("a\nc\n")
    assert _run(_Counter(), records, plan).fingerprint != base
    assert json.loads(capsys.readouterr().out.splitlines()[0]) == {
        "stage": "format_extract",
        "fingerprint": base,
        "cached": False,
    }


def test_the_plan_knows_what_is_cached(store_uri: str, records: str, capsys: pytest.CaptureFixture[str]) -> None:
    worked = _Counter()
    _run(worked, records, StageFlags(store_uri))
    capsys.readouterr()
    result = _run(worked, records, StageFlags(store_uri, plan=True))
    assert json.loads(capsys.readouterr().out)["cached"] is True
    assert result.cached
    assert worked.times == 1


def test_an_unexpected_fingerprint_is_refused(store_uri: str, records: str) -> None:
    planned = _run(_Counter(), records, StageFlags(store_uri, plan=True)).fingerprint
    assert planned
    with pytest.raises(UsageError, match="not the expected 000000000000"):
        _run(_Counter(), records, StageFlags(store_uri, expect="0" * 64))
    assert _run(_Counter(), records, StageFlags(store_uri, expect=planned)).fingerprint == planned


def test_a_stage_keyed_by_its_output_always_runs(store_uri: str, tmp_path: Path) -> None:
    harvest, worked = Stage("harvest_extract", 1, keyed_by_output=True), _Counter()

    def run(text: str) -> StageResult:
        worked.text = text
        return run_stage(
            harvest, params={}, inputs={}, output=str(tmp_path / "out"), flags=StageFlags(store_uri), work=worked
        )

    first, same, other = run("rows"), run("rows"), run("more rows")
    assert worked.times == 3
    assert first.uri == same.uri != other.uri
    assert (tmp_path / "out" / "train.jsonl").read_text() == "more rows"
    assert len([info for info in open_store(store_uri).list("artifacts") if "manifest" in info.key]) == 2


def test_a_scratch_folder_that_cannot_be_made_is_one_line(
    records: str, store_uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("CTIFORGE_SCRATCH", str(tmp_path / "file" / "scratch"))
    with pytest.raises(CannotGoOnError, match=r"file/scratch: .*; name one that can be written with CTIFORGE_SCRATCH"):
        _run(lambda _: {}, records, StageFlags(store_uri))


def test_an_interrupted_stage_finds_its_scratch_again(store_uri: str, records: str) -> None:
    seen = []

    def work(dirs: StageDirs) -> dict[str, Any]:
        checkpoint = dirs.scratch / "checkpoint"
        seen.append((checkpoint.exists(), list(dirs.out.iterdir())))
        (dirs.out / "half").write_text("half")
        if not checkpoint.exists():
            checkpoint.write_text("step 3")
            raise InterruptedRunError("stopped")
        return {}

    with pytest.raises(InterruptedRunError):
        _run(work, records, StageFlags(store_uri))
    assert open_store(store_uri).list("artifacts") == []
    assert not _run(work, records, StageFlags(store_uri)).cached
    assert seen == [(False, []), (True, [])]


def test_two_at_the_same_work_have_their_own_scratch(store_uri: str, records: str) -> None:
    both_work, folders = threading.Barrier(2, timeout=30), []

    def work(dirs: StageDirs) -> dict[str, Any]:
        folders.append(dirs.scratch)
        both_work.wait()
        (dirs.out / "x").write_text("x")
        return {}

    twins = [threading.Thread(target=_run, args=(work, records, StageFlags(store_uri))) for _ in range(2)]
    for twin in twins:
        twin.start()
    for twin in twins:
        twin.join()
    assert len(set(folders)) == 2


def test_another_machine_is_told_when_the_first_has_published(store_uri: str, records: str) -> None:
    told: list[bool] = []

    def share(dirs: StageDirs) -> None:
        told.append(dirs.is_published())
        _run(_Counter(), records, StageFlags(store_uri))
        told.append(dirs.is_published())

    result = _run(share, records, StageFlags(store_uri))
    assert told == [False, True]
    assert (result.uri, result.summary) == (None, {})


def test_without_a_store_the_output_folder_is_the_cache(records: str, tmp_path: Path) -> None:
    worked, output = _Counter(), str(tmp_path / "out")
    assert not _run(worked, records, StageFlags(), output=output).cached
    assert _run(worked, records, StageFlags(), output=output).cached
    (tmp_path / "out" / "train.jsonl").write_text("damaged")
    assert not _run(worked, records, StageFlags(), output=output).cached
    assert worked.times == 2


def test_where_no_flag_says_where_to_write_the_environment_does(
    records: str, store_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stage's template in the cluster, made a Job by hand, has nothing else."""
    monkeypatch.setenv("CTIFORGE_STORE", store_uri)
    worked = _Counter()
    assert str(_run(worked, records, StageFlags()).uri).startswith(store_uri)
    assert _run(worked, records, StageFlags()).cached
    assert worked.times == 1


def test_somewhere_to_write_is_needed(records: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CTIFORGE_STORE", raising=False)
    with pytest.raises(UsageError, match="CTIFORGE_STORE or --output"):
        _run(_Counter(), records, StageFlags())


def test_a_damaged_input_stops_the_stage_before_its_work(store_uri: str, records: str) -> None:
    first, worked = _run(_Counter(), records, StageFlags(store_uri)), _Counter()
    store = open_store(store_uri)
    key = next(info.key for info in store.list("artifacts") if info.key.endswith("train.jsonl"))
    store.write(key, b"A\nX\n")
    with pytest.raises(StoreError, match="damaged"):
        _run(worked, str(first.uri), StageFlags(store_uri))
    assert worked.times == 0


class _Counter:
    """A stage's work that counts how often it is done."""

    def __init__(self) -> None:
        self.times = 0
        self.text: str | None = None

    def __call__(self, dirs: StageDirs) -> dict[str, Any]:
        self.times += 1
        text = self.text if self.text is not None else dirs.inputs["data"].read_text()
        (dirs.out / "train.jsonl").write_text(text if self.text is not None else text.upper())
        return {"rows": len(text.splitlines())}


def _run(work, data: str, flags: StageFlags, *, stage=FORMAT, params=None, output=None) -> StageResult:
    return run_stage(stage, params=params or {"seed": 1}, inputs={"data": data}, output=output, flags=flags, work=work)
