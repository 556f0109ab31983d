import sys
from importlib import import_module

import pytest

from ctiforge.pod.entry import exit_on_error
from tests.in_process import captured, exit_code


def test_a_package_that_is_not_installed_ends_with_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "kubernetes", None)
    with captured() as (_, errors):
        assert exit_code(lambda: exit_on_error(lambda: import_module("kubernetes"))) == 2
    said = "this needs kubernetes, which is not installed here: pip install 'ctiforge[launcher]'"
    assert errors.getvalue() == f"error: {said}\n"


@pytest.mark.parametrize("name", ["ctiforge.no_such_room", "json.no_such_part"])
def test_a_wrong_import_stays_a_crash(name: str) -> None:
    with captured() as (_, errors):
        assert exit_code(lambda: exit_on_error(lambda: import_module(name))) == 1
    assert "Traceback" in errors.getvalue()
