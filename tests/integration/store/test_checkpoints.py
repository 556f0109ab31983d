"""Checkpoints in a folder and on a real S3 server: what is read again, what is not, and what is removed."""

from pathlib import Path

import pytest

from ctiforge.errors import CannotGoOnError
from ctiforge.store.checkpoints import Checkpoints
from ctiforge.store.objects import ObjectStore, open_store

FOLDER = "checkpoints/train_extract/abc"


@pytest.fixture
def store(store_uri: str) -> ObjectStore:
    return open_store(store_uri)


def test_the_first_attempt_begins_with_nothing(store: ObjectStore, tmp_path: Path) -> None:
    (tmp_path / "into").mkdir()
    (tmp_path / "into" / "old").write_text("of another attempt")
    assert Checkpoints(store, FOLDER).begin(tmp_path / "into") == 0
    assert not (tmp_path / "into").exists()


def test_another_attempt_gets_the_newest_checkpoint(store: ObjectStore, tmp_path: Path) -> None:
    first = _begun(store, tmp_path)
    for step in (10, 20):
        assert _save(first, step, tmp_path)
    assert Checkpoints(store, FOLDER).begin(tmp_path / "into") == 20
    assert _content(tmp_path / "into") == {"weights": "weights of 20", "state": "state of 20"}


def test_a_checkpoint_without_its_manifest_is_none(store: ObjectStore, tmp_path: Path) -> None:
    first = _begun(store, tmp_path)
    _save(first, 10, tmp_path)
    _save(first, 20, tmp_path)
    store.delete(f"{FOLDER}/1/20/manifest.json")
    assert Checkpoints(store, FOLDER).begin(tmp_path / "into") == 10


def test_files_that_another_process_has_uploaded_belong_to_a_checkpoint(store: ObjectStore, tmp_path: Path) -> None:
    first, other = _begun(store, tmp_path), Checkpoints(store, FOLDER)
    (tmp_path / "part").write_text("of the other")
    (tmp_path / "own").write_text("of the first")
    for step in (10, 20, 30):
        uploaded = other.upload(first.attempt, step, {"state/part": tmp_path / "part"})
        assert first.save(step, {"own": tmp_path / "own"}, uploaded)
    # one that is not in a manifest by now is of none
    other.upload(first.attempt, 40, {"state/part": tmp_path / "own"})
    assert Checkpoints(store, FOLDER).begin(tmp_path / "into") == 30
    assert (tmp_path / "into" / "state" / "part").read_text() == "of the other"
    assert (tmp_path / "into" / "own").read_text() == "of the first"


