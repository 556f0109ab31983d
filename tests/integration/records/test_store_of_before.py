"""A store, a registry and runs that were made before files had schema numbers: today's code reads all of it."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import chdir
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatch
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from ctiforge.cli import app
from ctiforge.lines import find_line
from ctiforge.osbert.frozen import load_baseline
from ctiforge.pod.entry import exit_on_error
from ctiforge.records import (
    article,
    artifact,
    checkpoint,
    classification,
    comparison,
    data_check,
    decision,
    evaluation,
    exported,
    formatted,
    harvest,
    model_note,
    os_article,
    prepared,
    registry,
    run,
    sweep,
    testset,
    training,
)
from ctiforge.records.base import File, Record, read_lines
from ctiforge.records.review import read_review
from ctiforge.reporting.reading import read_run
from ctiforge.store.artifacts import find_input
from ctiforge.store.checkpoints import Checkpoints
from ctiforge.store.garbage import find_garbage, remove
from ctiforge.store.models import Registry
from ctiforge.store.objects import open_store
from tests.in_process import captured, exit_code, run_here

FIXTURE = Path(__file__).parents[2] / "fixtures" / "store-before-schemas"
THEIRS = "/srv/ctiforge/store"
EXTRACT, OS_BERT = "extract-before", "os-bert-before"
CPU = ("--device=cpu",)
FILES: dict[str, type[File]] = {
    "store/artifacts/harvest_extract/*/report.json": harvest.HarvestReport,
    "store/artifacts/format_extract/*/format.json": formatted.FormatReport,
    "store/artifacts/check_data/*/check.json": data_check.DataCheck,
    "store/artifacts/train_extract/*/training_metadata.json": training.Training,
    "store/artifacts/train_extract/*/ctiforge.json": model_note.AgentNote,
    "store/artifacts/eval_extract/*/evaluation.json": evaluation.Evaluation,
    "store/artifacts/eval_os_bert/*/evaluation.json": classification.ClassifierEvaluation,
    "store/artifacts/promote/*/decision.json": decision.Decision,
    "store/artifacts/prepare_os/*/prepare.json": prepared.PrepareReport,
    "store/artifacts/train_os_bert/*/training_metadata.json": training.Training,
    "store/artifacts/train_os_bert/*/ctiforge.json": model_note.OsBertNote,
    "store/artifacts/baselines_os/*/ctiforge.json": model_note.BaselineNote,
    "store/artifacts/*/manifest.json": artifact.Manifest,
    "store/checkpoints/*/attempts/1.json": checkpoint.Attempt,
    "store/checkpoints/*/manifest.json": checkpoint.Checkpoint,
    "store/models/*/model.json": registry.ModelRecord,
    "store/models/*/champion.json": registry.Champion,
    "store/models/extract/1/evaluations/*-2.json": evaluation.Evaluation,
    "store/models/os-bert/1/evaluations/*-1.json": classification.ClassifierEvaluation,
    "store/runs/*/run.json": run.RunRecord,
    "store/testsets/*/testset.json": testset.TestSet,
    "outputs/export.json": exported.ExportReport,
    "outputs/sweep.json": sweep.Sweep,
}
LINES: dict[str, type[Record]] = {
    "store/artifacts/harvest_extract/*/records.jsonl": article.ArticleRecord,
    "store/artifacts/format_extract/*.jsonl": formatted.ExampleRow,
    "store/artifacts/train_*/log.jsonl": training.LogLine,
    "store/artifacts/prepare_os/*/t*.jsonl": os_article.LabeledArticle,
    "store/artifacts/prepare_os/*/validation.jsonl": os_article.LabeledArticle,
    "store/testsets/*/testset.jsonl": article.ArticleRecord,
}
OTHERS = {
    "store/artifacts/compare/*/comparison.json": "of two kinds, read by the test below",
    "store/models/*/comparisons/*.json": "counted, never read",
    "store/artifacts/format_extract/*/train_messages.json": "for other programs",
    "store/artifacts/format_extract/*/training_values.json": "a table, a type's values",
    "store/artifacts/baselines_os/*/baselines.json": "for people",
    "store/artifacts/prepare_os/*/review.jsonl": "upgraded line by line, in the test below",
    "store/artifacts/train_*/config.json": "the model library's",
    "store/artifacts/train_*/generation_config.json": "the model library's",
    "store/artifacts/train_*/tokenizer*.json": "the model library's",
}
GONE = {
    "schema_version": "said the age of a file",
    "bootstrap": "how intervals were made is said under another name",
    "comparisons": "are counted as looks",
} | dict.fromkeys(
    (
        "eval_runtime", "eval_samples_per_second", "eval_steps_per_second", "train_runtime", "train_samples_per_second",
        "train_steps_per_second", "total_flos", "train_loss",
    ),
    "the trainer's own clock and sum, which nothing reads",
)  # fmt: skip
"""Keys that are passed over, each with why; and a manifest's `format`, which said its age."""


