"""`ctiforge publish dataset` with the real HfApi, against a Hub in memory."""

import json
from pathlib import Path
from typing import Any

import pytest

from ctiforge.data.testsets import import_testset
from ctiforge.store.objects import open_store
from tests.in_process import run_here
from tests.integration.release.hub_server import TOKEN, FakeHub
from tests.unit.release.test_dataset_upload import article, write_harvest

REPO = "team/cti"


class DatasetPublisher:
    """Runs the program in a folder with the harvest `one` and, of an article more, `two`."""

    def __init__(self, hub: FakeHub, folder: Path) -> None:
        self.hub, self.folder = hub, folder
        write_harvest(folder / "one", [article()])
        write_harvest(folder / "two", [article(), article(2)])

    def __call__(self, *flags: str, version: str = "1.0.0", code: int = 0) -> str:
        command = ("dataset", f"--repo={REPO}", f"--version={version}", *flags)
        done = run_here("publish", *command, cwd=self.folder)
        assert done.returncode == code, done.stdout + done.stderr
        assert TOKEN not in done.stdout + done.stderr
        return done.stderr if code else done.stdout


@pytest.fixture
def publish(reached_hub: FakeHub, tmp_path: Path) -> DatasetPublisher:
    return DatasetPublisher(reached_hub, tmp_path)


def test_a_dataset_may_be_called_as_a_model_is(publish: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CTIFORGE_AUTHOR", "A Team")
    publish.hub.add_repo(REPO)
    said = publish("--data=one")
    assert f"created {REPO} (private)" in said
    assert "verified: 2 files" in said
    repo = publish.hub.repos[f"datasets/{REPO}"]
    assert repo.private
    assert repo.tags == {"1.0.0": repo.commits[-1].id}
    assert set(repo.files) == {".gitattributes", "README.md", "train.jsonl"}
    assert b"author = {A Team}" in repo.files["README.md"]
    assert len(publish.hub.repos[REPO].commits) == 1
    # the same again
    said = publish("--data=one")
    assert "has 1.0.0 already, with this very content" in said
    assert len(repo.commits) == 2
    # the next one
    repo.commits[-1].files["test.jsonl"] = b"of before"
    assert "removed test.jsonl" in publish("--data=two", version="1.1.0")
    assert "Against version 1.0.0:" in repo.files["README.md"].decode()
    assert "take a higher version" in publish("--data=one", version="1.1.0", code=2)


def test_a_test_set_of_the_store_is_laid_out_without_a_token(publish: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_TOKEN")
    # a test set holds no type that there is not
    known = article(
        labelled_types=["cmdline"], observables=[{"type": "cmdline", "value": "whoami /all"}], type_labels={}
    )
    import_testset(open_store(str(publish.folder / "store")), "analysts", [known], note="of Ned")
    flags = ("--data=testset:analysts", "--store=store", "--dry-run=out", "--language=en")
    said = publish(*flags)
    assert "test: 1 articles, 1 items" in said
    assert "addresses are of: vendor.com 1" in said
    (line,) = (publish.folder / "out/test.jsonl").read_text().splitlines()
    assert json.loads(line)["items"][0]["value"] == "whoami /all"
    assert not publish.hub.requests


def test_what_cannot_be_is_told_in_one_line_before_anything_is_sent(publish: Any) -> None:
    for flags, code, said in (
        (("--data=one", "--with-texts"), 2, "name the license that allows it"),
        (("--data=nothing",), 2, "nothing: there is no such file"),
        (("--data=testset:none",), 2, "no test set none"),
        (("--data=one", "--leave-out=vendor.com"), 3, "no article can be published (--leave-out: 1)"),
    ):
        (line,) = publish(*flags, code=code).strip().splitlines()
        assert said in line
    assert not publish.hub.requests
