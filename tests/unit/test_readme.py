"""What README, docs and examples show exists: targets, verbs, flags, settings, variables, chart values, links."""

import re
import shlex
import tomllib
from pathlib import Path

import pytest
import yaml
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from ctiforge.cli import app
from ctiforge.lines import LINES
from ctiforge.settings import settings_class

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "helm/ctiforge/README.md"])
TEXTS = {page.relative_to(ROOT).as_posix(): page.read_text(encoding="utf-8") for page in PAGES}
SCRIPTS = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / "examples").glob("*.sh")}
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
TARGETS = set(re.findall(r"^([a-z0-9-]+):", MAKEFILE, re.MULTILINE))
VALUES = yaml.safe_load((ROOT / "helm/ctiforge/values.yaml").read_text(encoding="utf-8"))
ROOT_COMMAND = get_command(app)
# commands of others, and what the container's own entry point or make takes
FOREIGN = {"--from-env-file", "--from", "--help", "--install-completion", "--values", "--logs", "--namespace"}


def blocks(language: str) -> list[str]:
    """What all pages show in this language."""
    return [text for page in TEXTS.values() for text in re.findall(rf"```{language}\n(.*?)```", page, re.DOTALL)]


def lines(text: str) -> list[str]:
    """The commands of a block, comments left out."""
    shown = (
        line.strip().partition("  #")[0].partition(" # ")[0].strip() for line in text.replace("\\\n", " ").splitlines()
    )
    return [line for line in shown if line and not line.startswith("#")]


COMMANDS = sorted({line for block in blocks("console") for line in lines(block)})
IN_SCRIPTS = sorted(
    {
        line[line.index("ctiforge ") :].replace('"', "")
        for text in SCRIPTS.values()
        for line in lines(text)
        if re.search(r"(^|\|\| |\$namespace )ctiforge ", line)
    }
)
SPANS = sorted({span for page in TEXTS.values() for span in re.findall(r"(?<!`)`([^`\n]+)`(?!`)", page)})


def find_command(words: list[str]) -> tuple[TyperCommand | TyperGroup, list[str]]:
    """The verb that the words name, and what comes after it. KeyError where there is none."""
    command = ROOT_COMMAND
    while isinstance(command, TyperGroup) and words and not words[0].startswith("-"):
        command, words = command.commands[words[0]], words[1:]
    return command, words


def every_command(command=ROOT_COMMAND):
    """Every verb below a command."""
    if not isinstance(command, TyperGroup):
        return [command]
    return [command, *(each for below in command.commands.values() for each in every_command(below))]


FLAGS = {flag for each in every_command() for param in each.params for flag in (*param.opts, *param.secondary_opts)}


def test_the_readme_shows_two_commands_first_and_is_short() -> None:
    readme = TEXTS["README.md"]
    assert lines(re.findall(r"```console\n(.*?)```", readme, re.DOTALL)[0]) == ["make train-extract", "make test"]
    assert len(readme.splitlines()) <= 120


@pytest.mark.parametrize("command", [each for each in COMMANDS if each.startswith("make ")])
def test_targets_exist(command: str) -> None:
    assert command.split()[1] in TARGETS


@pytest.mark.parametrize("span", [each for each in SPANS if each.startswith("make ")])
def test_targets_in_the_text_exist(span: str) -> None:
    assert span.split()[1] in TARGETS


@pytest.mark.parametrize("command", [each for each in (*COMMANDS, *IN_SCRIPTS) if each.startswith("ctiforge ")])
def test_verbs_take_what_they_are_given(command: str) -> None:
    verb, rest = find_command(shlex.split(command)[1:])
    # parsed as on a real command line: an unknown flag, a missing argument, a value of another type raises
    verb.make_context(verb.name, rest)


@pytest.mark.parametrize("span", [each for each in SPANS if each.startswith("ctiforge ") and "<" not in each])
def test_verbs_in_the_text_exist(span: str) -> None:
    verb, rest = find_command(span.split()[1:])
    known = {flag for param in verb.params for flag in (*param.opts, *param.secondary_opts)} | FOREIGN
    assert {word.partition("=")[0] for word in rest if word.startswith("--")} <= known


@pytest.mark.parametrize("span", [each for each in SPANS if each.startswith("--")])
def test_flags_in_the_text_exist(span: str) -> None:
    assert re.split(r"[ =]", span)[0] in FLAGS | FOREIGN


@pytest.mark.parametrize("command", [each for each in COMMANDS if not each.startswith(("make ", "ctiforge "))])
def test_other_commands_are_known(command: str) -> None:
    assert command.startswith(("export ", "kubectl ", "helm ", "cosign ", ".venv/bin/p"))
    for path in re.findall(r"(?:helm|examples)/[\w./-]+", command):
        assert (ROOT / path).exists()


@pytest.mark.parametrize("block", blocks("toml"))
def test_settings_are_valid(block: str) -> None:
    settings = settings_class()(**tomllib.loads(block))
    programs = {stage.name: stage.program for line in LINES.values() for stage in line.stages}
    for stage, given in settings.stages.items():
        command, _ = find_command([programs.get(stage, stage).replace("_", "-")])
        known = {param.name for param in command.params}
        assert set(given) <= known, stage


def test_variables_exist() -> None:
    sources = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "src").rglob("*.py"))
    sources += "".join((ROOT / name).read_text(encoding="utf-8") for name in ("tests/conftest.py", "Makefile"))
    named = {name for page in (*TEXTS.values(), *SCRIPTS.values()) for name in re.findall(r"CTIFORGE_[A-Z_]+\b", page)}
    settings = {f"CTIFORGE_{name.upper()}" for name in settings_class().model_fields}
    assert [name for name in sorted(named - settings - {"CTIFORGE_"}) if name not in sources] == []


@pytest.mark.parametrize("span", [each for each in SPANS if re.fullmatch(r"[a-zA-Z]+(\.[\w<>-]+)+(=\S+)?", each)])
def test_values_of_the_chart_in_the_text_exist(span: str) -> None:
    path = span.partition("=")[0].split(".")
    if path[0] not in VALUES or path[-1] in ("toml", "json", "txt", "md", "png", "env"):
        return
    node = {**VALUES, "stages": {name: {**VALUES["defaults"], **each} for name, each in VALUES["stages"].items()}}
    # what is below `settings.stages` are flags of programs
    for part in path[:2] if path[:2] == ["settings", "stages"] else path:
        node = next(iter(node.values())) if part.startswith("<") or part == "*" else node[part]


@pytest.mark.parametrize("page", [name for name in TEXTS if not name.startswith("docs/")])
def test_links_lead_somewhere(page: str) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)", TEXTS[page]):
        assert ((ROOT / page).parent / target).exists(), target


def test_python_that_is_shown_imports_what_is_there() -> None:
    for block in blocks("python"):
        compile(block, "shown", "exec")
        for line in re.findall(r"^from ctiforge.* import .*$", block, re.MULTILINE):
            exec(line, {})
