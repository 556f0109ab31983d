"""What the wheel costs: its size, how long it takes to install with all it needs, and to answer a first --help."""

import shutil
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import typer

from ctiforge.pod.entry import run_program
from ctiforge.tables import print_table

ROOT = Path(__file__).parents[1]


def main() -> None:
    """Build the wheel, install it into a fresh environment, and start it twice."""
    with TemporaryDirectory() as scratch:
        folder = Path(scratch)
        wheel = build(folder)
        steps = {
            "environment": [sys.executable, "-m", "venv", str(folder / "env")],
            "install, with the dependencies": [
                str(folder / "env/bin/pip"), "install", "--quiet", "--disable-pip-version-check",
                "-c", str(ROOT / "src/ctiforge/constraints.txt"), str(wheel),
            ],
            "first --help": [str(folder / "env/bin/ctiforge"), "--help"],
            "second --help": [str(folder / "env/bin/ctiforge"), "--help"],
        }  # fmt: skip
        rows = [("wheel, MB", f"{wheel.stat().st_size / 1e6:.2f}")]
        rows += [(f"{name}, s", f"{seconds(command):.2f}") for name, command in steps.items()]
    print_table("the wheel", ("", ""), rows)


def build(folder: Path) -> Path:
    """Build the wheel of a copy of the sources: in the tree, files that are gone would live on in its build folder."""
    shutil.copytree(ROOT / "src", folder / "src", ignore=shutil.ignore_patterns("*.egg-info", "__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", f"--wheel-dir={folder}", str(folder)]
    subprocess.run(command, check=True)
    return next(folder.glob("*.whl"))


def seconds(command: list[str]) -> float:
    """Run a command to its end; give the seconds that it took. Raises typer.Exit where it fails."""
    started = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        print(done.stderr, file=sys.stderr)
        raise typer.Exit(done.returncode)
    return time.monotonic() - started


if __name__ == "__main__":
    run_program(main)
