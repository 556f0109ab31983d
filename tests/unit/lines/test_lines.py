"""The table of lines agrees with the programs and the settings that it names."""

import json
from importlib import import_module
from pathlib import Path
from string import Formatter
from typing import Any, get_args

import pytest
import typer

from ctiforge.errors import UsageError
from ctiforge.lines import LINES, find_line
from ctiforge.programs.export_model import FORMATS
from ctiforge.records.exported import FileType
from ctiforge.settings import settings_class

STAGES = [stage for line in LINES.values() for stage in line.stages]
SCHEMA = Path(__file__).parents[3] / "helm/ctiforge/values.schema.json"
FIELDS = set(settings_class().model_fields)
BASES = [base for line in LINES.values() for base in line.bases.values()]


def flags_of(program: str) -> dict[str, Any]:
    """The parameters of a program by the names of their flags, as Python would write them."""
    app = typer.Typer()
    app.command()(import_module(f"ctiforge.programs.{program}").main)
    parameters = typer.main.get_command(app).params
    return {flag.removeprefix("--").replace("-", "_"): each for each in parameters for flag in each.opts}


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.name)
def test_a_stage_names_flags_of_its_program_and_its_own_batch(stage) -> None:
    parameters = flags_of(stage.program)
    for argument in stage.arguments:
        if argument.startswith("--"):
            assert argument[2:].partition("=")[0].replace("-", "_") in parameters
    if stage.batch:
        names = ("batch_size", "gradient_accumulation_steps")
        own = tuple(parameters[name].default if name in parameters else None for name in names)
        assert own == stage.batch


@pytest.mark.parametrize("name", LINES)
def test_a_place_is_a_setting_or_an_earlier_stage(name: str) -> None:
    earlier: set[str] = set()
    for stage in LINES[name].stages:
        places = {place for argument in stage.arguments for _, place, _, _ in Formatter().parse(argument) if place}
        assert places <= earlier | FIELDS | ({"champion"} if stage.of_champion else set())
        assert stage.needs is None or stage.needs in FIELDS
        assert stage.name not in earlier
        earlier.add(stage.name)


@pytest.mark.parametrize("name", LINES)
def test_a_line_has_settings_of_its_own_and_uses_them(name: str) -> None:
    line = LINES[name]
    own = {setting.name for setting in line.settings}
    assert {line.model, line.test_set, line.in_use} <= own
    assert line.eval_in_use in [stage.name for stage in line.stages]
    used = {place for stage in line.stages for each in stage.arguments for _, place, _, _ in Formatter().parse(each)}
    assert own <= used
    assert not used & {setting.name for other in LINES.values() if other is not line for setting in other.settings}


@pytest.mark.parametrize("name", LINES)
def test_what_a_line_names_besides_is_among_its_stages(name: str) -> None:
    line = LINES[name]
    programs = {stage.program for stage in line.stages}
    assert line.evaluation in programs
    assert line.trained_on.stage in {stage.name for stage in line.stages}
    for base in line.bases.values():
        assert set(base.flags) <= programs | {stage.name for stage in line.stages}
    assert set(line.swept.ranges) <= set(flags_of(line.stage(line.swept.stage).program))


def test_a_line_that_is_not_there_is_told_with_those_that_are() -> None:
    with pytest.raises(UsageError, match="there is no line bread; there is extract, os-bert"):
        find_line("bread")


@pytest.mark.parametrize("name", LINES)
def test_a_line_ends_with_the_gate_where_that_is_asked_for(name: str) -> None:
    last = [stage for stage in LINES[name].stages if not stage.of_champion][-1]
    assert (last.program, last.arguments[0], last.needs, last.live) == ("promote", name, "promote_auto", True)


def test_what_reads_a_database_always_runs() -> None:
    assert {stage.name for stage in STAGES if stage.reads_database} < {stage.name for stage in STAGES if stage.live}


@pytest.mark.parametrize(("name", "flags"), [each for base in BASES for each in base.flags.items()])
def test_the_flags_of_a_known_base_are_flags_of_their_programs(name: str, flags: dict[str, object]) -> None:
    program = next(stage.program for stage in STAGES if name in (stage.name, stage.program))
    assert set(flags) <= set(flags_of(program))


def test_an_export_that_the_settings_and_the_chart_allow_is_one_that_the_program_knows() -> None:
    patterns = {each.name: each.pattern for each in LINES["extract"].settings}
    schema = json.loads(SCHEMA.read_text())["properties"]["settings"]["properties"]["export"]["properties"]
    one = f"({'|'.join(get_args(FileType))})"
    assert patterns["export_types"] == f"{one}(,{one})*"
    assert schema["types"]["pattern"] == f"^{one}(,{one})*$"
    formats = str(patterns["export_format"]).split("|")
    # a store is no folder of LM Studio
    assert set(formats) == set(FORMATS) - {"lmstudio"}
    assert schema["format"]["enum"] == ["", *formats]
