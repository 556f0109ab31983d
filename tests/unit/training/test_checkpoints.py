from ctiforge.training.checkpoints import newest_complete


def checkpoint(folder, step, *, complete=True):
    path = folder / f"checkpoint-{step}"
    path.mkdir()
    (path / "trainer_state.json").write_text("{}")
    if not complete:
        (path / "checkpoint-is-incomplete.txt").write_text("")
    return path


def test_the_newest_complete_checkpoint_counts_by_number(tmp_path):
    checkpoint(tmp_path, 90)
    newest = checkpoint(tmp_path, 100)
    assert newest_complete(tmp_path) == newest


def test_an_incomplete_checkpoint_is_passed_over(tmp_path):
    older = checkpoint(tmp_path, 90)
    checkpoint(tmp_path, 100, complete=False)
    (tmp_path / "checkpoint-110").mkdir()
    (tmp_path / "checkpoint-best").mkdir()
    assert newest_complete(tmp_path) == older


def test_an_empty_folder_has_none(tmp_path):
    assert newest_complete(tmp_path) is None
