import json

import pytest

from ctiforge.errors import DataError, UsageError
from ctiforge.osbert.labeling.review import (
    UNNAMED,
    HumanLabel,
    ReviewRow,
    read_human_labels,
    read_reviewed,
    write_review,
)
from ctiforge.records.os_article import Evidence


def write(tmp_path, name: str, text: str):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def make_row(article_id: str = "1", **fields) -> ReviewRow:
    fields = {"title": "A title", "url": None, "why": "conflict", "label": "Windows"} | fields
    return ReviewRow(article_id, **fields)


def test_a_csv_is_read_with_or_without_annotators(tmp_path) -> None:
    signed = write(tmp_path, "a.csv", "\ufeffID, Label ,annotator\r\n1,windows,ann\r\n\r\n2, MacOS,bob\r\n")
    bare = write(tmp_path, "b.CSV", 'id,label\n1,multiple\n"a,b",Unknown\n')

    assert read_human_labels(signed) == {"1": HumanLabel("Windows", "ann"), "2": HumanLabel("MacOS", "bob")}
    assert read_human_labels(bare) == {"1": HumanLabel("multiple", UNNAMED), "a,b": HumanLabel("Unknown", UNNAMED)}


def test_json_lines_are_read_with_either_name_of_the_label(tmp_path) -> None:
    path = write(
        tmp_path, "a.jsonl", '{"id": 1, "label": "Linux", "annotator": "ann"}\n\n{"id": "2", "os_label": "MacOS"}\n'
    )

    assert read_human_labels(path) == {"1": HumanLabel("Linux", "ann"), "2": HumanLabel("MacOS", UNNAMED)}


def test_lines_that_nobody_signed_are_left_out_and_counted(tmp_path) -> None:
    path = write(tmp_path, "a.csv", "id,label,annotator\n1,Linux,ann\n2,Linux,\n3,nonsense,  \n4,,\n")

    assert read_reviewed(path).labels == {"1": HumanLabel("Linux", "ann")}
    assert read_reviewed(path).unsigned == 3


@pytest.mark.parametrize(
    ("name", "text", "kind", "says"),
    [
        ("a.csv", "id,label\n1,Linux\n2,TempleOS\n", DataError, "line 3: 'TempleOS' is no label: use Windows, Linux"),
        ("a.csv", "id,label,annotator\n1,,ann\n", DataError, "line 2: '' is no label"),
        ("a.csv", "name,os\n1,Linux\n", UsageError, "no column id or label"),
        ("a.csv", "", UsageError, "no column id or label"),
        ("a.csv", "id,label\n1,Linux\n1,MacOS\n", DataError, "line 3: 1 is MacOS here and Linux in line 2"),
        ("a.csv", "id,label\n,Linux\n", DataError, "line 2: no id"),
        ("a.csv", "id,label\n1,Linux,x,y\n", DataError, "line 2: more fields than columns"),
        ("a.csv", "id,label\n1," + "x" * 200_000, DataError, "line 2: field larger"),
        ("a.jsonl", '{"id": 1, "label": "Linux"}\n{"id"\n', DataError, "line 2: not JSON"),
        ("a.jsonl", "[1]\n", DataError, "line 1: a line is an object with id and label"),
        ("a.jsonl", '{"id": 1}\n', DataError, "line 1: a line is an object with id and label"),
        ("a.jsonl", '{"id": 1, "label": ["Linux"]}\n', DataError, "is no label"),
        ("a.jsonl", '{"id": null, "label": "Linux"}\n', DataError, "line 1: no id"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(tmp_path, name, text, kind, says) -> None:
    with pytest.raises(kind) as raised:
        read_human_labels(write(tmp_path, name, text))

    assert says in str(raised.value)


def test_the_same_label_twice_is_no_conflict(tmp_path) -> None:
    path = write(tmp_path, "a.csv", "id,label\n1,Linux\n1,linux\n")

    assert read_human_labels(path) == {"1": HumanLabel("Linux", UNNAMED)}


def test_no_file_and_no_utf8_are_said(tmp_path) -> None:
    with pytest.raises(UsageError, match="no such file"):
        read_human_labels(tmp_path / "none.csv")
    (tmp_path / "a.csv").write_bytes(b"id,label\n\xff,Linux\n")
    with pytest.raises(DataError, match="not UTF-8"):
        read_human_labels(tmp_path / "a.csv")


def test_a_review_file_is_edited_and_read_back(tmp_path) -> None:
    path = tmp_path / "folder" / "review.jsonl"
    evidence = (Evidence(label="Linux", quote="uses \n systemd", start=0, end=10),)
    labels = {"keywords": "Linux", "openai:m": "Windows"}
    rows = [
        make_row("1", labels=labels, evidence=evidence, flags=("instructs the labeler",)),
        make_row("2", label=None, why="no label"),
        make_row("3", title="odd \ud800 title"),
    ]

    assert write_review(path, rows) == 3
    assert read_reviewed(path).labels == {}
    assert read_reviewed(path).unsigned == 3

    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert lines[0] == {
        "id": "1",
        "label": "Windows",
        "annotator": "",
        "why": "conflict",
        "labels": labels,
        "flags": ["instructs the labeler"],
        "title": "A title",
        "url": None,
        "evidence": [{"label": "Linux", "quote": "uses systemd"}],
    }
    lines[0] |= {"label": "multiple", "annotator": "ann"}
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    assert read_reviewed(path).labels == {"1": HumanLabel("multiple", "ann")}
    assert read_reviewed(path).unsigned == 2

    lines[1] |= {"annotator": "ann"}
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    with pytest.raises(DataError, match="line 2: '' is no label"):
        read_reviewed(path)


def test_a_review_file_that_exists_is_not_overwritten(tmp_path) -> None:
    path = write(tmp_path, "review.jsonl", "corrected")

    with pytest.raises(UsageError, match="exists"):
        write_review(path, [make_row()])
    assert path.read_text() == "corrected"
