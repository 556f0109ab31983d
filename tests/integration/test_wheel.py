"""The wheel in an environment of its own: every verb starts, and plans are those of the checkout and the image."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

import pytest
import typer

from ctiforge.cli import app
from ctiforge.pod.process import command_of
from tests.unit.test_cli import paths

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Installed:
    """An environment with the wheel, and a folder that no checkout is in."""

    python: Path
    folder: Path

    def run(self, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        """Run the environment's `ctiforge`."""
        return subprocess.run(
            [str(self.python.with_name("ctiforge")), *arguments],
            cwd=self.folder,
            env=self.environment | environment,
            capture_output=True,
            text=True,
            check=False,
        )

    @property
    def environment(self) -> dict[str, str]:
        """This one's variables, without those that lead to the checkout."""
        ours = ("CTIFORGE_", "DATABASE_URL", "PYTHONPATH", "VIRTUAL_ENV")
        return {name: value for name, value in os.environ.items() if not name.startswith(ours)}


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """The wheel that `make dist` builds, installed; what it depends on is the tests' own."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    # a copy: a build leaves its own in the tree, where files that are gone would live on
    shutil.copytree(ROOT / "src", folder / "source" / "src", ignore=shutil.ignore_patterns("*.egg-info", "__pycache__"))
    for path in (ROOT / "pyproject.toml", ROOT / "README.md", *ROOT.glob("LICENSE")):
        shutil.copy(path, folder / "source")
    subprocess.run([*pip, "wheel", "--no-deps", f"--wheel-dir={folder}", str(folder / "source")], check=True)
    (wheel,) = folder.glob("ctiforge-*.whl")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder / "env")], check=True)
    python = folder / "env" / "bin" / "python"
    subprocess.run([*pip[:3], "--python", str(python), *pip[3:], "install", "--no-deps", str(wheel)], check=True)
    query = "import sysconfig; print(sysconfig.get_path('purelib'))"
    own = subprocess.run([str(python), "-c", query], check=True, capture_output=True, text=True).stdout.strip()
    # a plain line adds a folder to the path, and reads no .pth file of it: the checkout stays unknown
    (Path(own) / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    (folder / "here").mkdir()
    return Installed(python, folder / "here")


def test_the_package_is_the_wheels(installed: Installed) -> None:
    code = "import ctiforge; print(ctiforge.__file__)"
    done = subprocess.run(
        [str(installed.python), "-c", code], capture_output=True, text=True, env=installed.environment, check=True
    )
    assert "site-packages" in done.stdout
    assert str(ROOT) not in done.stdout


def test_every_verb_starts(installed: Installed) -> None:
    code = (
        "import sys, json\nfrom contextlib import suppress\nfrom ctiforge.cli import app\n"
        "for path in json.loads(sys.argv[1]):\n"
        "    with suppress(SystemExit):\n        app([*path, '--help'])"
    )
    tree = list(paths(typer.main.get_command(app)))
    done = subprocess.run(
        [str(installed.python), "-c", code, json.dumps(tree)],
        capture_output=True, text=True, env=installed.environment, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout.count("Usage: ")) == (0, len(tree)), done.stderr


@pytest.mark.slow
def test_a_line_is_planned_and_its_cheap_stages_run(installed: Installed) -> None:
    planned = installed.run("run", "extract", "--dry-run")
    assert planned.returncode == 0, planned.stderr
    assert "harvest_extract        runs" in planned.stdout

    article = {
        "id": "1", "url": "https://x.invalid/1", "title": "One", "content": "They ran whoami /all on every host.",
        "content_hash": "1", "observables": [{"type": "cmdline", "value": "whoami /all"}],
        "labelled_types": ["cmdline"], "labelled_by": "human", "annotator": "me",
    }  # fmt: skip
    (installed.folder / "review.jsonl").write_text(json.dumps(article) + "\n")
    for arguments in (
        ("config",),
        ("doctor",),
        ("testset", "import", "review.jsonl", "--name=mine"),
        ("testset", "list"),
        ("eval-extract", "--model=regex", "--test-data=testset:mine", "--store=.ctiforge/store"),
        ("extract", "review.jsonl", "--model=regex"),
        ("models",),
        ("gc",),
        ("runs",),
    ):
        done = installed.run(*arguments)
        assert done.returncode == 0, f"{arguments}: {done.stderr}"


def test_plans_for_an_image_are_those_of_the_checkout(installed: Installed) -> None:
    (installed.folder / "examples").mkdir()
    for part in ("train.jsonl", "validation.jsonl"):
        (installed.folder / "examples" / part).touch()
    question = {"program": "train_extract", "arguments": ["--data=examples", "--model=demo", "--store=plans"]}
    image = {"CTIFORGE_VERSIONS": "image"}
    answers = [
        json.loads(
            subprocess.run(
                command, input=json.dumps(question) + "\n", cwd=installed.folder, env=environment | image,
                capture_output=True, text=True, check=True,
            ).stdout
        )
        for command, environment in (
            ([str(installed.python), "-m", "ctiforge.programs.plan"], installed.environment),
            (command_of("plan"), dict(os.environ)),
        )
    ]  # fmt: skip
    assert len(answers[0]["fingerprint"]) == 64
    assert answers[0] == answers[1]
