"""Machines that train together share nothing but the store, and stay until the first has published."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from ctiforge.errors import InterruptedRunError, UsageError
from ctiforge.pod.meeting import Machines
from ctiforge.pod.ports import free_port
from tests.integration.training.of_ranks import TERMINATE, Place, apart


@pytest.mark.slow
def test_two_machines_train_what_one_would_and_the_second_needs_no_folder_of_the_first(place, alone, tmp_path):
    """The second begins anew on an empty machine: the checkpoint that both go on from is in the store."""
    with pytest.raises(InterruptedRunError):
        place.train(1, signals=((0, 7, TERMINATE),))
    first = Machines(2, 0, f"127.0.0.1:{free_port()}")
    with second_machine(place, tmp_path, first) as second:
        found = place.train(1, machines=first)
        (place.store / "published").touch()
    assert second.returncode == 0
    assert found["resumed_from_step"] == 7
    assert apart(place, alone()) < 1e-5


@pytest.mark.prove
@pytest.mark.slow
def test_two_machines_share_the_weights_out_and_go_on_from_the_parts_of_one(place, alone, tmp_path):
    with pytest.raises(InterruptedRunError):
        place.train(2, fsdp=True, signals=((0, 7, TERMINATE),))
    first = Machines(2, 0, f"127.0.0.1:{free_port()}")
    with second_machine(place, tmp_path, first, "fsdp") as second:
        found = place.train(1, machines=first, fsdp=True)
        (place.store / "published").touch()
    assert second.returncode == 0
    assert found["resumed_from_step"] == 7
    assert max(found["held"]) < 0.51 * sum(found["held"])
    assert apart(place, alone()) < 1e-5


@pytest.mark.prove
@pytest.mark.slow
def test_the_first_of_two_machines_that_ends_before_it_has_published_finds_the_other_still_there(place, tmp_path):
    first = Machines(2, 0, f"127.0.0.1:{free_port()}")
    with second_machine(place, tmp_path, first) as second:
        place.train(1, machines=first)
        weights = place.weights
        # as if it had been evicted before it published: it comes again, and the training is done
        found = place.train(1, machines=first)
        assert second.poll() is None
        (place.store / "published").touch()
    assert second.returncode == 0
    assert found["resumed_from_step"] == found["steps_done"] == 20
    assert place.weights.keys() == weights.keys()
    assert all(place.weights[name].equal(weights[name]) for name in weights)


def test_machines_with_stores_of_their_own_are_refused_before_anything_is_started(place, tmp_path):
    first = Machines(2, 0, f"127.0.0.1:{free_port()}")
    with ThreadPoolExecutor() as pool:
        own = Place(tmp_path / "second", tmp_path / "store-of-its-own")
        second = pool.submit(own.train, 1, machines=replace(first, number=1))
        for each in (lambda: place.train(1, machines=first), second.result):
            with pytest.raises(UsageError, match="machine 1 writes to another --store than the first"):
                each()


def second_machine(place: Place, tmp_path: Path, first: Machines, *more: str) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "tests.integration.training.of_machine", str(tmp_path / "second"), first.first]
    return subprocess.Popen([*command, str(place.store), *more])
