"""The one table that names the stages of each line: program, arguments, inputs.

An argument's `{place}` is filled with a setting, or with the artifact of an earlier stage; an
argument whose setting has no value is left out, one whose setting is true is a bare flag, and one
whose setting is a list is given once for each of its values.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class LineStage:
    """One stage of a line."""

    name: str
    """Unique in its line; what people see."""
    program: str
    """`jobs/<program>.py`."""
    arguments: tuple[str, ...] = ()
    needs: str | None = None
    """The setting without which the line has no such stage."""
    reads_database: bool = False
    """Gets DATABASE_URL."""
    live: bool = False
    """Always runs: what it will find, in a database or the registry of models, nobody knows before."""
    collect: str | None = None
    """The file of its artifact that is copied to the outputs folder for people."""
    report: str | None = None
    """The text of its artifact that is printed when the run is done."""
    batch: tuple[int, int | None] | None = None
    """The program's own --batch-size and --gradient-accumulation-steps, where a smaller one saves memory."""


EXTRACT = (
    LineStage(
        "harvest_extract",
        "harvest_extract",
        ("--from-database={from_database}", "--json-files={json_files}"),
        reads_database=True,
        live=True,
    ),
    # of the harvest only the records count: another report about the same records trains nothing anew
    LineStage(
        "format_extract",
        "format_extract",
        (
            "--input={harvest_extract}/records.jsonl",
            "--model={model}",
            "--max-length={max_length}",
            "--format=messages",
        ),
    ),
    LineStage(
        "check_data",
        "check_data",
        ("--records={harvest_extract}", "--data={format_extract}", "--model={model}"),
        collect="check.json",
    ),
    LineStage(
        "train_extract",
        "train_extract",
        ("--data={format_extract}", "--model={model}", "--max-length={max_length}", "--format=messages"),
        batch=(4, 4),
    ),
    LineStage(
        "eval_base",
        "eval_extract",
        (
            "--model={model}",
            "--test-data=testset:{test_set}",
            "--prepared={format_extract}",
            "--training-data={harvest_extract}/records.jsonl",
        ),
        collect="evaluation.json",
        batch=(32, None),
    ),
    LineStage(
        "eval_base_constrained",
        "eval_extract",
        (
            "--model={model}",
            "--constrained",
            "--test-data=testset:{test_set}",
            "--prepared={format_extract}",
            "--training-data={harvest_extract}/records.jsonl",
        ),
        collect="evaluation.json",
        batch=(32, None),
    ),
    LineStage(
        "eval_regex",
        "eval_extract",
        (
            "--model=regex",
            "--test-data=testset:{test_set}",
            "--training-data={harvest_extract}/records.jsonl",
        ),
        collect="evaluation.json",
        batch=(32, None),
    ),
    LineStage(
        "eval_in_use",
        "eval_extract",
        (
            "--model={in_use}",
            "--test-data=testset:{test_set}",
            "--training-data={harvest_extract}/records.jsonl",
        ),
        needs="in_use",
        collect="evaluation.json",
        batch=(32, None),
    ),
    LineStage(
        "eval_as_served",
        "eval_extract",
        (
            "--model={served_model}",
            "--endpoint={served_endpoint}",
            "--as-served={served_prompt}",
            "--asked-as={served_as}",
            "--test-data=testset:{test_set}",
            "--training-data={harvest_extract}/records.jsonl",
        ),
        needs="served_endpoint",
        live=True,
        collect="evaluation.json",
    ),
    LineStage(
        "eval_tuned",
        "eval_extract",
        (
            "--model={train_extract}",
            "--test-data=testset:{test_set}",
            "--training-data={harvest_extract}/records.jsonl",
        ),
        collect="evaluation.json",
        batch=(32, None),
    ),
    LineStage(
        "compare_extract",
        "compare",
        (
            "{eval_regex}",
            "{eval_base}",
            "{eval_base_constrained}",
            "{eval_in_use}",
            "{eval_as_served}",
            "{eval_tuned}",
        ),
        collect="comparison.md",
        report="comparison.txt",
    ),
    # a first version must beat the model in use, or the rules where there is none
    LineStage(
        "promote_extract",
        "promote",
        (
            "extract",
            "--model={train_extract}",
            "--evaluation={eval_tuned}",
            "--against={eval_in_use}",
            "--against={eval_as_served}",
            "--against={eval_regex}",
        ),
        needs="promote_auto",
        live=True,
        collect="decision.json",
        report="decision.txt",
    ),
)

