"""Who acts is a setting, a pod, a login name or a machine."""

import getpass
import socket

import pytest

from ctiforge.store.actor import find_actor


def test_a_setting_goes_first_then_the_pod_then_the_login_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CTIFORGE_ACTOR", raising=False)
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    monkeypatch.setattr(getpass, "getuser", lambda: "ann")
    assert find_actor() == "ann"
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    assert find_actor() == f"pod {socket.gethostname()}"
    monkeypatch.setenv("CTIFORGE_ACTOR", "team")
    assert find_actor() == "team"


def test_where_nobody_has_a_name_the_machine_has_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody() -> str:
        raise KeyError("no such user id")

    monkeypatch.delenv("CTIFORGE_ACTOR", raising=False)
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    monkeypatch.setattr(getpass, "getuser", nobody)
    assert find_actor() == socket.gethostname()
