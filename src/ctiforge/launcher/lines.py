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
    """Gets DATABASE_URL, and always runs: what it will find there, nobody knows before."""
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
        "compare_extract",
        ("{eval_regex}", "{eval_base}", "{eval_in_use}", "{eval_tuned}"),
        collect="comparison.md",
        report="comparison.txt",
    ),
)

LINES = {"extract": EXTRACT}

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
}
"""Flags by stage while the model is the small one of this package; settings of `stages` go before them."""
