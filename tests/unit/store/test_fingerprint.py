import string

from hypothesis import given
from hypothesis import strategies as st

from ctiforge.records.artifact import FileEntry
from ctiforge.store.fingerprint import content_hash, fingerprint, output_fingerprint, public_version

NAMES = st.text(string.ascii_lowercase, min_size=1, max_size=5)
PARAMS = st.dictionaries(NAMES, st.integers() | st.booleans() | st.text(max_size=5), max_size=4)


def test_the_fingerprint_stays_what_it_is_from_release_to_release() -> None:
    value = fingerprint("train_extract", 1, {"epochs": 3, "lr": 2e-4}, {"data": "ab"}, {"torch": "2.13.0"})
    assert value == "53831b72c7b25926111c9b22c7c7fefc454929293ed25230f1164f8e4b10d6d5"


@given(PARAMS, PARAMS)
def test_equal_parameters_and_only_they_give_equal_fingerprints(one: dict, other: dict) -> None:
    same = _of(one) == _of(other)
    assert same == (_typed(one) == _typed(other))


def test_order_and_absent_parameters_do_not_matter() -> None:
    assert _of({"a": 1, "b": 2}) == _of({"b": 2, "a": 1, "new": None})


def test_every_part_matters() -> None:
    parts = [
        fingerprint("a", 1, {}, {}, {}),
        fingerprint("b", 1, {}, {}, {}),
        fingerprint("a", 2, {}, {}, {}),
        fingerprint("a", 1, {"x": 1}, {}, {}),
        fingerprint("a", 1, {}, {"x": "1"}, {}),
        fingerprint("a", 1, {}, {}, {"x": "1"}),
        output_fingerprint("a", "1"),
        output_fingerprint("a", "2"),
    ]
    assert len(set(parts)) == len(parts)


def test_the_build_of_a_package_does_not_matter() -> None:
    assert fingerprint("a", 1, {}, {}, {"torch": "2.13.0+cpu"}) == fingerprint("a", 1, {}, {}, {"torch": "2.13.0"})
    assert public_version("2.13.0+cu130") == "2.13.0"


def test_a_folders_content_is_its_names_and_hashes() -> None:
    one, two = FileEntry(1, "aa"), FileEntry(1, "bb")
    assert content_hash({"x": one, "y": two}) == content_hash({"y": two, "x": one})
    assert content_hash({"x": one, "y": two}) != content_hash({"x": two, "y": one})
    assert content_hash({"x": one}) != content_hash({"z": one})


def _of(params: dict) -> str:
    return fingerprint("stage", 1, params, {}, {})


def _typed(params: dict) -> dict:
    return {name: (type(value), value) for name, value in params.items()}
