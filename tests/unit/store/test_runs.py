from pathlib import Path

import pytest

from ctiforge.errors import StoreError, UsageError
from ctiforge.records.run import RunRecord, StageRecord
from ctiforge.store.objects import ObjectStore, open_store
from ctiforge.store.runs import load_run, new_run, read_runs, run_ids, save_run


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    return open_store(str(tmp_path))


def test_a_run_comes_back_as_it_was_saved(store: ObjectStore) -> None:
    run = new_run("extract", [StageRecord(name="harvest_extract", program="harvest_extract")])
    save_run(store, run)
    run.stages[0].state = "failed"
    run.stages[0].exit_code = 3
    save_run(store, run)
    assert load_run(store, run.id) == run
    assert load_run(store) == run


def test_runs_are_listed_newest_first_whatever_their_name(store: ObjectStore) -> None:
    for each in ("os-bert-20261101-000000-aa", "team-retrain-extract-29837", "extract-20261031-000000-cc"):
        save_run(store, _run(each))
    assert run_ids(store) == ["extract-20261031-000000-cc", "team-retrain-extract-29837", "os-bert-20261101-000000-aa"]
    assert load_run(store, "team-re").id == "team-retrain-extract-29837"


def test_what_cannot_be_found_or_read_says_so(store: ObjectStore) -> None:
    with pytest.raises(UsageError, match="no runs yet"):
        load_run(store)
    save_run(store, _run("extract-20261101-000000-aa"))
    save_run(store, _run("extract-20261102-000000-bb"))
    with pytest.raises(UsageError, match="there is no run nope"):
        load_run(store, "nope")
    with pytest.raises(UsageError, match="no run a//b"):
        load_run(store, "a//b")
    with pytest.raises(UsageError, match="give more of it"):
        load_run(store, "extract")
    store.write("runs/extract-20261101-000000-aa/run.json", b"{")
    with pytest.raises(StoreError, match=r"damaged: delete it$"):
        load_run(store, "extract-20261101")
    with pytest.raises(StoreError, match="damaged: delete it, or name another run"):
        load_run(store)


def test_what_cannot_be_read_is_told_apart_from_the_runs(store: ObjectStore) -> None:
    save_run(store, _run("extract-20261101-000000-aa"))
    store.write("runs/extract-20261102-000000-bb/run.json", b'{"schema": 99}')
    store.write("runs/extract-20261103-000000-cc/run.json", b"")
    found, broken = read_runs(store)
    assert [each.id for each in found] == ["extract-20261101-000000-aa"]
    assert broken == ["extract-20261103-000000-cc", "extract-20261102-000000-bb"]


def _run(run_id: str) -> RunRecord:
    return new_run("extract", []).model_copy(update={"id": run_id})
