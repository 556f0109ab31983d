"""The table of lines agrees with the programs it names."""

import importlib.util
import inspect
from pathlib import Path

import pytest

from ctiforge.launcher.lines import LINES

JOBS = Path(__file__).parents[3] / "jobs"
STAGES = [stage for line in LINES.values() for stage in line]


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.name)
def test_a_stage_names_flags_of_its_program_and_its_own_batch(stage) -> None:
    spec = importlib.util.spec_from_file_location(stage.program, JOBS / f"{stage.program}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    parameters = inspect.signature(module.main).parameters
    for argument in stage.arguments:
        if argument.startswith("--"):
            assert argument[2:].partition("=")[0].replace("-", "_") in parameters
    if stage.batch:
        names = ("batch_size", "gradient_accumulation_steps")
        own = tuple(parameters[name].default if name in parameters else None for name in names)
        assert own == stage.batch
