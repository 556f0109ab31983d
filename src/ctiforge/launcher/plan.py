"""What a run has to do: which stages are cached, which run, which wait for an earlier one. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from string import Formatter
from typing import Any, Literal

from ctiforge.errors import UsageError
from ctiforge.lines.line import LineStage

Stages = Sequence[LineStage]
AT_THE_END = "everything else, of the model then in use"
Flags = Mapping[str, Mapping[str, str | int | float | bool]]
NODES = ("nodes", "node", "first_node")
SHARDS = ("shards", "shard")


@dataclass(frozen=True)
class Answer:
    """What a program answers to `--plan`; a stage keyed by its output has no fingerprint before it ran."""

    fingerprint: str | None = None
    cached: bool = False
    problem: str | None = None
    """Why the program could not say; None when it could."""
    exit_code: int = 0


@dataclass(frozen=True)
class Planned:
    """One stage of a plan."""

    stage: LineStage
    state: Literal["cached", "runs", "waits", "unknown"]
    fingerprint: str | None = None
    after: str | None = None
    """The stage whose artifact has to be there first."""
    problem: str | None = None


def stages_of(line: Stages, values: Mapping[str, Any]) -> Stages:
    """Give the stages of the line that these settings ask for."""
    return tuple(stage for stage in line if stage.needs is None or values[stage.needs])


def inputs_of(stage: LineStage, line: Stages) -> list[str]:
    """Give the names of the stages whose artifacts the stage takes."""
    names = {each.name for each in line}
    return [place for argument in stage.arguments for place in _places(argument) if place in names]


def missing_input(stage: LineStage, line: Stages, artifacts: Mapping[str, str]) -> str | None:
    """Give the first stage whose artifact is needed and not there yet."""
    return next((name for name in inputs_of(stage, line) if name not in artifacts), None)


def arguments_of(
    stage: LineStage, values: Mapping[str, Any], artifacts: Mapping[str, str], flags: Flags
) -> tuple[str, ...]:
    """Give the program's arguments: the table's, then the settings' own flags for this program and this stage.

    `values` are settings by name, `artifacts` the URI of each stage's artifact.
    """
    places = {**values, **artifacts}
    filled = [each for argument in stage.arguments for each in _filled(argument, places)]
    own = {**flags.get(stage.program, {}), **flags.get(stage.name, {})}
    return (*filled, *(_flag(name, value) for name, value in own.items()))


def flags_given(stage: LineStage) -> list[str]:
    """Give the names of the flags, with underscores, that the table gives the stage's program."""
    flags = (argument.partition("=")[0] for argument in stage.arguments if argument.startswith("--"))
    return [flag.removeprefix("--").replace("-", "_") for flag in flags]


def merge_flags(defaults: Flags, own: Flags) -> Flags:
    """Both, `own` first where both name a stage's flag."""
    return {name: {**defaults.get(name, {}), **own.get(name, {})} for name in {**defaults, **own}}


def check_flags(flags: Flags, lines: Iterable[Stages]) -> None:
    """Raise UsageError naming a stage that none of the lines has, or a flag that is not a run's to give.

    One file of settings serves all lines.
    """
    known = {name for line in lines for stage in line for name in (stage.name, stage.program)}
    for name, given in flags.items():
        if name not in known:
            raise UsageError(f"stages.{name}: there is no such stage; there are {', '.join(sorted(known))}")
        check_one_process(name, given)


def check_one_process(stage: str, flags: Iterable[str]) -> None:
    """Raise UsageError naming a flag of a program that does a part alone: a run starts each stage once."""
    for flag in flags:
        for of_one, value in ((NODES, "nodes"), (SHARDS, "shards")):
            if flag.replace("-", "_") in of_one:
                raise UsageError(
                    f"stages.{stage}: {flag} is not a run's to give, which starts each stage once: in the cluster set "
                    f"stages.PROGRAM.{value} of the chart's values; by hand see docs/machines.md"
                )


def make_plan(line: Stages, artifacts: Mapping[str, str], answers: Mapping[str, Answer]) -> list[Planned]:
    """Give the plan: `answers` of the stages that could be asked, `artifacts` of those that are cached."""
    return [_planned(stage, line, artifacts, answers.get(stage.name)) for stage in line]


def describe(plan: Sequence[Planned], notes: Mapping[str, str] | None = None) -> list[str]:
    """Give the plan for people, one line a stage, with the note about it where there is one."""
    width = max(len(each.stage.name) for each in plan)
    lines = (f"  {each.stage.name:<{width}}  {_words(each)}  {(notes or {}).get(each.stage.name, '')}" for each in plan)
    return [line.rstrip() for line in lines]


def _planned(stage: LineStage, line: Stages, artifacts: Mapping[str, str], answer: Answer | None) -> Planned:
    after = AT_THE_END if stage.of_champion and answer is None else missing_input(stage, line, artifacts)
    if after:
        return Planned(stage, "waits", after=after)
    if answer is None:
        return Planned(stage, "cached" if stage.name in artifacts else "runs")
    if answer.problem:
        return Planned(stage, "unknown", problem=answer.problem)
    return Planned(stage, "cached" if answer.cached else "runs", answer.fingerprint)


def _words(planned: Planned) -> str:
    short = (planned.fingerprint or "")[:12]
    if planned.state == "cached":
        return f"cached {short}"
    if planned.state == "waits":
        return f"after {planned.after}"
    if planned.state == "unknown":
        return f"cannot be planned yet: {planned.problem}"
    return f"runs {short}".rstrip()


def _filled(argument: str, values: Mapping[str, Any]) -> list[str]:
    """Give the argument once, not at all, or once for each value of a list; see `lines`."""
    found = {place: values.get(place) for place in _places(argument)}
    if any(value is None or value is False for value in found.values()):
        return []
    if any(value is True for value in found.values()):
        return [argument.partition("=")[0]]
    for place, value in found.items():
        if isinstance(value, tuple):
            return [argument.format(**found | {place: each}) for each in value]
    return [argument.format(**found)]


def _places(argument: str) -> list[str]:
    return [place for _, place, _, _ in Formatter().parse(argument) if place]


def _flag(name: str, value: str | int | float | bool) -> str:
    flag = name.replace("_", "-")
    if isinstance(value, bool):
        return f"--{flag}" if value else f"--no-{flag}"
    return f"--{flag}={value}"
