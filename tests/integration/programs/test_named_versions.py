"""Every program that takes a model takes a version of the registry."""

import inspect
from importlib import import_module
from pathlib import Path

import pytest
import typer

from ctiforge import cli, programs
from tests.in_process import run_here

NAMED = "models:extract@7"
TAKE: dict[str, tuple[str, ...]] = {
    "eval_extract": (f"--model={NAMED}", "--test-data=x"),
    "eval_extract, asked as": ("--model=served", "--endpoint=http://x/v1", f"--asked-as={NAMED}", "--test-data=x"),
    "eval_extract, one article": (f"--model={NAMED}", "--article-id=1", "--test-data=x"),
    "extract": (f"--model={NAMED}", "text.txt"),
    "export_model": (f"--model={NAMED}",),
    "train_extract": (f"--model={NAMED}", "--data=x"),
    "format_extract": (f"--model={NAMED}", "--input=x"),
    "check_data": (f"--model={NAMED}", "--data=x"),
    "eval_os_bert": (f"--model={NAMED}", "--test-data=x"),
    "eval_os_bert, baselines": ("--model=x", f"--base-model={NAMED}", "--test-data=x"),
    "detect_os": (f"--model={NAMED}", "text.txt"),
    "train_os_bert": (f"--base-model={NAMED}", "--data=x"),
    "baselines_os": (f"--base-model={NAMED}", "--data=x"),
    "promote": ("extract", f"--model={NAMED}", "--evaluation=x"),
    "serve": (NAMED,),
    "publish, extract": (
        "extract", f"--model={NAMED}", "--evaluation=x", "--repo=me/agent", "--version=1.0.0", "--dry-run=empty"
    ),
    "publish": (
        "os-bert", f"--model={NAMED}", "--evaluation=x", "--repo=me/os-bert", "--version=1.0.0", "--dry-run=empty"
    ),
}  # fmt: skip
"""A program, and flags that name a model to it."""
FLAGS = ("model", "base_model", "asked_as")
OTHERS = {
    "model": "puts a base model into the store",
    "models": "takes a version as it is, or a line and a number",
}


@pytest.mark.parametrize("case", TAKE)
def test_a_version_is_looked_up_in_the_registry(case: str, tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    (tmp_path / "text.txt").write_text("They ran whoami.")
    done = run_here(case.partition(",")[0], *TAKE[case], "--store=store", cwd=tmp_path)
    assert (done.returncode, "extract has no version 7" in done.stderr) == (2, True), done.stderr


def test_no_program_with_such_a_flag_is_left_out() -> None:
    found = set()
    for path in Path(programs.__file__).parent.glob("*.py"):
        module = import_module(f"ctiforge.programs.{path.stem}")
        app: typer.Typer | None = getattr(module, "app", None)
        calls = [each.callback for each in app.registered_commands] if app else [getattr(module, "main", None)]
        if any(name in inspect.signature(call).parameters for call in calls if call for name in FLAGS):
            found.add(path.stem)
    assert found - OTHERS.keys() == {case.partition(",")[0] for case in TAKE}
    assert found & OTHERS.keys() == OTHERS.keys()
    assert cli.app.registered_commands
