"""What the backend knows of other launchers: whether one may bring back a Job that is gone."""

from datetime import UTC, datetime
from typing import Any

import pytest

from ctiforge.errors import StoreError
from ctiforge.launcher.kubernetes.backend import KubernetesBackend
from ctiforge.store.launcher_note import heard_of
from ctiforge.store.objects import ObjectStore, open_store


class Clocked:
    """A cluster that tells the time."""

    def now(self) -> datetime:
        return datetime.now(UTC)


@pytest.fixture
def store(tmp_path: Any) -> ObjectStore:
    return open_store(str(tmp_path / "store"))


def test_a_launcher_is_alone_until_another_of_its_release_is_heard(store: ObjectStore) -> None:
    backend = KubernetesBackend(Clocked(), "t", store)  # type: ignore[arg-type]
    with heard_of(store, "mine", "t"):
        assert backend._is_alone()
        with heard_of(store, "another-team", "u"):
            assert backend._is_alone()
        # of the same run or another: both may follow the same work
        for run in ("mine", "theirs"):
            with heard_of(store, run, "t"):
                assert not backend._is_alone()
        assert backend._is_alone()


def test_where_the_store_does_not_say_a_launcher_is_not_taken_to_be_alone(
    store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> Any:
        raise StoreError("nothing answers there")

    backend = KubernetesBackend(Clocked(), "t", store)  # type: ignore[arg-type]
    monkeypatch.setattr(type(store), "list", away)
    assert not backend._is_alone()
