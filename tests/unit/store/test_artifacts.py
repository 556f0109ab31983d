from pathlib import Path

import pytest

from ctiforge.errors import UsageError
from ctiforge.store.artifacts import check_name, find_input


@pytest.mark.parametrize("name", ["demo", "regex", "org/model", "s3://bucket/a/b/c", "file:///a/b"])
def test_what_may_be_a_name_passes(name: str) -> None:
    check_name(name)


@pytest.mark.parametrize("name", ["/no/where", "./gone", "../gone", "~/model", "models/that/are-not"])
def test_a_path_has_to_be_there(name: str) -> None:
    with pytest.raises(UsageError, match="there is no such model folder"):
        check_name(name)


def test_a_folder_that_is_there_passes(tmp_path: Path) -> None:
    check_name(str(tmp_path))


def test_an_empty_folder_is_not_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="the folder is empty"):
        find_input(str(tmp_path))
    with pytest.raises(UsageError, match="there is no such file, folder or artifact"):
        find_input(str(tmp_path / "none"))
