"""The command's tree: every verb and program is in it, with its own help, and help imports nothing heavy."""

import json
import pkgutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

import ctiforge.programs
from ctiforge.cli import COMMANDS, GROUPS, app
from tests.in_process import captured, exit_code

ROOT = Path(__file__).parents[2]
# typer itself imports pydantic, where that is installed
HEAVY = ("obstore", "boto3", "rich", "torch", "transformers", "numpy", "datasets", "pyarrow")
BEHIND_THE_SCENES = {"check_devices", "demo_database", "flags", "in_pod", "plan"}
"""Modules of programs that no verb mounts: the launcher and containers start them."""


def paths(command: object, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The words that lead to every command of the tree."""
    yield path
    for name, each in getattr(command, "commands", {}).items():
        yield from paths(each, (*path, name))


TREE = list(paths(typer.main.get_command(app)))


def help_of(*path: str) -> str:
    with captured() as (output, errors):
        assert exit_code(lambda: app([*path, "--help"])) == 0, errors.getvalue()
    return output.getvalue()


def test_help_of_everything_imports_nothing_heavy() -> None:
    code = (
        "import sys, json\n"
        "from contextlib import redirect_stdout, suppress\n"
        "from io import StringIO\n"
        "from ctiforge.cli import app\n"
        "for path in json.loads(sys.argv[1]):\n"
        "    with redirect_stdout(StringIO()), suppress(SystemExit):\n"
        "        app([*path, '--help'])\n"
        "print(json.dumps(sorted(sys.modules)))"
    )
    answer = subprocess.run([sys.executable, "-c", code, json.dumps(TREE)], capture_output=True, text=True, check=True)
    assert not set(HEAVY) & {name.partition(".")[0] for name in json.loads(answer.stdout)}


@pytest.mark.parametrize("path", TREE, ids=" ".join)
def test_every_verb_tells_its_usage(path: tuple[str, ...]) -> None:
    text = help_of(*path)
    assert text.startswith("Usage: ")
    assert " ".join(path) in text
    assert "--help" in text


def test_the_command_lists_every_verb_with_a_line_that_fits() -> None:
    text = help_of()
    for name, _, said in (*COMMANDS, *GROUPS):
        assert f"\n  {name} " in text
        assert said in text


def test_the_command_says_its_version() -> None:
    with captured() as (output, _):
        assert exit_code(lambda: app(["--version"])) == 0
    assert output.getvalue() == f"ctiforge {ctiforge.__version__}\n"


def test_every_program_is_mounted() -> None:
    mounted = {program.__module__ for _, program, _ in COMMANDS}
    mounted |= {command.callback.__module__ for _, group, _ in GROUPS for command in group.registered_commands}
    found = {module.name for module in pkgutil.iter_modules(ctiforge.programs.__path__)} - BEHIND_THE_SCENES
    assert {name.rpartition(".")[2] for name in mounted if name.startswith("ctiforge.programs.")} == found


@pytest.mark.parametrize("program", sorted(path.stem for path in (ROOT / "jobs").glob("*.py")))
def test_a_file_of_jobs_only_starts_its_program(program: str) -> None:
    text = (ROOT / "jobs" / f"{program}.py").read_text(encoding="utf-8")
    assert f"from ctiforge.programs.{program} import " in text
    assert len(text.splitlines()) <= 8


def test_the_shell_is_offered_completion() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from ctiforge.cli import main; main()", "--show-completion", "bash"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "COMPREPLY" in done.stdout
