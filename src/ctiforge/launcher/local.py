"""The local backend: programs as subprocesses of this machine, each in a process group of its own."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from queue import Empty, SimpleQueue
from signal import SIGTERM
from threading import Thread

from ctiforge.launcher.backend import Command, Event, Made, Outcome, Said, read_event
from ctiforge.launcher.plan import Answer
from ctiforge.launcher.planner import Planner
from ctiforge.launcher.signals import HeldSignals
from ctiforge.pod.process import CommandOf, Program, command_of

KEEP_LINES = 2_000
LOOK_FOR_SIGNALS_S = 0.2


class LocalBackend:
    """Runs programs on this machine."""

    goes_on = ""
    brings_demo = True

    def __init__(self, command: CommandOf = command_of) -> None:
        """Run the programs whose command lines `command` gives."""
        self._command = command
        self._planner = Planner("installed", command)

    def ask(self, commands: Mapping[str, Command]) -> dict[str, Answer]:
        """Ask what each command would make; see `Backend.ask`."""
        return self._planner.ask(commands)

    def check(self, commands: Mapping[str, Command]) -> dict[str, Answer]:
        """Ask whether each command's flags can be read; see `Backend.check`."""
        return self._planner.check(commands)

    def estimate(self, commands: Mapping[str, Command]) -> list[str]:
        """Ask what memory each command takes; see `Backend.estimate`."""
        return self._planner.estimate(commands)

    def close(self) -> None:
        """End what answers questions."""
        self._planner.close()

    def run(self, command: Command, on_event: Callable[[Event], None]) -> Outcome:
        """Run the program to its end; see `Backend.run`. A second Ctrl-C kills it."""
        said = _Lines()
        program = Program.start(self._command(command.program, command.arguments), said.add, command.environment)
        ended: list[int] = []

        def wait() -> None:
            ended.append(program.wait())
            said.end()

        Thread(target=wait, daemon=True).start()
        try:
            lines, made = tell(said, on_event)
        except BaseException:
            program.signal(SIGTERM)
            on_event(Said(f"stopping {command.program}, which may save its state first; Ctrl-C again kills it"))
            _wait_or_kill(program)
            raise
        return Outcome(ended[0], lines, made)


def tell(said: Iterable[tuple[bool, str]], on_event: Callable[[Event], None]) -> tuple[tuple[str, ...], Made | None]:
    """Tell what a program said while it says it: its events, its output and its warnings.

    Args:
        said: Its lines, each with whether it came from standard output.
        on_event: What is told.

    Returns:
        The last lines that are no events, and which artifact was made.
    """
    lines: deque[str] = deque(maxlen=KEEP_LINES)
    made: Made | None = None
    for is_output, line in said:
        event = read_event(line)
        if isinstance(event, Made):
            made = event
            continue
        if isinstance(event, Said):
            lines.append(line)
            if not (is_output or line.startswith("warning:")):
                continue
        on_event(event)
    return tuple(lines), made


class _Lines:
    """The lines of a program's two streams, in the order in which they came."""

    def __init__(self) -> None:
        self._queue: SimpleQueue[tuple[bool, str] | None] = SimpleQueue()
        self._begun = {1: b"", 2: b""}
        """What came of each stream's line that has no end yet; each is touched by its reader alone."""

    def add(self, stream: int, data: bytes) -> None:
        """Take in what a stream (1 or 2) brought."""
        *lines, self._begun[stream] = (self._begun[stream] + data).split(b"\n")
        for line in lines:
            self._put(stream, line)

    def end(self) -> None:
        """Nothing more comes."""
        for stream, line in self._begun.items():
            if line:
                self._put(stream, line)
        self._queue.put(None)

    def __iter__(self) -> Iterator[tuple[bool, str]]:
        """Give (from standard output?, line) up to the end; raise what a signal means in between."""
        with HeldSignals() as signals:
            while True:
                signals.check()
                try:
                    item = self._queue.get(timeout=LOOK_FOR_SIGNALS_S)
                except Empty:
                    continue
                if item is None:
                    return
                yield item

    def _put(self, stream: int, line: bytes) -> None:
        self._queue.put((stream == 1, line.decode(errors="replace").rstrip()))


def _wait_or_kill(program: Program) -> None:
    try:
        program.wait()
    except (KeyboardInterrupt, SystemExit):
        program.kill()
        program.wait()