@pytest.fixture(name="place")
def _place(tmp_path: Path) -> Iterator[Path]:
    """A working folder whose `store` is the old one, with its paths made those of this place."""
    shutil.copytree(FIXTURE / "store", tmp_path / "store")
    for file in (tmp_path / "store").rglob("*.json"):
        text = file.read_text(encoding="utf-8")
        if THEIRS in text:
            file.write_text(text.replace(THEIRS, str(tmp_path / "store")), encoding="utf-8")
    # the folder of before knew nothing of this machine's settings either
    names = {name: value for name, value in os.environ.items() if not name.startswith(("CTIFORGE_", "DATABASE_"))}
    with patch.dict(os.environ, {**names, "COLUMNS": "140"}, clear=True), chdir(tmp_path):
        yield tmp_path


def ctiforge(*arguments: str) -> str:
    """Run a verb in the working folder; gives what it printed."""
    with captured() as (output, errors):
        code = exit_code(lambda: exit_on_error(lambda: app([*arguments, "--store=store"])))
    assert code == 0, f"{output.getvalue()}{errors.getvalue()}"
    return output.getvalue()


def program(name: str, *arguments: str, place: Path) -> str:
    """Run a program on the store; gives what it printed."""
    done: subprocess.CompletedProcess[str] = run_here(name, *arguments, "--store=store", cwd=place)
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"
    return done.stdout


def made(stage: str, run_id: str = EXTRACT) -> str:
    """The artifact of a run's stage."""
    record = read_run(open_store("store"), run_id).record
    return str(next(each.artifact for each in record.stages if each.name == stage))


def newest(stage: str) -> str:
    """The artifact of a stage that was made last."""
    return str(
        max(Path("store/artifacts", stage).glob("*/manifest.json"), key=lambda file: file.stat().st_mtime).parent
    )


def file_of(uri: str, name: str = "*.json") -> Path:
    """A file of an artifact, by its name or by what is like it alone."""
    (found,) = Path(uri).glob(f"*/{name}")
    return found


def model_folder() -> str:
    """The weights of the old Extract Agent, with its tokenizer."""
    return str(file_of(made("train_extract"), "model"))


def margins(line: str) -> list[str]:
    """Margins that let everything through: the models of the fixture know nothing."""
    rules = find_line(line).rules
    return [f"--margin={name}=1" for name in (rules.primary, *rules.guardrails)]


