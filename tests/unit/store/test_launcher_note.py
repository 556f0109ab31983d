import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event

import pytest

from ctiforge.records.run import RunRecord, StageRecord
from ctiforge.store import launcher_note
from ctiforge.store.launcher_note import STALE_AFTER, Launched, as_it_stands, heard_of, launchers_alive, note_launcher
from ctiforge.store.objects import ObjectStore, open_store
from ctiforge.store.runs import new_run

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="nobody can tell processes apart here")
CODE = """
import sys, time
from ctiforge.store.launcher_note import note_launcher
from ctiforge.store.objects import open_store
note_launcher(open_store(sys.argv[1]), "mine")
print("noted", flush=True)
time.sleep(300)
"""


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    return open_store(str(tmp_path))


def running() -> RunRecord:
    done = StageRecord(name="harvest", program="harvest", state="done")
    return new_run("extract", [done, StageRecord(name="train", program="train", state="running")], "mine")


def test_a_run_whose_launcher_was_killed_is_interrupted(store: ObjectStore, tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", CODE, str(tmp_path)], stdout=subprocess.PIPE) as launcher:
        assert launcher.stdout
        assert launcher.stdout.readline() == b"noted\n"
        assert as_it_stands(store, running()).state == "running"
        launcher.kill()
        launcher.wait()
    told = as_it_stands(store, running())
    assert (told.state, [each.state for each in told.stages]) == ("interrupted", ["done", "interrupted"])
    assert "its launcher is gone" in (told.reason or "")
    ended = running().model_copy(update={"state": "failed"})
    assert as_it_stands(store, ended) == ended


@pytest.mark.parametrize("changed", [{"place": ["another machine"]}, {"begun": None}, {"pid": "x"}])
def test_what_nobody_can_tell_stays_as_the_record_has_it(store: ObjectStore, changed: dict[str, object]) -> None:
    run = running()
    assert as_it_stands(store, run) == run
    note_launcher(store, "mine")
    noted = json.loads(store.read("runs/mine/launcher.json"))
    store.write("runs/mine/launcher.json", json.dumps(noted | changed).encode())
    assert as_it_stands(store, run) == run


def test_a_number_that_is_used_again_is_another_process(store: ObjectStore) -> None:
    note_launcher(store, "mine")
    noted = json.loads(store.read("runs/mine/launcher.json"))
    assert noted["pid"] == os.getpid()
    store.write("runs/mine/launcher.json", json.dumps(noted | {"begun": "1"}).encode())
    assert as_it_stands(store, running()).state == "interrupted"


def test_launchers_of_one_run_are_heard_of_each_for_itself(store: ObjectStore) -> None:
    now = datetime.now(UTC)
    with heard_of(store, "mine", "t"):
        with heard_of(store, "mine", "t"), heard_of(store, "other", "prod"):
            assert launchers_alive(store, now) == [Launched("mine", "t")] * 2 + [Launched("other", "prod")]
        assert launchers_alive(store, now, "mine") == [Launched("mine", "t")]
        assert launchers_alive(store, now + 2 * STALE_AFTER) == [Launched("mine", "t")], "its process lives here"
    assert store.list("runs") == []


def test_a_launcher_elsewhere_lives_as_long_as_its_note_is_young(store: ObjectStore) -> None:
    note = {"place": ["another machine"], "pid": 1, "begun": "1", "release": "t"}
    store.write("runs/mine/launchers/1.json", json.dumps(note).encode())
    store.write("runs/mine/launchers/2.json", b"garbage")
    store.write("runs/mine/launcher.json", json.dumps(note).encode())
    written = store.info("runs/mine/launchers/1.json").modified
    assert launchers_alive(store, written + STALE_AFTER) == [Launched("mine", "t")]
    assert launchers_alive(store, written + STALE_AFTER + timedelta(seconds=1)) == []


def test_a_killed_launcher_of_this_machine_is_known_at_once(store: ObjectStore) -> None:
    with heard_of(store, "mine", "t"):
        (info,) = store.list("runs/mine")
        noted = json.loads(store.read(info.key))
        store.write(info.key, json.dumps(noted | {"begun": "1"}).encode())
        assert launchers_alive(store, datetime.now(UTC)) == []


def test_a_launcher_lets_itself_be_heard_again_and_again(store: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launcher_note, "BEAT_EVERY_S", 0.01)
    written = Event()
    write = store.write
    with heard_of(store, "mine", "t"):
        monkeypatch.setattr(store, "write", lambda *args: [write(*args), written.set()])
        assert written.wait(20)
