import json

import pytest

from ctiforge.errors import DataError, UsageError
from ctiforge.osbert.labeling.review import UNNAMED, SignedLabel, read_human_labels, read_reviewed
from ctiforge.records.review import ReviewLine, write_review

LABELS = {"1": "Windows", "2": None}


def write(tmp_path, name: str, text: str):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_csv_is_read_with_or_without_annotators(tmp_path) -> None:
    signed = write(tmp_path, "a.csv", "\ufeffID, Label ,annotator\r\n1,windows,ann\r\n\r\n2, MacOS,bob\r\n")
    bare = write(tmp_path, "b.CSV", 'id,label\n1,multiple\n"a,b",Unknown\n')

    assert read_human_labels(signed) == {"1": SignedLabel("Windows", "ann"), "2": SignedLabel("MacOS", "bob")}
    assert read_human_labels(bare) == {"1": SignedLabel("multiple", UNNAMED), "a,b": SignedLabel("Unknown", UNNAMED)}


@pytest.mark.parametrize("delimiter", [";", "\t"])
@pytest.mark.parametrize("name", ["a.csv", "a.tsv"])
def test_columns_may_be_parted_as_spreadsheets_do(tmp_path, delimiter: str, name: str) -> None:
    text = '"id","os_label",annotator,note\n1,Linux,ann,"a ""note""";\n2,MacOS,bob\n'
    path = write(tmp_path, name, text.replace(";", "").replace(",", delimiter))

    assert read_human_labels(path) == {"1": SignedLabel("Linux", "ann"), "2": SignedLabel("MacOS", "bob")}


def test_an_older_label_counts_where_the_present_column_is_empty(tmp_path) -> None:
    path = write(tmp_path, "a.csv", "id,label,os_label,,\n1,Linux,,,\n2,Linux,MacOS,,\n")

    assert read_human_labels(path) == {"1": SignedLabel("Linux", UNNAMED), "2": SignedLabel("MacOS", UNNAMED)}


def test_json_lines_are_read_with_either_name_of_the_label(tmp_path) -> None:
    path = write(
        tmp_path, "a.jsonl", '{"id": 1, "label": "Linux", "annotator": "ann"}\n\n{"id": "2", "os_label": "MacOS"}\n'
    )

    assert read_human_labels(path) == {"1": SignedLabel("Linux", "ann"), "2": SignedLabel("MacOS", UNNAMED)}


def test_lines_that_nobody_signed_are_left_out_and_counted(tmp_path, capsys) -> None:
    path = write(tmp_path, "a.csv", "id,label,annotator\n1,Linux,ann\n2,Linux,\n3,nonsense,  \n4,,\n")

    assert read_reviewed(path).labels == {"1": SignedLabel("Linux", "ann")}
    assert read_reviewed(path).unsigned == 3
    assert read_human_labels(path) == {"1": SignedLabel("Linux", "ann")}
    assert (
        capsys.readouterr().err == f"warning: {path}: 3 lines that nobody signed (annotator is empty) were left out\n"
    )


