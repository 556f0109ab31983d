"""What the README shows exists: targets, verbs, programs and their flags."""

import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SHOWN = [
    line.strip().partition("  #")[0].strip()
    for block in re.findall(r"```console\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    for line in block.replace("\\\n", " ").splitlines()
    if line.strip() and not line.startswith("#")
]


@cache
def help_of(*command):
    return subprocess.run([*command, "--help"], capture_output=True, text=True, check=True).stdout


def flags_in(command):
    return re.findall(r"(?<!\S)--[a-z][a-z-]*", command)


def test_the_readme_shows_commands():
    assert SHOWN[:2] == ["make train-extract", "make test"]


@pytest.mark.parametrize("command", [c for c in SHOWN if c.startswith("make ")])
def test_targets_exist(command):
    target = command.split()[1]
    assert re.search(rf"^{re.escape(target)}:", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.parametrize("command", [c for c in SHOWN if c.startswith("python jobs/")])
def test_programs_have_the_flags(command):
    text = help_of(sys.executable, str(ROOT / command.split()[1]))
    assert all(flag in text for flag in flags_in(command)), command


@pytest.mark.parametrize("command", [c for c in SHOWN if c.startswith("ctiforge ")])
def test_verbs_exist(command):
    verb = command.split()[1]
    assert re.search(rf"^\W*{re.escape(verb)}\b", help_of(str(Path(sys.executable).parent / "ctiforge")), re.MULTILINE)
