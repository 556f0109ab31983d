"""Each stage makes what its golden file holds, in files that are those of their models.

Who changes what a stage makes raises the stage's version.
"""

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from ctiforge.errors import CannotGoOnError
from ctiforge.records.data_check import DataCheck
from tests.golden import held, stages
from tests.golden.written import hold, written_by
from tests.kinds import kinds

SLOW = ("export_model",)
WRITTEN = {
    "harvest_extract": {"ArticleRecord", "HarvestReport", "TestSet"},
    "format_extract": {"ArticleRecord", "ExampleRow", "FormatReport", "TestSet"},
    "check_data": {"ArticleRecord", "DataCheck", "TestSet"},
    "train_extract": {"AgentNote", "LogLine", "Training"},
    "eval_extract": {"Evaluation"},
    "compare": {"ClassifierComparison", "Comparison"},
    "promote": {"Champion", "Decision", "GateLook", "LookedAt", "ModelRecord"},
    "prepare_os": {"ArticleRecord", "LabeledArticle", "PrepareReport", "ReviewLine", "TestSet"},
    "train_os_bert": {"LogLine", "OsBertNote", "Training"},
    "baselines_os": {"BaselineNote", "WordsNote"},
    "eval_os_bert": {"ClassifierEvaluation"},
    "export_model": {"ExportReport"},
}
"""Besides its manifest, what a stage leaves in its store, by the models of `ctiforge.records`."""
ELSEWHERE = {
    *(
        "Attempt",
        "Canary",
        "Checkpoint",
        "ConvertedBase",
        "EvaluationPart",
        "GateGrounds",
        "HumanLabel",
        "KeptCalibration",
        "KnownHashes",
        "RunRecord",
    ),
    *("ServingLease", "Sweep", "Waiting"),
}
"""What no stage leaves: see tests/integration/records/test_written.py and tests/integration/osbert/test_pickled.py.
What the registry names by its hash: see tests/integration/promotion/test_keeping.py."""


@pytest.mark.parametrize(
    "stage", [pytest.param(name, marks=[pytest.mark.slow] if name in SLOW else []) for name in stages.STAGES]
)
def test_a_stage_makes_what_its_golden_file_holds(stage: str, tmp_path: Path) -> None:
    try:
        picture = stages.run(stage, tmp_path)
    except CannotGoOnError as error:
        pytest.skip(str(error))
    if found := held.complaint(picture):
        pytest.fail(f"{found}\nWhat it made lies in {tmp_path / 'store'}", pytrace=False)
    assert written_by(stage, tmp_path / "store") == {"Manifest", *WRITTEN[stage]}


def test_every_stage_that_a_program_declares_is_held() -> None:
    assert stages.declared().keys() == stages.STAGES.keys()


def test_there_is_one_golden_file_a_stage_of_the_version_it_has_now() -> None:
    expected = {held.file_of(*each).name for each in stages.declared().items()}
    assert {path.name for path in held.FOLDER.glob("*.json")} == expected, (
        "write what is missing with `make golden ARGS=STAGE`, remove what is of an older version"
    )


def test_every_file_with_a_model_is_written_by_a_stage_that_is_held_against_it() -> None:
    names = {kind.__name__ for kind in kinds()}
    assert names - {name for written in WRITTEN.values() for name in written} == {"Manifest", *ELSEWHERE}


def test_a_file_with_a_key_more_or_less_than_its_model_is_noticed() -> None:
    whole = json.loads(DataCheck(checked=("data",), findings=()).to_json())
    hold(DataCheck, json.dumps(whole))
    with pytest.raises(ValidationError, match="Extra inputs"):
        hold(DataCheck, json.dumps(whole | {"more": 1}))
    for name in whole:
        with pytest.raises((ValidationError, AssertionError)):
            hold(DataCheck, json.dumps({key: each for key, each in whole.items() if key != name}))
