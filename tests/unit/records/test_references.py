"""What records name of a store: by their fields, not by what their text looks like."""

import pytest

from ctiforge.records.artifact import InputEntry
from ctiforge.records.references import folder_in, hashes_in
from ctiforge.records.run import RunRecord, StageRecord

ONE, TWO = "1" * 64, "2" * 64


@pytest.mark.parametrize(
    ("uri", "folder"),
    [
        (f"s3://bucket/prefix/artifacts/make/{ONE}", f"artifacts/make/{ONE}"),
        (f"/home/me/store/artifacts/make/{ONE}/train.jsonl", f"artifacts/make/{ONE}"),
        (f"artifacts/make/{ONE}/inputs/{TWO}", f"inputs/{TWO}"),
        (f"s3://bucket/inputs/{ONE}/results.json", f"inputs/{ONE}"),
        (f"s3://bucket/artifacts/{ONE}", None),
        ("s3://bucket/artifacts/make/short", None),
        ("s3://bucket/artifacts", None),
        ("models/base", None),
        ("", None),
    ],
)
def test_a_uri_names_one_folder_of_a_store_or_none(uri: str, folder: str | None) -> None:
    assert folder_in(uri) == folder


def test_a_run_names_what_its_stages_made_and_what_they_are_about_to_make() -> None:
    stages = [
        StageRecord(name="a", program="make", fingerprint=ONE, artifact=f"s3://b/artifacts/make/{ONE}"),
        StageRecord(name="b", program="train", fingerprint=TWO, last_lines=["3" * 64]),
        StageRecord(name="c", program="live", artifact=f"s3://b/artifacts/live/{TWO}"),
        StageRecord(name="d", program="later"),
    ]
    run = RunRecord(id="r", line="extract", started_at="2026-01-01T00:00:00Z", stages=stages)

    assert run.references() == {
        f"artifacts/make/{ONE}",
        f"checkpoints/make/{ONE}",
        f"artifacts/train/{TWO}",
        f"checkpoints/train/{TWO}",
        f"artifacts/live/{TWO}",
    }


def test_an_input_names_its_folder_and_the_copy_that_a_laptop_may_have_shared() -> None:
    assert InputEntry(uri="results.json", content=ONE).references() == {f"inputs/{ONE}"}
    assert InputEntry(uri=f"x/artifacts/make/{TWO}/f", content=ONE).references() == {
        f"inputs/{ONE}",
        f"artifacts/make/{TWO}",
    }


def test_of_a_text_everything_that_may_be_a_hash_is_named() -> None:
    assert hashes_in(f"{{broken {ONE}, {TWO}") == {ONE, TWO}
