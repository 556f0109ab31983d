"""What an export needs is computed from sizes, and refused where it is not there."""

import pytest

from ctiforge.errors import CannotGoOnError
from ctiforge.release.room import check_room, peak_memory, room_for
from ctiforge.release.weights import Weights

SEVEN = Weights(7_600_000_000, "bf16", True, 2_500_000_000, 550_000_000)
"""A model of 7.6 billion weights in shards of 5 GB."""


def test_a_large_model_is_merged_in_the_memory_of_two_shards():
    merged = room_for(SEVEN, "bf16", (), rewritten=True, compared=False, answered=False)
    assert 10e9 < merged.memory < 18e9
    assert (merged.scratch, merged.out) == (0, 15_200_000_000)


def test_without_an_adapter_only_the_full_file_goes_to_the_scratch():
    files = room_for(SEVEN, "bf16", ("q8_0", "q4_k_m"), rewritten=False, compared=False, answered=False)
    assert files.scratch == 15_200_000_000
    assert 12e9 < files.out < 14e9
    assert room_for(SEVEN, "bf16", ("q8_0",), rewritten=True, compared=False, answered=False).scratch == 30_400_000_000


def test_an_export_without_room_is_refused_before_anything_is_written():
    needed = room_for(SEVEN, "bf16", ("q8_0",), rewritten=True, compared=False, answered=True)
    assert "seven: at most 24.2 GB of memory, 30.4 GB of scratch" in check_room("seven", needed, None, 10**12)
    with pytest.raises(CannotGoOnError, match=r"4\.0 GB of memory are free"):
        check_room("seven", needed, 4 * 10**9, 10**12)
    with pytest.raises(CannotGoOnError, match=r"20\.0 GB of disk are free.*CTIFORGE_SCRATCH"):
        check_room("seven", needed, 10**12, 20 * 10**9)


def test_the_peak_is_that_of_a_process():
    assert 10**7 < peak_memory() < 10**12
