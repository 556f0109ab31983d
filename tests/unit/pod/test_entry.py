import errno
import os
import signal
import sys
from importlib import import_module
from pathlib import Path

import pytest

from ctiforge.pod.entry import exit_on_error
from tests.in_process import captured, exit_code


def test_a_package_that_is_not_installed_ends_with_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "kubernetes", None)
    with captured() as (_, errors):
        assert exit_code(lambda: exit_on_error(lambda: import_module("kubernetes"))) == 2
    said = "this needs kubernetes, which is not installed here: pip install 'ctiforge[launcher]'"
    assert errors.getvalue() == f"error: {said}\n"


def test_a_place_that_cannot_be_used_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for call in (tmp_path.read_text, (tmp_path / "file").mkdir, (tmp_path / "file" / "x").mkdir):
        with captured() as (_, errors):
            assert exit_code(lambda call=call: exit_on_error(call)) == 2
        assert errors.getvalue().count("\n") == 1
        assert errors.getvalue().startswith(f"error: {tmp_path}")
        assert errors.getvalue().endswith("; name another place, or mend this one\n")


def test_an_error_of_no_path_stays_a_crash() -> None:
    def fail() -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    with captured() as (_, errors):
        assert exit_code(lambda: exit_on_error(fail)) == 1
    assert "Traceback" in errors.getvalue()


@pytest.mark.parametrize("name", ["ctiforge.no_such_room", "json.no_such_part"])
def test_a_wrong_import_stays_a_crash(name: str) -> None:
    with captured() as (_, errors):
        assert exit_code(lambda: exit_on_error(lambda: import_module(name))) == 1
    assert "Traceback" in errors.getvalue()


def test_a_signal_counts_though_a_librarys_clean_up_fails() -> None:
    def end() -> None:
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        finally:
            # as the pool of `datasets` does whose workers are gone
            raise TimeoutError

    assert exit_code(lambda: exit_on_error(end)) == 75


def test_ctrl_c_counts_though_a_librarys_clean_up_fails() -> None:
    def end() -> None:
        try:
            raise KeyboardInterrupt
        finally:
            raise RuntimeError

    assert exit_code(lambda: exit_on_error(end)) == 130


def test_a_forked_worker_ends_without_a_word(capfd: pytest.CaptureFixture[str]) -> None:
    def end() -> None:
        worker = os.fork()
        if not worker:
            try:
                os.kill(os.getpid(), signal.SIGTERM)
            finally:
                os._exit(0)
        os.waitpid(worker, 0)

    assert exit_code(lambda: exit_on_error(end)) == 0
    assert capfd.readouterr().err == ""
