"""A hub name in a stage's fingerprint: the commit that it stands for, by Hub, flag or name."""

import json
from pathlib import Path

import pytest
from huggingface_hub import constants

from ctiforge.training.encoding import resolve_model
from tests.cached_hub import cache_model
from tests.in_process import run_here

THEN, NOW = "a" * 40, "b" * 40


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with records, and a cache with two commits of `team/base`."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    for commit in (NOW, THEN):
        cache_model(tmp_path / "hub", "team/base", commit, Path(resolve_model("demo")))
    (tmp_path / "records.jsonl").write_text("{}\n")
    return tmp_path


def planned(work: Path, *flags: str) -> str:
    done = run_here("format_extract", "--input=records.jsonl", "--plan", *flags, cwd=work)
    assert done.returncode == 0, done.stderr
    return str(json.loads(done.stdout)["fingerprint"])


def test_a_name_is_the_commit_that_it_stands_for(work: Path) -> None:
    then = planned(work, "--model=team/base")
    (work / "hub/models--team--base/refs/main").write_text(NOW)
    assert planned(work, "--model=team/base") == planned(work, "--model=team/base", f"--revision={NOW}") != then
    assert (
        planned(work, "--model=team/base", f"--revision={THEN}") == planned(work, f"--model=team/base@{THEN}") == then
    )


def test_a_folder_is_its_content_wherever_it_lies(work: Path) -> None:
    assert planned(work, f"--model={resolve_model('demo')}") == planned(work, "--model=demo")
    refused = run_here("format_extract", "--input=records.jsonl", "--plan", "--revision=v1", cwd=work)
    assert refused.returncode == 2
    assert "--revision v1: demo is no model of the Hub" in refused.stderr
