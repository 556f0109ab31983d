"""Each stage makes what its golden file holds: who changes that raises the stage's version."""

from pathlib import Path

import pytest

from ctiforge.errors import CannotGoOnError
from tests.golden import held, stages

SLOW = ("export_model",)


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


def test_every_stage_that_a_program_declares_is_held() -> None:
    assert stages.declared().keys() == stages.STAGES.keys()


def test_there_is_one_golden_file_a_stage_of_the_version_it_has_now() -> None:
    expected = {held.file_of(*each).name for each in stages.declared().items()}
    assert {path.name for path in held.FOLDER.glob("*.json")} == expected, (
        "write what is missing with `make golden ARGS=STAGE`, remove what is of an older version"
    )
