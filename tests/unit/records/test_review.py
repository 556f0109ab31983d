import json
from pathlib import Path
from typing import IO

import pytest
from pydantic import ValidationError

from ctiforge.data.testsets import read_labelled_articles
from ctiforge.errors import DataError, UsageError
from ctiforge.osbert.labeling.review import SignedLabel, read_human_labels
from ctiforge.records.observable import Observable
from ctiforge.records.review import Quote, ReviewItem, ReviewLine, read_review, write_review

OS_LINE = ReviewLine(
    id="1",
    title="A title – with a dash",
    url=None,
    why="conflict",
    os_label="Windows",
    annotator="",
    labels={"keywords": "Linux", "openai:m": "Windows"},
    flags=("instructs the labeler",),
    evidence=(Quote(label="Linux", quote="uses systemd"),),
)
EXTRACT_LINE = ReviewLine(
    id="2",
    title="Another",
    url="https://x.invalid/2",
    os_label="linux",
    annotator="ann",
    labelled_types=("cmdline", "registry"),
    observables=(ReviewItem(type="cmdline", value="whoami", platform="Windows", evidence="They ran whoami."),),
    tags={"length": "<2000"},
    content="They ran whoami.",
)


def test_lines_of_both_lines_models_are_read_as_they_were_written(tmp_path: Path) -> None:
    path = tmp_path / "new" / "review.jsonl"
    assert write_review(path, [OS_LINE, EXTRACT_LINE]) == 2
    assert list(read_review(path)) == [(1, OS_LINE), (2, EXTRACT_LINE)]


def test_a_line_holds_what_was_given_for_it_alone(tmp_path: Path) -> None:
    write_review(tmp_path / "review.jsonl", [OS_LINE])
    text = (tmp_path / "review.jsonl").read_text(encoding="utf-8")
    assert list(json.loads(text)) == [
        "id", "title", "url", "why", "os_label", "annotator", "labels", "flags", "evidence",
    ]  # fmt: skip
    assert "–" in text


def test_a_key_that_no_line_has_is_not_written() -> None:
    with pytest.raises(ValidationError):
        ReviewLine(id="1", annotator="", label="Linux")  # type: ignore[call-arg]


def test_a_review_file_that_exists_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "review.jsonl"
    path.write_text("corrected")
    with pytest.raises(UsageError, match=r"review\.jsonl exists: name another file"):
        write_review(path, [OS_LINE])
    assert path.read_text() == "corrected"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this machine has no /dev/full")
def test_a_review_file_that_did_not_fit_is_not_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same command goes on once there is space: it must not find the rest of a file that it will not overwrite."""
    path, open_ = tmp_path / "review.jsonl", Path.open

    def open_full(given: Path, *_: str, **__: str) -> IO[str]:
        given.touch()
        return open_(Path("/dev/full"), "w", encoding="utf-8")

    monkeypatch.setattr(Path, "open", open_full)
    with pytest.raises(OSError, match="No space left"):
        write_review(path, [OS_LINE])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("given", "platform"), [("macOS", "MacOS"), (" windows ", "Windows"), ("", None), (None, None)]
)
def test_a_platform_may_be_spelled_in_any_letters(tmp_path: Path, given: str | None, platform: str | None) -> None:
    line = {"id": "1", "observables": [{"type": "cmdline", "value": "id", "platform": given}]}
    (tmp_path / "a.jsonl").write_text(json.dumps(line))
    ((_, read),) = read_review(tmp_path / "a.jsonl")
    assert read.observables == (ReviewItem(type="cmdline", value="id", platform=platform),)


def test_a_platform_that_there_is_not_is_refused(tmp_path: Path) -> None:
    line = {"id": "1", "observables": [{"type": "cmdline", "value": "id", "platform": "Win 11"}]}
    (tmp_path / "a.jsonl").write_text(json.dumps(line))
    with pytest.raises(
        DataError, match=r"line 1: platform is one of Windows, Linux, MacOS, or null .* 'Win 11' is none"
    ):
        list(read_review(tmp_path / "a.jsonl"))


def test_one_signed_file_serves_both(tmp_path: Path) -> None:
    write_review(tmp_path / "review.jsonl", [EXTRACT_LINE])
    (article,) = read_labelled_articles(tmp_path / "review.jsonl")
    assert (article.os_label, article.annotator) == ("Linux", "ann")
    assert article.observables == (Observable(type="cmdline", value="whoami", platform="Windows"),)
    assert read_human_labels(tmp_path / "review.jsonl") == {"2": SignedLabel("Linux", "ann")}


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        (
            "a.jsonl",
            '{"id": 1, "label": "Linux", "annotator": "ann"}',
            ReviewLine(id="1", os_label="Linux", annotator="ann"),
        ),
        (
            "a.jsonl",
            '{"id": "1", "label": "Linux", "os_label": "MacOS"}',
            ReviewLine(id="1", os_label="MacOS", annotator=None),
        ),
        (
            "a.jsonl",
            '{"id": "1", "label": "Linux", "os_label": null}',
            ReviewLine(id="1", os_label="Linux", annotator=None),
        ),
        (
            "a.jsonl",
            '{"id": "\\ud800", "title": "\\ud83d\\ude00", "tags": {"\\uDFFF": "x"}, "annotator": "a"}',
            ReviewLine(id="?", title="\U0001f600", tags={"?": "x"}, os_label=None, annotator="a"),
        ),
        ("a.jsonl", '{"id": "1", "title": null, "annotator": null}', ReviewLine(id="1", annotator="")),
        (
            "a.jsonl",
            '{"id": "1", "truth": {"cmdline": ["whoami"]}}',
            ReviewLine(id="1", annotator=None, observables=(ReviewItem(type="cmdline", value="whoami"),)),
        ),
        (
            "a.jsonl",
            '{"id": "1", "label": "Linux", "labeler": "keywords"}',
            ReviewLine(id="1", os_label="Linux", annotator=None, labelled_by="model"),
        ),
        ("a.csv", "ID, label\n1,Linux\n,\n", ReviewLine(id="1", os_label="Linux", annotator=None)),
        ("a.csv", "id,os_label,annotator\n1,,\n", ReviewLine(id="1", os_label="", annotator="")),
    ],
)
def test_lines_of_before_are_upgraded(tmp_path: Path, name: str, text: str, expected: ReviewLine) -> None:
    (tmp_path / name).write_text(text)
    assert [line for _, line in read_review(tmp_path / name)] == [expected]


def test_an_item_that_is_null_is_not_taken_for_none() -> None:
    """A type that is listed and has no item says that there is none: that must be meant."""
    with pytest.raises(ValidationError):
        ReviewLine.model_validate({"id": "1", "annotator": "", "labelled_types": ["cmdline"], "observables": None})
