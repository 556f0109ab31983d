"""`models:extract@champion` and its like, in one place."""

from pathlib import Path

import pytest

from ctiforge.errors import DataError, UsageError
from ctiforge.store.artifacts import find_input
from ctiforge.store.models import Registry
from ctiforge.store.named_models import find_model_uri
from ctiforge.store.objects import open_store
from tests.making import candidate


@pytest.fixture
def store(tmp_path: Path) -> str:
    """A store with three versions, the second and then the third in use."""
    uri = str(tmp_path / "store")
    registry = Registry(open_store(uri), "extract")
    for content in "abc":
        place = f"models/extract/owned/{content}"
        open_store(uri).write(f"{place}/weights", content.encode())
        registry.register(candidate(content, place=place))
    for version in (2, 3):
        registry.promote(version, registry.standing(), "better")
    return uri


@pytest.mark.parametrize(("which", "content"), [("champion", "c"), ("previous", "b"), ("1", "a")])
def test_a_version_is_its_files_in_the_store(store: str, which: str, content: str) -> None:
    assert find_model_uri(f"models:extract@{which}", store) == f"{store}/models/extract/owned/{content}"


def test_the_store_of_the_settings_is_meant_where_none_is_named(store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CTIFORGE_STORE", store)
    assert find_model_uri("models:extract@champion").endswith("/owned/c")


@pytest.mark.parametrize("name", ["demo", "org/model", "models/mine", "s3://bucket/models/x"])
def test_another_name_stays_as_it_is(name: str) -> None:
    assert find_model_uri(name, "/nowhere") == name


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("models:extract@9", "extract has no version 9"),
        ("models:extract@newest", "after the @ give champion, previous or a version's number"),
        ("models:extract", "after the @ give champion"),
        ("models:os-bert@champion", "os-bert has no champion yet"),
        ("models:mistral@champion", "there is no line mistral"),
    ],
)
def test_what_there_is_not_is_told(store: str, name: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        find_model_uri(name, store)
    with pytest.raises(UsageError, match="is not there; name it with --store"):
        find_model_uri(name, f"{store}/elsewhere")


def test_without_one_in_use_before_there_is_no_previous(tmp_path: Path) -> None:
    registry = Registry(open_store(str(tmp_path)), "extract")
    registry.promote(registry.register(candidate("a")).version, registry.standing(), "first")
    with pytest.raises(UsageError, match="no version was in use before version 1"):
        find_model_uri("models:extract@previous", str(tmp_path))


def test_a_version_of_before_whose_folder_is_gone_is_no_name_of_the_hub(tmp_path: Path) -> None:
    registry = Registry(open_store(str(tmp_path)), "extract")
    registry.promote(registry.register(candidate("a", artifact="models/mine")).version, registry.standing(), "first")
    with pytest.raises(DataError, match="extract version 1, model-a: nothing is left of it at models/mine"):
        find_model_uri("models:extract@champion", str(tmp_path))


def test_a_version_whose_files_were_changed_is_not_used(tmp_path: Path) -> None:
    """Nothing but its content tells a copy in the registry, which has no manifest, from what was promoted."""
    folder = tmp_path / "models/extract/owned/a"
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(b"weights")
    registry = Registry(open_store(str(tmp_path)), "extract")
    found = find_input(str(folder))
    given = {"content": found.content, "files": found.files, "place": "models/extract/owned/a"}
    made = candidate("a").model_copy(update=given)
    registry.promote(registry.register(made).version, registry.standing(), "first")
    assert find_model_uri("models:extract@champion", str(tmp_path)) == str(folder)

    (folder / "model.safetensors").write_bytes(b"Weights")
    with pytest.raises(DataError, match="holds other files than were registered; use another version"):
        find_model_uri("models:extract@champion", str(tmp_path))