def kept(old: Any, new: Any, path: str = "") -> Iterator[str]:
    """What an old file says that the record read from it does not."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key, value in old.items():
            if key not in new:
                yield from [f"{path}.{key}"] if key not in GONE and (key, value) != ("format", 1) else []
            else:
                yield from kept(value, new[key], f"{path}.{key}")
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for number, (one, other) in enumerate(zip(old, new, strict=True)):
            yield from kept(one, other, f"{path}.{number}")
    elif old != new:
        yield f"{path}: {old!r} is {new!r}"


def old_files(pattern: str) -> list[Path]:
    return [path for path in sorted(FIXTURE.rglob("*")) if fnmatch(path.relative_to(FIXTURE).as_posix(), pattern)]


@pytest.mark.parametrize(("pattern", "kind"), FILES.items(), ids=list(FILES))
def test_a_file_is_read_by_its_model_and_nothing_in_it_is_lost(pattern: str, kind: type[File]) -> None:
    files = old_files(pattern)
    assert files
    for file in files:
        old = json.loads(file.read_text(encoding="utf-8"))
        assert "schema" not in old
        assert list(kept(old, json.loads(kind.load(file).to_json()))) == []


@pytest.mark.parametrize(("pattern", "kind"), LINES.items(), ids=list(LINES))
def test_a_line_is_read_by_its_model_and_nothing_in_it_is_lost(pattern: str, kind: type[Record]) -> None:
    files = old_files(pattern)
    assert files
    for file in files:
        lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
        read = [json.loads(each.model_dump_json()) for each in read_lines(file, kind)]
        assert list(kept(lines, read)) == []


def test_a_comparison_of_either_kind_is_read_and_nothing_in_it_is_lost() -> None:
    kinds = set()
    for file in old_files("store/artifacts/compare/*/comparison.json"):
        text = file.read_text(encoding="utf-8")
        read = comparison.read_comparison(text, str(file))
        kinds.add(type(read))
        assert list(kept(json.loads(text), json.loads(read.to_json()))) == []
    assert kinds == {comparison.Comparison, comparison.ClassifierComparison}


def test_an_old_review_file_is_read_and_nothing_in_it_is_lost() -> None:
    for file in old_files("store/artifacts/prepare_os/*/review.jsonl"):
        lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
        read = [line.model_dump(mode="json") for _, line in read_review(file)]
        assert list(kept([{**line, "os_label": line["label"]} for line in lines], read)) == [
            f".{number}.label" for number in range(len(lines))
        ]


def test_every_file_of_the_fixture_is_held_against_a_model_or_named_as_none() -> None:
    files = {path for path in FIXTURE.rglob("*") if path.suffix in (".json", ".jsonl")}
    known = {file for pattern in (*FILES, *LINES, *OTHERS) for file in old_files(pattern)}
    assert files - known == set()


@pytest.mark.parametrize("run_id", [EXTRACT, OS_BERT])
def test_a_run_becomes_a_report_with_everything_in_it(run_id: str, place: Path) -> None:
    files = read_run(open_store("store"), run_id)
    assert files.problems == ()
    assert files.training
    assert files.test_set
    assert "\n-> " in ctiforge("report", run_id)
    page = (place / f"outputs/reports/{run_id}.html").read_text(encoding="utf-8")
    assert files.training.name in page


def test_runs_are_listed_shown_and_collected(place: Path) -> None:
    runs = ctiforge("runs")
    assert all(name in runs for name in (EXTRACT, OS_BERT, "sweep-before"))
    assert "eval_tuned" in ctiforge("status", EXTRACT)
    assert "deviates from the guide" in ctiforge("logs", EXTRACT, "--stage=train_extract")
    collected = [Path(line).name for line in ctiforge("collect", EXTRACT).splitlines()]
    assert [name.partition("-")[0] for name in collected if name.endswith(".json")] == [
        "check_data", "eval_base", "eval_base_constrained", "eval_regex", "eval_tuned",
    ]  # fmt: skip


def test_models_and_test_sets_are_listed_and_shown(place: Path) -> None:
    listed = ctiforge("models", "list")
    assert "os-bert-before" in listed
    assert "extract-agent-base-" in listed
    for line, first in (("extract", "harvest_extract"), ("os-bert", "prepare_os")):
        shown = ctiforge("models", "show", line, "1")
        assert f"{line} version 1, the champion" in shown
        assert first in shown
        assert "equivalent" in shown
    assert "before-os" in ctiforge("testset", "list")


def test_old_evaluations_are_compared(place: Path) -> None:
    names = ("eval_regex", "eval_base", "eval_tuned")
    assert "extract-agent-base-" in program("compare", *map(made, names), place=place)
    assert "logistic-regression" in program("compare", made("eval_os_bert", OS_BERT), place=place)


def test_an_old_model_answers_as_it_did(place: Path) -> None:
    first = (place / "store/testsets/before/1/testset.jsonl").read_text(encoding="utf-8").splitlines()[0]
    (place / "one.jsonl").write_text(f"{first}\n", encoding="utf-8")
    program("eval_extract", f"--model={made('train_extract')}", "--test-data=one.jsonl", *CPU, place=place)
    old, new = (evaluation.Evaluation.load(file_of(uri)) for uri in (made("eval_tuned"), newest("eval_extract")))
    assert new.model == old.model
    before, now = old.articles[0], new.articles[0]
    outcomes = [[(each.type, each.outcome, each.expected, each.predicted) for each in a.items] for a in (before, now)]
    assert outcomes[0] == outcomes[1]
    # this model does not stop: it is asked about halves of windows less often than it was
    assert now.answers.windows == now.answers.stopped_by_length < before.answers.windows
    assert now.answers.answer_tokens > 100


def test_a_model_that_is_trained_on_old_examples_meets_the_old_champion(place: Path) -> None:
    shutil.copytree(model_folder(), "base")
    given = (f"--data={made('format_extract')}", "--model=base", "--max-length=512", "--name=today")
    program("train_extract", *given, "--no-qlora", "--max-steps=1", "--force", *CPU, place=place)
    candidate = newest("train_extract")
    # as if it answered like the champion: what it says takes longer than all else here
    own = evaluation.ModelInfo(name="today", version=find_input(candidate).content[:12])
    evaluation.Evaluation.load(file_of(made("eval_tuned"))).model_copy(update={"model": own}).write(place)
    given = (f"--model={candidate}", f"--evaluation={evaluation.Evaluation.NAME}", "--accept-equivalent")
    given = (*given, f"--champion-evaluation={made('eval_tuned')}")
    assert "of version 1, extract-agent-base-" in " ".join(
        program("promote", "extract", *given, *margins("extract"), place=place).split()
    )
    assert "today" in ctiforge("models", "list", "extract")
    ctiforge("rollback", "extract", "--why=as good as the first")
    champion = Registry(open_store("store"), "extract").standing().champion
    assert champion
    assert [move.what for move in champion.history] == ["promoted", "promoted", "rolled back"]
    assert champion.version == 1


def test_an_old_evaluation_of_os_bert_goes_before_the_gate_again(place: Path) -> None:
    given = (f"--model={made('train_os_bert', OS_BERT)}", f"--evaluation={made('eval_os_bert', OS_BERT)}")
    assert "version 1 is the champion already" in program("promote", "os-bert", *given, "--dry-run", place=place)


def test_old_data_are_checked_with_what_was_found_then(place: Path) -> None:
    data = (f"--records={made('harvest_extract')}", f"--data={made('format_extract')}", f"--model={model_folder()}")
    program("check_data", *data, "--force", place=place)
    old, new = (data_check.DataCheck.load(file_of(uri)) for uri in (made("check_data"), newest("check_data")))
    assert new == old


def test_an_old_os_bert_and_an_old_baseline_answer_as_they_did(place: Path) -> None:
    model, fitted = made("train_os_bert", OS_BERT), file_of(made("baselines_os", OS_BERT), "logistic-regression")
    (place / "text.txt").write_text("launchctl loads a plist.", encoding="utf-8")
    said = run_here("detect_os", f"--model={model}", "text.txt", *CPU, cwd=place)
    assert said.returncode == 0, said.stderr
    # the base that its baselines were fitted on is not kept: they are loaded, not asked
    classifier, note = load_baseline(fitted)
    assert tuple(classifier.classes_) == note.labels
    program("eval_os_bert", f"--model={model}", "--test-data=testset:before-os", *CPU, place=place)
    before, now = (
        classification.ClassifierEvaluation.load(file_of(uri))
        for uri in (made("eval_os_bert", OS_BERT), newest("eval_os_bert"))
    )
    assert len(before.rows) > len(now.rows)
    assert now.result.predictions == before.result.predictions


def test_what_nothing_needs_is_removed_and_what_a_model_needs_stays(place: Path) -> None:
    store = open_store("store")
    later = datetime.now(UTC) + timedelta(days=30)
    found = {thing.folder.rpartition("/")[0]: thing for thing in find_garbage(store, 0, later)}
    assert "checkpoints/train_extract" in found
    assert "artifacts/train_extract" not in found
    assert "artifacts/eval_extract" in found
    assert "there is nothing to remove" in ctiforge("gc")
    with patch("ctiforge.store.garbage.datetime") as clock:
        clock.now.return_value = later
        remove(store, list(found.values()), lambda thing, is_gone: None)
    assert ctiforge("models", "show", "extract", "1")


def test_a_training_goes_on_from_an_old_checkpoint(place: Path) -> None:
    checkpoints = Checkpoints(open_store("store"), "checkpoints/train_extract/" + "0" * 64)
    assert checkpoints.begin(place / "into", "cpu") == 3
    assert (place / "into/weights").read_text(encoding="utf-8") == "weights of step 3\n"
