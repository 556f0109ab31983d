"""Ask programs what they would make, through one process that stays for all questions of a run."""

import json
import os
import subprocess
from collections.abc import Mapping
from typing import Literal

from ctiforge.launcher.backend import Command
from ctiforge.launcher.plan import Answer
from ctiforge.pod.process import CommandOf, command_of
from ctiforge.store.versions import VERSIONS_VARIABLE

Versions = Literal["installed", "image"]


class Planner:
    """The process that answers; it is started by the first question."""

    def __init__(self, versions: Versions, command: CommandOf = command_of) -> None:
        """Plan with the packages of this machine (`installed`), or with those that images are built with."""
        self._command = command
        self._environment = {VERSIONS_VARIABLE: versions}
        self._process: subprocess.Popen[str] | None = None

    def ask(self, commands: Mapping[str, Command]) -> dict[str, Answer]:
        """Ask what each command would make.

        Args:
            commands: The commands by the names of their stages.

        Returns:
            The answers by the same names; one that could not be had says why.
        """
        return {name: self._ask(command) for name, command in commands.items()}

    def check(self, commands: Mapping[str, Command]) -> dict[str, Answer]:
        """Ask whether each command's flags can be read, whatever its inputs are.

        Args:
            commands: The commands by the names of their stages.

        Returns:
            Answers by the same names, without a fingerprint; one whose flags are wrong says so.
        """
        return {name: self._ask(command, flags_only=True) for name, command in commands.items()}

    def estimate(self, commands: Mapping[str, Command]) -> list[str]:
        """Ask what memory each command takes.

        Args:
            commands: The commands by the names of their stages.

        Returns:
            What each program says, a line each after its stage's name; one that could not say tells why.
        """
        return [line for name, command in commands.items() for line in self._estimate(name, command)]

    def close(self) -> None:
        """End the process."""
        if self._process:
            # what ends it is the end of its standard input
            self._process.communicate()
            self._process = None

    def _ask(self, command: Command, *, flags_only: bool = False) -> Answer:
        try:
            return answer_of(self._answered(command, {"flags_only": flags_only}))
        except (OSError, ValueError):
            return Answer(problem=self._ended(command), exit_code=1)

    def _estimate(self, name: str, command: Command) -> list[str]:
        try:
            match self._answered(command, {"estimate": True}):
                case {"lines": list(lines)}:
                    return [f"{name}: {lines[0]}", *lines[1:]]
                case {"problem": str(problem)}:
                    return [f"{name}: what memory it takes cannot be told: {problem}"]
            raise ValueError(command)
        except (OSError, ValueError):
            return [self._ended(command)]

    def _answered(self, command: Command, how: Mapping[str, bool]) -> dict[str, object]:
        process = self._process = self._process or self._start()
        assert process.stdin
        assert process.stdout
        question = {"program": command.program, "arguments": command.arguments, **how}
        print(json.dumps(question), file=process.stdin, flush=True)
        answer: dict[str, object] = json.loads(process.stdout.readline())
        return answer

    def _ended(self, command: Command) -> str:
        """Leave a process that does not answer, so that the next question starts another; say how it ended."""
        if not self._process:
            return f"the planner of {command.program} could not be started"
        process, self._process = self._process, None
        process.kill()
        return f"the planner of {command.program} ended with {process.wait()}"

    def _start(self) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            self._command("plan", ()),
            env={**os.environ, **self._environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            # a Ctrl-C of the terminal is the launcher's to answer
            start_new_session=True,
        )


def answer_of(value: Mapping[str, object]) -> Answer:
    """Read what a program answered. Raises ValueError where that is no answer."""
    match value:
        case {"fingerprint": str() | None as fingerprint, "cached": bool(cached)}:
            return Answer(fingerprint, cached)
        case {"problem": str(problem), "exit_code": int(code)}:
            return Answer(problem=problem, exit_code=code)
    raise ValueError(value)
