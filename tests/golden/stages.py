"""Each stage, run as its program is: real flags, a store of its own, and inputs that nobody changes (`fixtures/`)."""

import importlib.util
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import chdir, contextmanager, suppress
from pathlib import Path
from types import ModuleType
from typing import Any

import typer

from ctiforge.data.testsets import import_testset, read_labelled_articles
from ctiforge.errors import GateError
from ctiforge.records.artifact import Manifest
from ctiforge.release.tools import DEFAULT_TOOLS, TOOLS_VARIABLE
from ctiforge.store.objects import open_store
from tests.golden.database import running_database
from tests.golden.picture import take

ROOT = Path(__file__).parents[2]
FIXTURES = Path(__file__).parent / "fixtures"
_OWN_SETTINGS = ("CTIFORGE_", "DATABASE_URL", "OPENAI_")
_SMALL_BERT = ("--max-length=64", "--device=cpu")


def program_file(name: str) -> Path:
    """The file of a stage's program."""
    return ROOT / "src" / "ctiforge" / "programs" / f"{name}.py"


def load(file: Path) -> ModuleType:
    """A program's file as a module."""
    spec = importlib.util.spec_from_file_location(f"golden_{file.stem}", file)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    # dataclasses look their module up by its name
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def run(name: str, folder: Path, file: Path | None = None, fixtures: Path = FIXTURES) -> dict[str, Any]:
    """Run a stage on its fixture; gives back the picture of what it left, artifacts in the order they were made in.

    Args:
        name: The stage's, which is its program's too.
        folder: An empty folder of the run's own: the stage works there and keeps its store there.
        file: The program to run instead of the stage's own.
        fixtures: What to run it on instead.
    """
    module = load(file or program_file(name))

    def call(*arguments: str) -> None:
        app = typer.Typer()
        app.command()(module.main)
        app([*arguments, "--store=store"], standalone_mode=False)

    inputs = folder / "fixtures"
    shutil.copytree(fixtures, inputs)
    with chdir(folder), _environment(folder), _one_thread():
        STAGES[name](call, inputs)
    store = folder / "store"
    artifacts = [_read_artifact(file) for file in (store / "artifacts" / name).glob("*/manifest.json")]
    artifacts.sort(key=lambda artifact: artifact[0].started_at)
    return take(artifacts, store / "models")


def declared() -> dict[str, int]:
    """Every stage that a program declares, `Stage("name", version`, with its version."""
    places = [*(ROOT / "jobs").glob("*.py"), *(ROOT / "src" / "ctiforge").rglob("*.py")]
    found = [_DECLARED.findall(path.read_text(encoding="utf-8")) for path in places]
    return {name: int(version) for each in found for name, version in each}


_DECLARED = re.compile(r'\bStage\(\s*"(\w+)",\s*(\d+)')
Call = Callable[..., None]


def _harvest_extract(call: Call, inputs: Path) -> None:
    _add_test_set(inputs / "testset.jsonl")
    shutil.copy(inputs / "results.json", "lmstudio_extract_results.json")
    with running_database(inputs / "database.json") as url:
        os.environ["DATABASE_URL"] = url
        call("--from-database", "--auto-find-json", "--force")


def _format_extract(call: Call, inputs: Path) -> None:
    _add_test_set(inputs / "testset.jsonl")
    call("--input=fixtures/records", "--format=all", "--prompt=short-v1", "--max-length=304", "--window-tokens=128")


def _check_data(call: Call, inputs: Path) -> None:
    _add_test_set(inputs / "testset.jsonl")
    call("--records=fixtures/records", "--data=fixtures/examples", "--force")


def _train_extract(call: Call, inputs: Path) -> None:
    call(
        "--data=fixtures/examples", "--max-length=304", "--max-steps=4", "--batch-size=4", "--no-qlora",
        "--gradient-accumulation-steps=1", "--eval-steps=2", "--learning-rate=1e-3", "--device=cpu", "--force",
        "--name=golden",
    )  # fmt: skip


