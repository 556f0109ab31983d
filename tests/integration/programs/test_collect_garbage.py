"""collect_garbage as a person runs it; what goes and what stays is tested in store/test_garbage.py."""

import os
import subprocess
import time
from pathlib import Path

from tests.in_process import run_here

OLD = f"artifacts/make/{'a' * 64}"


def run(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return run_here("collect_garbage", "--store=store", *arguments, cwd=cwd)


def test_it_lists_first_and_removes_when_told_to(tmp_path: Path) -> None:
    file = tmp_path / "store" / OLD / "try" / "data.txt"
    file.parent.mkdir(parents=True)
    file.write_text("12345")
    long_ago = time.time() - 8 * 24 * 3600
    os.utime(file, (long_ago, long_ago))

    listed = run("--keep-runs=3", cwd=tmp_path)
    assert file.exists()
    removed = run("--keep-runs=3", "--delete", cwd=tmp_path)
    again = run(cwd=tmp_path)

    assert (listed.returncode, removed.returncode, again.returncode) == (0, 0, 0), listed.stderr
    assert OLD in listed.stdout
    assert "nothing is removed yet" in listed.stdout
    assert removed.stdout.splitlines() == [f"removed {OLD}", "artifacts: 1, 0.0 MB"]
    assert not file.exists()
    assert "there is nothing to remove" in again.stdout


def test_an_upload_that_never_ended_goes_after_a_day(tmp_path: Path) -> None:
    folder = tmp_path / "store" / OLD / "try"
    folder.mkdir(parents=True)
    for name, days in {"old.safetensors#1": 2, "young.safetensors#1": 0.5}.items():
        (folder / name).write_bytes(b"half")
        at = time.time() - days * 24 * 3600
        os.utime(folder / name, (at, at))

    listed = run(cwd=tmp_path)
    removed = run("--delete", cwd=tmp_path)

    assert f"{OLD}/try/old.safetensors#1, an upload that never ended" in listed.stdout
    assert "uploads that never ended: 1, 0.0 MB" in listed.stdout
    assert "nothing is removed yet" in listed.stdout
    assert removed.stdout.splitlines()[0] == f"removed {OLD}/try/old.safetensors#1, an upload that never ended"
    assert [path.name for path in folder.iterdir()] == ["young.safetensors#1"]
