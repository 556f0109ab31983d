from pathlib import Path

import pytest
from huggingface_hub import constants

from ctiforge.errors import UsageError
from ctiforge.store.hub import is_hub_name, is_pinned, join_name, pin, split_name, with_revision
from tests.cached_hub import cache_model

COMMIT, OTHER = "a" * 40, "b" * 40


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    (tmp_path / "empty").mkdir()
    return tmp_path / "empty"


@pytest.mark.parametrize(
    "model",
    [
        "demo",
        "regex",
        "/a/folder",
        "./folder",
        "a/b/c",
        "s3://bucket/base",
        "s3://bucket/base@2",
        "models:extract@champion",
    ],
)
def test_what_is_no_hub_name_stays_as_it_is(model: str) -> None:
    assert not is_hub_name(model)
    assert split_name(model) == (model, None)
    assert pin(model) == model
    with pytest.raises(UsageError, match=r"--revision v1: .* is no model of the Hub, and has no revisions"):
        pin(model, "v1")


def test_a_folder_goes_before_the_hub_name_that_it_looks_like(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "org" / "model").mkdir(parents=True)
    (tmp_path / "org" / "model@v1").mkdir(parents=True)
    assert pin("org/model") == "org/model"
    assert pin("org/model@v1") == "org/model@v1"
    # a commit is of the Hub
    assert is_hub_name(f"org/model@{COMMIT}")


def test_a_name_with_its_commit_needs_nobody() -> None:
    pinned = f"org/model@{COMMIT}"
    assert pin(pinned) == pinned == pin("org/model", COMMIT) == pin(pinned, COMMIT)
    assert is_pinned(pinned)
    assert not is_pinned("org/model@main")
    assert split_name(pinned) == ("org/model", COMMIT)
    assert join_name(*split_name(pinned)) == pinned
    assert join_name("demo", None) == "demo"


def test_a_flag_and_a_name_that_disagree_are_refused() -> None:
    assert with_revision("org/model@v1", "v1") == "org/model@v1"
    with pytest.raises(UsageError, match="--revision v2: org/model@v1 names another one"):
        with_revision("org/model@v1", "v2")


def test_offline_the_commit_is_the_caches(cache: Path, empty: Path) -> None:
    cache_model(cache, "org/model", COMMIT, empty)
    cache_model(cache, "org/model", OTHER, empty, ("v1",))
    assert pin("org/model") == f"org/model@{COMMIT}"
    assert pin("org/model@v1") == pin("org/model", "v1") == f"org/model@{OTHER}"


def test_without_hub_and_cache_one_line_says_what_to_do(cache: Path) -> None:
    with pytest.raises(UsageError) as refused:
        pin("org/model", "v1")
    text = str(refused.value)
    assert "org/model: which commit v1 is cannot be told: there is no such folder, the Hub is not asked" in text
    assert "name the commit (--revision), or use a base in the store (ctiforge model add org/model)" in text
    assert "\n" not in text


@pytest.mark.parametrize("ref", ["", "not a commit", "../../etc"])
def test_a_damaged_cache_names_no_commit(cache: Path, empty: Path, ref: str) -> None:
    cache_model(cache, "org/model", COMMIT, empty)
    (cache / "models--org--model" / "refs" / "main").write_text(ref)
    with pytest.raises(UsageError, match="cannot be told"):
        pin("org/model")
