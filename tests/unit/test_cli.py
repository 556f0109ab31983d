import json
import subprocess
import sys

import pytest

from ctiforge.cli import _stage_flags
from ctiforge.errors import UsageError

HEAVY = ("pydantic", "obstore", "boto3", "rich", "torch", "transformers", "numpy")


def test_help_lists_the_verbs_and_imports_nothing_heavy() -> None:
    code = (
        "import sys, json\n"
        "from ctiforge.cli import app\n"
        "try:\n    app(['--help'])\n"
        "except SystemExit:\n    print(json.dumps(sorted(sys.modules)))"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    text, _, modules = answer.stdout.strip().rpartition("\n")
    for verb in (
        "run",
        "sweep",
        "runs",
        "status",
        "config",
        "doctor",
        "compare",
        "testset",
        "extract",
        "detect-os",
        "promote",
        "models",
        "rollback",
        "export",
        "report",
        "publish",
        "gc",
        "data",
    ):
        assert f"\n  {verb} " in text
    assert not set(HEAVY) & {name.partition(".")[0] for name in json.loads(modules)}


def test_flags_of_stages_are_read() -> None:
    flags = _stage_flags(
        ["train_extract.epochs=3", "train_extract.learning-rate=2e-4", "eval_extract.note=a=b.c", "x.y=false"]
    )
    assert flags == {
        "train_extract": {"epochs": "3", "learning_rate": "2e-4"},
        "eval_extract": {"note": "a=b.c"},
        "x": {"y": False},
    }


@pytest.mark.parametrize("text", ["train_extract.epochs", "epochs=3", ".epochs=3", "train_extract.=3", ""])
def test_flags_of_stages_that_cannot_be_read_are_usage_errors(text: str) -> None:
    with pytest.raises(UsageError, match=r"stage\.flag=value"):
        _stage_flags([text])