@pytest.mark.parametrize("damage", ["other content", None])
def test_a_damaged_checkpoint_is_passed_over_for_the_one_before(
    store: ObjectStore, tmp_path: Path, damage: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    first = _begun(store, tmp_path)
    _save(first, 10, tmp_path)
    _save(first, 20, tmp_path)
    key = f"{FOLDER}/1/20/weights"
    store.write(key, damage.encode()) if damage else store.delete(key)
    second = Checkpoints(store, FOLDER)
    assert second.begin(tmp_path / "into") == 10
    assert _content(tmp_path / "into") == {"weights": "weights of 10", "state": "state of 10"}
    assert "checkpoint 1/20 is damaged (weights)" in capsys.readouterr().err
    # nor does any later attempt read it
    assert Checkpoints(store, FOLDER).begin(tmp_path / "into") == 10


def test_what_an_attempt_writes_after_another_took_over_is_never_read(store: ObjectStore, tmp_path: Path) -> None:
    zombie = _begun(store, tmp_path)
    _save(zombie, 10, tmp_path)
    second = _begun(store, tmp_path)
    # on its way already when the second began
    for name in ("weights", "state", "manifest.json"):
        store.write(f"{FOLDER}/1/30/{name}", store.read(f"{FOLDER}/1/10/{name}").replace(b'"step": 10', b'"step": 30'))
    assert not _save(zombie, 40, tmp_path)
    assert Checkpoints(store, FOLDER).begin(tmp_path / "into") == 10
    assert not _save(second, 20, tmp_path)


def test_the_newest_two_are_kept_across_attempts(store: ObjectStore, tmp_path: Path) -> None:
    first = _begun(store, tmp_path)
    for step in (10, 20, 30):
        _save(first, step, tmp_path)
    assert _manifests(store) == {"1/20", "1/30"}
    second = _begun(store, tmp_path)
    _save(second, 40, tmp_path)
    assert _manifests(store) == {"1/30", "2/40"}
    _save(second, 50, tmp_path)
    assert _manifests(store) == {"2/40", "2/50"}
    assert {info.key.split("/")[3] for info in store.list(FOLDER)} == {"attempts", "2"}


def test_a_file_that_did_not_change_is_uploaded_once_and_kept_while_needed(store: ObjectStore, tmp_path: Path) -> None:
    first = _begun(store, tmp_path)
    best = tmp_path / "best"
    best.write_text("best")
    for step in (10, 20, 30, 40):
        first.save(step, {**_files(step, tmp_path), "best": best})
    assert [info.key for info in store.list(FOLDER) if info.key.endswith("/best")] == [f"{FOLDER}/1/10/best"]
    assert Checkpoints(store, FOLDER).begin(tmp_path / "into") == 40
    assert (tmp_path / "into" / "best").read_text() == "best"


def test_three_attempts_without_a_newer_checkpoint_are_enough(store: ObjectStore, tmp_path: Path) -> None:
    first = _begun(store, tmp_path)
    _save(first, 10, tmp_path)
    for _ in range(3):
        _begun(store, tmp_path)
    with pytest.raises(CannotGoOnError, match="3 attempts ended before a newer checkpoint than step 10"):
        _begun(store, tmp_path)
    # a person has read that, and tries again
    _begun(store, tmp_path)


def test_attempts_that_were_told_to_end_or_made_progress_do_not_count(store: ObjectStore, tmp_path: Path) -> None:
    for _ in range(5):
        _begun(store, tmp_path).note_interrupted()
    for step in (10, 20, 30, 40):
        _save(_begun(store, tmp_path), step, tmp_path)
    for _ in range(2):
        _begun(store, tmp_path)
    # another micro-batch may fit where this one did not
    Checkpoints(store, FOLDER).begin(tmp_path / "into", "micro-batch 2")
    for _ in range(3):
        _begun(store, tmp_path)


def test_without_resume_it_begins_anew(store: ObjectStore, tmp_path: Path) -> None:
    _save(_begun(store, tmp_path), 10, tmp_path)
    anew = Checkpoints(store, FOLDER)
    assert anew.begin(tmp_path / "into", resume=False) == 0
    _save(anew, 5, tmp_path)
    assert Checkpoints(store, FOLDER).begin(tmp_path / "into") == 5
    for _ in range(4):
        Checkpoints(store, FOLDER).begin(tmp_path / "into", resume=False)


def test_a_finished_work_leaves_nothing(store: ObjectStore, tmp_path: Path) -> None:
    first = _begun(store, tmp_path)
    _save(first, 10, tmp_path)
    store.write("checkpoints/train_extract/other/1/10/manifest.json", b"{}")
    first.remove()
    assert [info.key for info in store.list("checkpoints")] == ["checkpoints/train_extract/other/1/10/manifest.json"]
    # one that still runs keeps nothing any more
    assert not _save(first, 20, tmp_path)


def _begun(store: ObjectStore, tmp_path: Path) -> Checkpoints:
    checkpoints = Checkpoints(store, FOLDER)
    checkpoints.begin(tmp_path / "into")
    return checkpoints


def _files(step: int, tmp_path: Path) -> dict[str, Path]:
    folder = tmp_path / f"local-{step}"
    folder.mkdir(exist_ok=True)
    for name in ("weights", "state"):
        (folder / name).write_text(f"{name} of {step}")
    return {path.name: path for path in folder.iterdir()}


def _save(checkpoints: Checkpoints, step: int, tmp_path: Path) -> bool:
    return checkpoints.save(step, _files(step, tmp_path))


def _content(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


def _manifests(store: ObjectStore) -> set[str]:
    suffix = "/manifest.json"
    return {
        info.key.removeprefix(f"{FOLDER}/").removesuffix(suffix)
        for info in store.list(FOLDER)
        if info.key.endswith(suffix)
    }
