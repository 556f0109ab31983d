"""What a newcomer meets first: the license, the hooks, the list of targets, and a machine that does not serve."""

import re
import subprocess
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


def listed(target: str) -> list[str]:
    """The targets that `make help` or `make help-all` prints."""
    command = ["make", "--no-print-directory", target]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return re.findall(r"^  ([a-z0-9-]+)  ", done.stdout, re.MULTILINE)


def test_make_help_lists_the_twelve_targets_that_people_use_first() -> None:
    first = listed("help")
    assert len(first) == 12
    assert first[:3] == ["install", "train-extract", "train-os-bert"]


def test_make_help_all_lists_every_target() -> None:
    targets = re.findall(r"^([a-z0-9-]+):(?!=)", MAKEFILE, re.MULTILINE)
    assert sorted(listed("help-all")) == sorted(set(targets) - {"help"})


def test_the_license_is_the_one_that_the_package_names() -> None:
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert text.startswith("MIT License\n")
    assert "the ctiforge authors" in text


def test_the_hooks_are_checks_of_make_test() -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"]
    assert [each["repo"] for each in hooks] == ["local"], "nothing is downloaded"
    run = {re.sub(r"\$\(BIN\)|\.venv/bin", "", line).strip() for line in MAKEFILE.splitlines()}
    for hook in hooks[0]["hooks"]:
        command = hook["entry"].removeprefix(".venv/bin").removesuffix(" --fix")
        assert any(line.startswith(command) for line in run), command


def test_a_machine_that_does_not_serve_is_told_in_one_line() -> None:
    # as far as Windows can be had here: without its modules and signals the command still gets to say so
    code = (
        "import signal, sys\n"
        "sys.modules.update(fcntl=None, pwd=None)\n"
        "del signal.SIGHUP, signal.SIGKILL\n"
        "from ctiforge.cli import main\n"
        "sys.platform = 'win32'\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "error: ctiforge runs on Linux and macOS, not on win32: on Windows, use it inside WSL 2"
    ]