OS_BERT = (
    LineStage("prepare_os", "prepare_os", reads_database=True, live=True),
    LineStage(
        "train_os_bert",
        "train_os_bert",
        ("--data={prepare_os}", "--base-model={os_model}"),
        batch=(16, 1),
    ),
    LineStage("baselines_os", "baselines_os", ("--data={prepare_os}", "--base-model={os_model}")),
    LineStage(
        "eval_os_in_use",
        "eval_os_bert",
        ("--model={os_in_use}", "--test-data=testset:{os_test_set}"),
        needs="os_in_use",
        collect="evaluation.json",
    ),
    LineStage(
        "eval_os_bert",
        "eval_os_bert",
        (
            "--model={train_os_bert}",
            "--test-data=testset:{os_test_set}",
            "--baselines={baselines_os}",
            "--base-model={os_model}",
            "--data={prepare_os}",
        ),
        collect="evaluation.json",
    ),
    LineStage(
        "compare_os",
        "compare",
        ("{eval_os_in_use}", "{eval_os_bert}"),
        collect="comparison.md",
        report="comparison.txt",
    ),
    # its own evaluation stands for the floors in it
    LineStage(
        "promote_os_bert",
        "promote",
        (
            "os-bert",
            "--model={train_os_bert}",
            "--evaluation={eval_os_bert}",
            "--against={eval_os_in_use}",
            "--against={eval_os_bert}",
        ),
        needs="promote_auto",
        live=True,
        collect="decision.json",
        report="decision.txt",
    ),
)

LINES = {"extract": EXTRACT, "os-bert": OS_BERT}


@dataclass(frozen=True)
class LineSettings:
    """The settings that a line takes for what every line has."""

    model: str
    """The base model that is trained."""
    test_set: str
    in_use: str
    """The model in use; where it is not set, the registry's champion."""
    eval_in_use: str
    """The stage that evaluates it."""
    reads_files: bool
    """Whether it can do without a database, with files alone."""


SETTINGS = {
    "extract": LineSettings("model", "test_set", "in_use", "eval_in_use", reads_files=True),
    "os-bert": LineSettings("os_model", "os_test_set", "os_in_use", "eval_os_in_use", reads_files=False),
}


@dataclass(frozen=True)
class LineSweep:
    """What a sweep of a line trains."""

    training: str
    """The stage that is run for every point; the stages before it are its data."""
    ranges: dict[str, tuple[str, ...]]
    """What is tried of which flags where nobody says: the guide's ranges."""


SWEEPS = {
    "extract": LineSweep("train_extract", {"learning_rate": ("1e-4", "2e-4", "5e-4"), "epochs": ("1", "3")}),
    "os-bert": LineSweep("train_os_bert", {"learning_rate": ("1e-5", "2e-5", "5e-5"), "epochs": ("3", "5")}),
}

DEMO_MAX_LENGTH = 304
"""What `max_length` is while the model is the small one of this package and nobody set it."""
DEMO_FLAGS: dict[str, dict[str, str | int | float | bool]] = {
    "format_extract": {"prompt": "short-v1", "window_tokens": 128},
    "train_extract": {
        "qlora": False,
        "epochs": 4,
        "batch_size": 16,
        "gradient_accumulation_steps": 1,
        "learning_rate": 2e-3,
        "adam_beta2": 0.95,
        "eval_steps": 400,
        "save_steps": 400,
    },
    "eval_extract": {"batch_size": 64},
    "prepare_os": {"limit": 330, "balance": 50},
    "train_os_bert": {"batch_size": 8, "max_length": 256, "eval_steps": 12},
    "baselines_os": {"max_length": 256},
}
"""Flags by stage while the model is the small one of this package; settings of `stages` go before them."""
