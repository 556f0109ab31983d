"""What an image's entry point passes on, and what it leaves in the store."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ctiforge.store.log_tail import KEEP, LogTail
from ctiforge.store.objects import open_store

ROOT = Path(__file__).parents[3]
RUNNER = """
import sys
from pathlib import Path
from ctiforge.programs import in_pod
from ctiforge.pod.process import command_of

here = {path.stem: path for path in Path(__file__).parent.glob("*.py")}
in_pod.program_names = lambda: sorted({*here, "ctiforge"} - {"in_pod"})

def command(name, arguments):
    return [sys.executable, str(here[name]), *arguments] if name in here else command_of(name, arguments)

sys.exit(in_pod.main(sys.argv[1:], command))
"""
KEY = "runs/run-1/logs/train_extract-2-pod-a.log"


@pytest.fixture
def jobs(tmp_path: Path) -> Path:
    """A folder with the runner and programs of the test's own."""
    folder = tmp_path / "jobs"
    folder.mkdir()
    (folder / "in_pod.py").write_text(RUNNER)
    return folder


@pytest.fixture
def environment(store_uri: str) -> dict[str, str]:
    return {
        **os.environ,
        "CTIFORGE_STORE": store_uri,
        "CTIFORGE_RUN": "run-1",
        "CTIFORGE_STAGE": "train_extract",
        "CTIFORGE_ATTEMPT": "2",
        "HOSTNAME": "pod-a",
    }


def test_the_log_has_the_name_of_the_pod_where_its_host_has_another(
    jobs: Path, environment: dict[str, str], store_uri: str
) -> None:
    (jobs / "speak.py").write_text("print('hello')\n")
    for pod in ("job-0-abcde", "job-0-fghij"):
        subprocess.run(_command(jobs, "speak"), env={**environment, "POD_NAME": pod}, capture_output=True, check=True)
    kept = [info.key for info in open_store(store_uri).list("runs/run-1/logs")]
    assert sorted(kept) == [f"runs/run-1/logs/train_extract-2-{pod}.log" for pod in ("job-0-abcde", "job-0-fghij")]


@pytest.mark.parametrize("policy", [None, "ACTIVE"])
def test_threads_sleep_while_they_wait_unless_the_pod_says_otherwise(
    jobs: Path, environment: dict[str, str], policy: str | None
) -> None:
    (jobs / "tell.py").write_text("import os\nprint(os.environ['OMP_WAIT_POLICY'])\n")
    given = {name: value for name, value in environment.items() if name != "OMP_WAIT_POLICY"}
    given |= {"OMP_WAIT_POLICY": policy} if policy else {}
    done = subprocess.run(_command(jobs, "tell"), env=given, capture_output=True, check=True, text=True)
    assert done.stdout == f"{policy or 'PASSIVE'}\n"


def test_both_streams_and_the_exit_code_come_through(jobs: Path, environment: dict[str, str], store_uri: str) -> None:
    (jobs / "speak.py").write_text(
        "import os, sys\nos.write(1, b'one \\xff\\n')\nos.write(2, b'two')\nsys.exit(int(sys.argv[1]))\n"
    )
    done = subprocess.run(_command(jobs, "speak", "4"), env=environment, capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (4, b"one \xff\n", b"two")
    kept = open_store(store_uri).read(KEY)
    assert sorted(kept.removesuffix(b"\nexit code 4\n").split(b"\n")) in (
        [b"one \xff", b"two"],
        [b"twoone \xff"],
    )


@pytest.mark.parametrize(("reaction", "code"), [("sys.exit(75)", 75), ("os.kill(os.getpid(), 9)", 137)])
def test_sigterm_reaches_the_program(
    jobs: Path, environment: dict[str, str], store_uri: str, reaction: str, code: int
) -> None:
    (jobs / "wait.py").write_text(
        "import os, signal, sys\n"
        f"signal.signal(signal.SIGTERM, lambda *_: {reaction})\n"
        "print('ready', flush=True)\nsignal.pause()\n"
    )
    process = subprocess.Popen(_command(jobs, "wait"), env=environment, stdout=subprocess.PIPE)
    assert process.stdout
    # at once: the program is still running
    assert process.stdout.readline() == b"ready\n"
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == code
    assert open_store(store_uri).read(KEY) == f"ready\nexit code {code}\n".encode()


def test_a_store_that_is_not_there_disturbs_nothing(jobs: Path, environment: dict[str, str]) -> None:
    (jobs / "speak.py").write_text("print('one')\n")
    environment = {**environment, "CTIFORGE_STORE": "/proc/nowhere"}
    done = subprocess.run(_command(jobs, "speak"), env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "one\n")
    assert done.stderr.count("warning: the log is not kept in the store: ") == 1


def test_without_a_run_nothing_is_kept(jobs: Path, environment: dict[str, str], store_uri: str) -> None:
    (jobs / "speak.py").write_text("print('one')\n")
    del environment["CTIFORGE_RUN"]
    subprocess.run(_command(jobs, "speak"), env=environment, check=True, capture_output=True)
    assert not open_store(store_uri).list("")


def test_the_command_itself_is_a_program_and_others_are_named(jobs: Path) -> None:
    done = subprocess.run(_command(jobs, "ctiforge", "--help"), capture_output=True, text=True, check=True)
    assert "doctor" in done.stdout
    done = subprocess.run(_command(jobs, "nothing"), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (2, "error: in_pod.py PROGRAM ARGS…, PROGRAM one of ctiforge\n")


def test_the_tail_is_written_while_the_program_runs_and_stays_short(tmp_path: Path) -> None:
    store = open_store(str(tmp_path))
    tail = LogTail(lambda: store, "log", every_s=0.01)
    tail.add(b"x" * (KEEP + 5) + b"last")
    kept = b""
    for _ in range(100_000):
        kept = (tmp_path / "log").read_bytes() if (tmp_path / "log").exists() else b""
        if kept:
            break
    assert (len(kept), kept[-5:]) == (KEEP, b"xlast")
    tail.close(0)
    assert (tmp_path / "log").read_bytes().endswith(b"xlast\nexit code 0\n")


def _command(jobs: Path, *arguments: str) -> list[str]:
    return [sys.executable, str(jobs / "in_pod.py"), *arguments]


def test_what_a_launcher_says_is_kept_with_its_run(jobs: Path, environment: dict[str, str], store_uri: str) -> None:
    environment |= {"CTIFORGE_STAGE": "launcher"}
    del environment["CTIFORGE_ATTEMPT"]
    (jobs / "launch.py").write_text("print('run nightly is done')\n")
    subprocess.run(_command(jobs, "launch"), env=environment, capture_output=True, check=True)
    kept = open_store(store_uri).read("runs/run-1/logs/launcher-1-pod-a.log")
    assert kept == b"run nightly is done\nexit code 0\n"
