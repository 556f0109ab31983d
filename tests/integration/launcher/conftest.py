"""`ctiforge` with stand-ins for its programs, in this process, or in processes of its own for signals."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import chdir, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from unittest.mock import patch

import pytest

from ctiforge.cli import app
from ctiforge.launcher import local, opening
from ctiforge.launcher.backend import Command, Event, Outcome
from ctiforge.launcher.local import LocalBackend, tell
from ctiforge.launcher.plan import Answer
from ctiforge.launcher.planner import answer_of
from ctiforge.pod.entry import exit_on_error
from ctiforge.programs.plan import answer
from tests.in_process import captured, exit_code
from tests.integration.launcher import stand_ins

ROOT = Path(__file__).parents[3]
COMMIT = "c" * 40


class InProcessBackend:
    """Runs the stand-ins in this process, one after the other."""

    goes_on = LocalBackend.goes_on
    brings_demo = True

    def ask(self, commands: Mapping[str, Command]) -> dict[str, Answer]:
        """Ask the stand-ins what they would make."""
        return {name: self._ask(command) for name, command in commands.items()}

    def check(self, commands: Mapping[str, Command]) -> dict[str, Answer]:
        """Take any flags, as the stand-ins do."""
        return dict.fromkeys(commands, Answer())

    def estimate(self, commands: Mapping[str, Command]) -> list[str]:
        """Say which stages are asked about."""
        return [f"memory of {name}" for name in commands]

    def close(self) -> None:
        """Nothing is open."""

    def run(self, command: Command, on_event: Callable[[Event], None]) -> Outcome:
        """Run the stand-in to its end; what it said is told afterwards."""
        environment = {**os.environ, **command.environment}
        with patch.dict(os.environ, environment, clear=True), captured() as (output, errors):
            code = exit_code(lambda: stand_ins.run(command.program, command.arguments))
        said = [(True, each) for each in output.getvalue().splitlines()]
        said += [(False, each) for each in errors.getvalue().splitlines()]
        return Outcome(code, *tell(said, on_event))

    def _ask(self, command: Command) -> Answer:
        program = stand_ins.program_of(command.program, command.arguments)
        return answer_of(answer(program, stand_ins.known(program, command.arguments)))


@dataclass
class World:
    """A working folder with the stand-ins, and what can be seen of them afterwards."""

    folder: Path
    environment: dict[str, str]
    swept: bool = False
    """Whether the training is one whose flags a sweep tries."""
    hub: dict[str, str] = field(default_factory=dict)
    """What names of the Hub stand for now; others stay as they are."""

    def control(self, **programs: dict[str, object]) -> None:
        """Tell programs how to behave from now on."""
        control = {**programs, **({stand_ins.SWEPT: {}} if self.swept else {})}
        (self.folder / "control.json").write_text(json.dumps(control))

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        """Start `ctiforge` with these arguments in a process of its own, and so each of its programs."""
        return subprocess.Popen(
            [sys.executable, "-m", "tests.integration.launcher.stand_ins", "ctiforge", *arguments],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            # what a shell's background job or nohup ignores, what it starts would inherit
            preexec_fn=lambda: [signal.signal(each, signal.SIG_DFL) for each in (signal.SIGINT, signal.SIGHUP)],
        )

    def ctiforge(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run `ctiforge` with these arguments to its end, in this process."""
        with (
            self.entered(),
            patch.object(local, "LocalBackend", InProcessBackend),
            patch.object(opening, "pin", lambda model: self.hub.get(model, model)),
            captured() as (output, errors),
        ):
            code = exit_code(lambda: exit_on_error(lambda: app(arguments)))
        return subprocess.CompletedProcess(arguments, code, output.getvalue(), errors.getvalue())

    @contextmanager
    def entered(self) -> Iterator[None]:
        """This process in the working folder, with its environment."""
        with chdir(self.folder), patch.dict(os.environ, self.environment, clear=True):
            yield

    def worked(self) -> list[str]:
        """The programs that have worked since the last look, in order."""
        path = self.folder / "worked.txt"
        names = path.read_text().split() if path.exists() else []
        path.unlink(missing_ok=True)
        return names

    def result(self, program: str) -> dict[str, object]:
        """What the program saw when it worked last."""
        found: dict[str, object] = json.loads((self.folder / f"{program}.result.json").read_text())
        return found

    def database(self) -> list[str]:
        """What the demo database was told."""
        path = self.folder / "database.txt"
        return path.read_text().split() if path.exists() else []


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A fresh working folder with an empty store."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("CTIFORGE_", "DATABASE_URL"))}
    world = World(
        tmp_path,
        {
            **clean,
            "CTIFORGE_MODEL": f"some/base@{COMMIT}",
            "CONTROL": str(tmp_path / "control.json"),
            "COLUMNS": "200",
            "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])),
        },
    )
    world.control()
    return world
