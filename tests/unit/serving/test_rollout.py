"""A champion is followed: proven before it answers, and what cannot be used leaves the old one in use."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ctiforge.errors import DataError, StoreError
from ctiforge.records.canary import Canary, CanaryWindow
from ctiforge.records.evaluation import TestSetInfo
from ctiforge.records.registry import ModelRecord
from ctiforge.serving.lease import LASTS, TurnLease
from ctiforge.serving.loading import LoadedModel
from ctiforge.serving.metrics import Metrics
from ctiforge.serving.rollout import Rollout
from ctiforge.store.models import Registry
from ctiforge.store.objects import ObjectStore, open_store
from tests.making import candidate
from tests.serving import ToldModel, hands, loaded


@dataclass
class Shelf:
    """The models that can be loaded, by version; what is an error is raised."""

    models: dict[int, Any]
    loads: list[int] = field(default_factory=list)

    def load(self, record: ModelRecord) -> LoadedModel:
        self.loads.append(record.version)
        found = self.models[record.version]
        if isinstance(found, Exception):
            raise found
        assert isinstance(found, LoadedModel)
        return found


def registry_of(store: ObjectStore, versions: int) -> Registry:
    registry = Registry(store, "extract")
    for number in range(versions):
        registry.register(candidate("abcdef"[number]))
    return registry


def promote(registry: Registry, version: int) -> None:
    registry.promote(version, registry.standing(), "better")


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return registry_of(open_store(str(tmp_path / "store")), 3)


def follow(registry: Registry, shelf: Shelf, lease: TurnLease | None = None, **more: Any) -> Rollout:
    metrics = Metrics()
    return Rollout(hands(metrics, shelf.load, **more), metrics, registry, lease)


def in_use(rollout: Rollout) -> int | None:
    return rollout.engine.loaded.version if rollout.engine else None


def models(*versions: int) -> dict[int, Any]:
    return {each: loaded(ToldModel(), each) for each in versions}


def test_the_champion_is_loaded_once_and_its_successor_takes_over(registry: Registry) -> None:
    shelf = Shelf(models(1, 2))
    rollout = follow(registry, shelf)
    rollout.step()
    assert rollout.not_ready == "extract has no champion yet: promote a model (ctiforge promote extract …)"
    promote(registry, 1)
    rollout.step()
    rollout.step()
    assert (in_use(rollout), rollout.not_ready, shelf.loads) == (1, None, [1])

    old = rollout.hold()
    assert old is not None
    promote(registry, 2)
    rollout.step()
    assert (in_use(rollout), shelf.loads) == (2, [1, 2])
    # what began on the old one ends there
    future, _ = old.read("whoami /all", None)
    assert [each.value for each in future.result(10).observables] == ["whoami /all"]
    assert not old.hold()
    old.release()
    assert old.wait_until_ended(10)

    promote(registry, 1)
    rollout.step()
    assert (in_use(rollout), shelf.loads) == (1, [1, 2, 1])


@pytest.mark.parametrize("broken", [DataError("its files are gone"), ValueError("no such tensor")])
def test_a_champion_that_cannot_be_loaded_leaves_the_old_one_in_use(registry: Registry, broken: Exception) -> None:
    shelf = Shelf(models(1) | {2: broken} | models(3))
    rollout = follow(registry, shelf)
    promote(registry, 1)
    rollout.step()
    promote(registry, 2)
    rollout.step()
    rollout.step()
    assert (in_use(rollout), rollout.not_ready, rollout.wanted, shelf.loads) == (1, None, 2, [1, 2])
    assert rollout.trouble is not None
    assert rollout.trouble.startswith("version 2 of extract, model-b, cannot be used: ")
    promote(registry, 3)
    rollout.step()
    assert (in_use(rollout), rollout.trouble) == (3, None)


PASSING = [StoreError("s3://b: nothing answers there"), OSError(28, "No space left on device")]


@pytest.mark.parametrize("fault", PASSING)
def test_a_fault_that_passes_is_tried_again(registry: Registry, fault: Exception) -> None:
    shelf = Shelf(models(1) | {2: fault})
    rollout = follow(registry, shelf)
    promote(registry, 1)
    rollout.step()
    promote(registry, 2)
    rollout.step()
    assert in_use(rollout) == 1
    assert (rollout.trouble or "").startswith("version 2 of extract, model-b, cannot be used: ")
    shelf.models |= models(2)
    rollout.step()
    assert (in_use(rollout), rollout.trouble) == (2, None)


@pytest.mark.parametrize("fault", [*PASSING, RuntimeError("CUDA out of memory"), DataError("half of it is there")])
def test_without_a_model_the_champion_is_tried_at_every_look(registry: Registry, fault: Exception) -> None:
    shelf = Shelf({1: fault})
    rollout = follow(registry, shelf)
    promote(registry, 1)
    for _ in range(2):
        rollout.step()
    assert (in_use(rollout), shelf.loads) == (None, [1, 1])
    shelf.models |= models(1)
    rollout.step()
    assert (in_use(rollout), rollout.not_ready, rollout.trouble) == (1, None, None)


@pytest.mark.parametrize("champion", [OSError(28, "No space left on device"), DataError("its files are gone")])
def test_a_replacement_of_which_both_loads_fail_is_tried_again(registry: Registry, champion: Exception) -> None:
    shelf = Shelf(models(1))
    rollout = follow(registry, shelf, weights=lambda _: 100, free=lambda: 50)
    promote(registry, 1)
    rollout.step()
    shelf.models |= {1: OSError(28, "No space left on device"), 2: champion}
    promote(registry, 2)
    for _ in range(3):
        rollout.step()
    assert in_use(rollout) is None
    # the one that was let go answers as soon as it can be loaded
    shelf.models |= models(1)
    rollout.step()
    assert (in_use(rollout), rollout.not_ready) == (1, None)


def test_a_passing_fault_does_not_make_a_server_drain_at_every_look(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf = Shelf(models(1) | {2: OSError(28, "No space left on device")})
    rollout = follow(registry, shelf, weights=lambda _: 100, free=lambda: 50)
    promote(registry, 1)
    rollout.step()
    promote(registry, 2)
    for _ in range(6):
        rollout.step()
    assert (in_use(rollout), rollout.not_ready, shelf.loads) == (1, None, [1, 2, 1])
    shelf.models |= models(2)
    now = time.monotonic() + 301
    monkeypatch.setattr("ctiforge.serving.rollout.time.monotonic", lambda: now)
    for _ in range(2):
        rollout.step()
    assert in_use(rollout) == 2


def test_an_engine_that_does_not_serve_it_yet_is_asked_again(registry: Registry) -> None:
    shelf = Shelf(models(1) | {2: DataError("load it there")})
    rollout = follow(registry, shelf, retries=True)
    promote(registry, 1)
    rollout.step()
    promote(registry, 2)
    rollout.step()
    assert in_use(rollout) == 1
    shelf.models |= models(2)
    rollout.step()
    assert in_use(rollout) == 2


def canary(*answers: str) -> Canary:
    info = TestSetInfo(name="set", version="1", content_hash="abc", articles=9)
    window = CanaryWindow(article_id="a", start=0, end=11, window="whoami /all", types=("cmdline",), answer="")
    return Canary(test_set=info, windows=tuple(window.model_copy(update={"answer": each}) for each in answers))


def test_a_model_that_answers_its_canary_otherwise_is_not_used(registry: Registry) -> None:
    alike = '{"observables": [{"type": "cmdline", "value": "whoami /all"}]}'
    other = '{"observables": [{"type": "cmdline", "value": "net user"}]}'
    shelf = Shelf(
        {1: loaded(ToldModel(), 1, canary=canary(alike)), 2: loaded(ToldModel(), 2, canary=canary(alike, other))}
    )
    rollout = follow(registry, shelf)
    promote(registry, 1)
    rollout.step()
    promote(registry, 2)
    rollout.step()
    assert in_use(rollout) == 1
    assert rollout.trouble is not None
    assert "it answers 33% of its canary's items as in its evaluation, and 95% are needed" in rollout.trouble


def test_where_memory_holds_one_model_servers_take_turns(registry: Registry) -> None:
    now = [datetime(2026, 1, 1, tzinfo=UTC)]

    def server(name: str) -> Rollout:
        lease = TurnLease(registry.store, "extract", name, lambda: now[0])
        return follow(registry, Shelf(models(1, 2)), lease, weights=lambda _: 100, free=lambda: 119)

    one, other = server("one"), server("other")
    promote(registry, 1)
    one.step()
    other.step()
    assert (in_use(one), in_use(other)) == (1, 1)
    promote(registry, 2)
    one.step()
    other.step()
    # it says that it is not ready, and still answers, until the cluster has heard of it
    assert (one.not_ready, in_use(one)) == ("about to load another version of the model", 1)
    assert (other.not_ready, in_use(other)) == (None, 1)
    one.step()
    assert (one.not_ready, in_use(one)) == (None, 2)
    other.step()
    assert other.not_ready is not None
    other.step()
    assert (other.not_ready, in_use(other), other.trouble) == (None, 2, None)


def test_what_cannot_replace_the_old_one_gives_it_back(registry: Registry) -> None:
    shelf = Shelf(models(1) | {2: DataError("its files are gone")})
    lease = TurnLease(registry.store, "extract", "one")
    rollout = follow(registry, shelf, lease, weights=lambda _: 100, free=lambda: 0)
    promote(registry, 1)
    for _ in range(2):
        rollout.step()
    promote(registry, 2)
    for _ in range(4):
        rollout.step()
    assert (in_use(rollout), rollout.not_ready, shelf.loads) == (1, None, [1, 2, 1])
    assert TurnLease(registry.store, "extract", "other").take()


def test_memory_that_runs_out_while_loading_is_made_by_taking_turns(registry: Registry) -> None:
    shelf = Shelf(models(1) | {2: RuntimeError("CUDA out of memory")})
    rollout = follow(registry, shelf)
    promote(registry, 1)
    rollout.step()
    promote(registry, 2)
    rollout.step()
    shelf.models |= models(2)
    rollout.step()
    assert rollout.draining
    rollout.step()
    assert (in_use(rollout), rollout.not_ready) == (2, None)


def test_a_turn_ends_by_itself(registry: Registry) -> None:
    now = [datetime(2026, 1, 1, tzinfo=UTC)]
    lease: Callable[[str], TurnLease] = lambda name: TurnLease(registry.store, "extract", name, lambda: now[0])  # noqa: E731
    assert lease("one").take()
    assert lease("one").take()
    assert not lease("other").take()
    lease("other").give_back()
    assert not lease("other").take()
    now[0] += LASTS + timedelta(seconds=1)
    assert lease("other").take()
    assert not lease("one").take()
    lease("other").give_back()
    assert lease("one").take()