def _eval_extract(call: Call, inputs: Path) -> None:
    # the rules: what a model generates would depend on the processor
    call("--model=regex", "--test-data=fixtures/testset.jsonl", "--training-data=fixtures/records/records.jsonl")


def _compare(call: Call, inputs: Path) -> None:
    call(*(f"fixtures/evaluations/extract-{name}.json" for name in ("rules", "one", "two")))
    call(*(f"fixtures/evaluations/os-{name}.json" for name in ("one", "two")))


def _promote(call: Call, inputs: Path) -> None:
    given = (
        "--against=fixtures/evaluations/extract-rules.json", "--test-data=fixtures/gate/testset.jsonl",
        "--training-data=fixtures/records/records.jsonl",
    )  # fmt: skip
    call("extract", "--model=fixtures/gate/one", "--evaluation=fixtures/evaluations/extract-one.json", *given)
    # not better than the champion that the first one has become
    with suppress(GateError):
        call("extract", "--model=fixtures/gate/two", "--evaluation=fixtures/evaluations/extract-two.json", *given)


def _prepare_os(call: Call, inputs: Path) -> None:
    _add_test_set(inputs / "os-testset.jsonl")
    with running_database(inputs / "database.json") as url:
        os.environ["DATABASE_URL"] = url
        call("--augment=1", "--balance=6", "--force")


def _train_os_bert(call: Call, inputs: Path) -> None:
    call(
        "--data=fixtures/os-parts", "--base-model=fixtures/os-bert", "--max-steps=6", "--batch-size=8",
        "--eval-steps=3", "--learning-rate=2e-4", "--name=golden", *_SMALL_BERT,
    )  # fmt: skip


def _baselines_os(call: Call, inputs: Path) -> None:
    call("--data=fixtures/os-parts", "--base-model=fixtures/bert", *_SMALL_BERT)


def _eval_os_bert(call: Call, inputs: Path) -> None:
    call(
        "--model=fixtures/os-bert", "--test-data=fixtures/os-parts/test.jsonl", "--baselines=fixtures/os-baselines",
        "--base-model=fixtures/bert", "--data=fixtures/os-parts", "--device=cpu",
    )  # fmt: skip


def _export_model(call: Call, inputs: Path) -> None:
    call("--model=demo", "--format=merged", "--device=cpu")
    call("--model=demo", "--format=gguf", "--quantize=f32,q8_0", "--device=cpu")


STAGES: dict[str, Callable[[Call, Path], None]] = {
    "harvest_extract": _harvest_extract,
    "format_extract": _format_extract,
    "check_data": _check_data,
    "train_extract": _train_extract,
    "eval_extract": _eval_extract,
    "compare": _compare,
    "promote": _promote,
    "prepare_os": _prepare_os,
    "train_os_bert": _train_os_bert,
    "baselines_os": _baselines_os,
    "eval_os_bert": _eval_os_bert,
    "export_model": _export_model,
}


def _read_artifact(file: Path) -> tuple[Manifest, Path]:
    manifest = Manifest.model_validate_json(file.read_text(encoding="utf-8"))
    return manifest, file.parent / manifest.attempt


def _add_test_set(file: Path) -> None:
    import_testset(open_store("store"), "golden", list(read_labelled_articles(file)))


@contextmanager
def _environment(folder: Path) -> Iterator[None]:
    """Nothing of this machine's settings; put back afterwards."""
    before = dict(os.environ)
    for name in [each for each in os.environ if each.startswith(_OWN_SETTINGS) and each != TOOLS_VARIABLE]:
        del os.environ[name]
    os.environ |= {"CTIFORGE_SCRATCH": str(folder / "scratch"), "HF_HUB_OFFLINE": "1", "COLUMNS": "140"}
    os.environ.setdefault(TOOLS_VARIABLE, str(ROOT / DEFAULT_TOOLS))
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Sums over floats come out in one order only where one thread makes them."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
