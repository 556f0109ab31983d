from pathlib import Path

import pytest

from ctiforge.errors import UsageError
from ctiforge.launcher.sharing import share_files
from ctiforge.settings import settings_class
from ctiforge.store.objects import open_store


def test_local_files_are_copied_once_by_content_and_uris_left_alone(tmp_path) -> None:
    store = open_store(str(tmp_path / "store"))
    (tmp_path / "a.json").write_text("[1]")
    settings = settings_class()(json_files=(str(tmp_path / "a.json"), "s3://bucket/b.json"))
    said: list[str] = []

    shared = share_files(settings, store, said.append)
    again = share_files(settings, store, said.append)

    copy, other = shared.json_files
    assert other == "s3://bucket/b.json"
    assert store.read(copy.removeprefix(f"{store.uri}/")) == b"[1]"
    assert again == shared
    assert len(said) == 1
    (tmp_path / "a.json").write_text("[2]")
    assert share_files(settings, store, said.append).json_files[0] != copy


def test_what_is_no_file_is_named(tmp_path) -> None:
    with pytest.raises(UsageError, match=r"--json-files nowhere\.json: there is no such file"):
        share_files(settings_class()(json_files=("nowhere.json",)), open_store(str(tmp_path)), print)


def test_the_applications_prompt_is_copied_too(tmp_path: Path) -> None:
    prompt = tmp_path / "prompt.txt"
    prompt.write_text("Extract all.")
    store = open_store(str(tmp_path / "store"))

    shared = share_files(settings_class()(served_prompt=str(prompt)), store, print)

    assert shared.value("served_prompt")
    assert Path(shared.value("served_prompt")).read_text() == "Extract all."
    assert share_files(settings_class()(), store, print).value("served_prompt") is None
    with pytest.raises(UsageError, match=r"served_prompt nowhere\.txt"):
        share_files(settings_class()(served_prompt="nowhere.txt"), store, print)
