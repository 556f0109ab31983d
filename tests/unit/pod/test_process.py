import os
import signal
import sys
from queue import SimpleQueue

import pytest

from ctiforge.pod.process import Program, command_of

SAYS = SimpleQueue[tuple[int, bytes]]


def start(code: str, **environment: str) -> tuple[Program, SAYS]:
    said: SAYS = SimpleQueue()
    program = Program.start([sys.executable, "-c", code], lambda *each: said.put(each), environment)
    return program, said


def everything(said: SAYS, stream: int) -> bytes:
    chunks = [said.get() for _ in range(said.qsize())]
    return b"".join(data for number, data in chunks if number == stream)


def test_a_program_of_the_package_is_a_module_of_this_interpreter() -> None:
    assert command_of("train_extract", ["--epochs=2"]) == [
        sys.executable, "-m", "ctiforge.programs.train_extract", "--epochs=2",
    ]  # fmt: skip
    assert command_of("ctiforge")[1:] == ["-m", "ctiforge"]


@pytest.mark.parametrize(("how", "code"), [("sys.exit(75)", 75), ("os.kill(os.getpid(), 9)", 137), ("pass", 0)])
def test_what_it_writes_and_how_it_ends(how: str, code: int) -> None:
    program, said = start(
        "import os, sys\nos.write(1, b'one \\xff\\n' + b'x' * 100_000)\n"
        f"os.write(2, os.environ['MINE'].encode())\nsys.stdout.write('end')\nsys.stdout.flush()\n{how}",
        MINE="here",
    )
    assert program.wait() == code
    chunks = everything(said, 1)
    assert chunks.startswith(b"one \xff\n")
    assert chunks.endswith(b"xend")
    assert len(chunks) == 100_009


def test_it_finds_no_standard_input_unless_it_is_to_read_it() -> None:
    program, said = start("import sys; print(repr(sys.stdin.read()))")
    assert program.wait() == 0
    assert everything(said, 1) == b"''\n"


def test_a_signal_reaches_it_and_no_signal_reaches_one_that_has_ended() -> None:
    program, said = start(
        "import signal, sys\nsignal.signal(signal.SIGTERM, lambda *_: sys.exit(75))\nprint('ready')\nsignal.pause()"
    )
    assert said.get(timeout=30)[1].startswith(b"ready")
    program.signal(signal.SIGTERM)
    assert program.wait() == 75
    program.signal(signal.SIGTERM)
    program.kill()


def test_a_kill_takes_what_it_started_along() -> None:
    child = "import signal; print('child', flush=True); signal.pause()"
    program, said = start(
        "import subprocess, sys\n"
        f"child = subprocess.Popen([sys.executable, '-c', {child!r}], stdout=subprocess.PIPE)\n"
        "child.stdout.readline()\nprint(child.pid)\nchild.wait()"
    )
    pid = int(said.get(timeout=30)[1])
    watched = os.pidfd_open(pid)
    try:
        program.kill()
        assert program.wait() == 137
        import select

        assert select.select([watched], [], [], 30)[0], "the child of a killed program lives on"
    finally:
        os.close(watched)
