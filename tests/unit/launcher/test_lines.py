"""The table of lines agrees with the programs and the settings that it names."""

from importlib import import_module
from string import Formatter
from typing import Any

import pytest
import typer

from ctiforge.launcher.lines import DEMO_FLAGS, LINES, SETTINGS
from ctiforge.settings import Settings

STAGES = [stage for line in LINES.values() for stage in line]


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
    for stage in LINES[name]:
        places = {place for argument in stage.arguments for _, place, _, _ in Formatter().parse(argument) if place}
        assert places <= earlier | set(Settings.model_fields)
        assert stage.needs is None or stage.needs in Settings.model_fields
        assert stage.name not in earlier
        earlier.add(stage.name)


@pytest.mark.parametrize("name", LINES)
def test_a_line_has_settings_of_its_own_and_uses_them(name: str) -> None:
    own = {SETTINGS[name].model, SETTINGS[name].test_set, SETTINGS[name].in_use}
    assert SETTINGS[name].eval_in_use in [stage.name for stage in LINES[name] if stage.needs == SETTINGS[name].in_use]
    assert own <= set(Settings.model_fields)
    used = {place for stage in LINES[name] for each in stage.arguments for _, place, _, _ in Formatter().parse(each)}
    assert own <= used
    assert not used & {field for other in SETTINGS if other != name for field in vars(SETTINGS[other]).values()}


@pytest.mark.parametrize("name", LINES)
def test_a_line_ends_with_the_gate_where_that_is_asked_for(name: str) -> None:
    last = LINES[name][-1]
    assert (last.program, last.arguments[0], last.needs, last.live) == ("promote", name, "promote_auto", True)


def test_what_reads_a_database_always_runs() -> None:
    assert {stage.name for stage in STAGES if stage.reads_database} < {stage.name for stage in STAGES if stage.live}


@pytest.mark.parametrize("program", DEMO_FLAGS)
def test_the_demos_flags_are_flags_of_their_programs(program: str) -> None:
    assert program in {stage.program for stage in STAGES}
    assert set(DEMO_FLAGS[program]) <= set(flags_of(program))