@pytest.mark.parametrize(
    ("name", "text", "kind", "says"),
    [
        ("a.csv", "id,label\n1,Linux\n2,TempleOS\n", DataError, "line 3: os_label is one of Windows, Linux"),
        ("a.csv", "id,label,annotator\n1,,ann\n", DataError, "line 2: 1 has no label"),
        ("a.csv", "name,os\n1,Linux\n", UsageError, "no column id or os_label"),
        ("a.csv", "", UsageError, "no column id or os_label"),
        ("a.csv", "id,label\n1,Linux\n1,MacOS\n", DataError, "line 3: 1 is MacOS here and Linux in line 2"),
        ("a.csv", "id,label\n,Linux\n", DataError, "line 2: no id"),
        ("a.csv", "id,label\n1,Linux,x,y\n", DataError, "line 2: more fields than columns"),
        ("a.csv", 'id,label\n1,Linux\n2,"MacOS\n3,Linux\n', DataError, "line 3: a quote opens here and is not closed"),
        ("a.csv", 'id,label\n1,"Linux\n2,Linux\n3,MacOS"\n', DataError, "line 2: a quote opens here and is not closed"),
        ("a.csv", 'id,label,note\n1,Linux,"n\n2,Linux,n"\n', DataError, "line 2: a quote opens here and is not closed"),
        ("a.csv", 'id,"label\n1,Linux\n', DataError, "line 1: a quote opens here and is not closed"),
        ("a.csv", 'id,label\n1,"Li"nux"\n', DataError, "line 2: ',' expected after '\"'"),
        ("a.csv", "id,label,Label\n1,Linux,MacOS\n", UsageError, "there are two columns label"),
        ("a.csv", "id;id;label\n1;2;MacOS\n", UsageError, "there are two columns id"),
        ("a.csv", "id;name\n1;Linux\n", UsageError, "no column os_label; its first line"),
        ("a.csv", "id;label\n1;Linux;x\n", DataError, "line 2: more fields than columns; quote what holds a ';'"),
        (
            "a.jsonl",
            '{"id": 1, "label": "Linux", "annotator": ["a", "b"]}',
            DataError,
            "annotator is one text, and no list",
        ),
        ("a.jsonl", '{"id": [1], "label": "Linux"}', DataError, "id is one text, and no list"),
        ("a.jsonl", '{"id": 1, "observables": null}', DataError, "line 1: observables: Input should be a valid array"),
        ("a.csv", "id,label\n1," + "x" * 200_000, DataError, "line 2: field larger"),
        ("a.jsonl", '{"id": 1, "label": "Linux"}\n{"id"\n', DataError, "line 2: not JSON"),
        ("a.jsonl", "[1]\n", DataError, "line 1: a line is an object with id, annotator and what"),
        ("a.jsonl", '{"id": 1}\n', DataError, "line 1: 1 has no label: give os_label one of Windows"),
        ("a.jsonl", '{"id": 1, "label": ["Linux"]}\n', DataError, "line 1: os_label is one of Windows"),
        (
            "a.jsonl",
            '{"id": 1, "label": "Linux", "labeler": "keywords"}\n',
            DataError,
            "line 1: 1 is labeled by a model",
        ),
        ("a.jsonl", '{"id": null, "label": "Linux"}\n', DataError, "line 1: no id"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(tmp_path, name, text, kind, says) -> None:
    with pytest.raises(kind) as raised:
        read_human_labels(write(tmp_path, name, text))

    assert says in str(raised.value)


def test_the_same_label_twice_is_no_conflict(tmp_path) -> None:
    path = write(tmp_path, "a.csv", "id,label\n1,Linux\n1,linux\n")

    assert read_human_labels(path) == {"1": SignedLabel("Linux", UNNAMED)}


def test_no_file_and_no_utf8_are_said(tmp_path) -> None:
    with pytest.raises(UsageError, match="no such file"):
        read_human_labels(tmp_path / "none.csv")
    (tmp_path / "a.csv").write_bytes(b"id,label\n\xff,Linux\n")
    with pytest.raises(DataError, match="not UTF-8"):
        read_human_labels(tmp_path / "a.csv")


def test_a_review_file_is_edited_and_read_back(tmp_path) -> None:
    path = tmp_path / "review.jsonl"
    write_review(path, [ReviewLine(id=id_, annotator="", os_label=label) for id_, label in LABELS.items()])
    assert read_reviewed(path).labels == {}
    assert read_reviewed(path).unsigned == 2

    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    lines[0] |= {"os_label": "multiple", "annotator": "ann"}
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    assert read_reviewed(path).labels == {"1": SignedLabel("multiple", "ann")}
    assert read_reviewed(path).unsigned == 1

    lines[1] |= {"annotator": "ann"}
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    with pytest.raises(DataError, match="line 2: 2 has no label"):
        read_reviewed(path)
