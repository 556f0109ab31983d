import json
from pathlib import Path

import pyarrow
import pytest
from pyarrow.parquet import write_table

from ctiforge.errors import DataError, UsageError
from ctiforge.extract.dataset.own_rows import usage_of_rows
from ctiforge.extract.dataset.row_files import ReadExample, find_files, open_rows
from ctiforge.training.conversation import render_conversation
from ctiforge.training.encoding import load_tokenizer
from ctiforge.training.rows import UnusableRowError

CHAT = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Grüße?"},
    {"role": "assistant", "content": "Ja."},
]


@pytest.fixture(scope="module")
def tokenizer():
    return load_tokenizer("demo")


def write(path, rows):
    if path.suffix == ".parquet":
        write_table(pyarrow.Table.from_pylist(rows), path)
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
@pytest.mark.parametrize(
    ("row", "columns"),
    [
        ({"messages": CHAT, "source": "x"}, ("messages",)),
        ({"id": 1, "prompt": "Grüße?", "answer": "Ja."}, ("prompt", "answer")),
        ({"prompt": "Grüße?", "completion": "Ja."}, ("prompt", "completion")),
        ({"prompt": CHAT[:2], "completion": CHAT[2:]}, ("prompt", "completion")),
    ],
)
def test_rows_of_every_form_and_file_are_read(tmp_path, tokenizer, suffix, row, columns):
    file = open_rows(write(tmp_path / f"rows.{suffix}", [row, row]))
    assert file.columns == columns
    read = ReadExample(columns)
    (prompt, answer), second = (read(tokenizer, line) for line in file.lines())
    assert (prompt, answer) == second
    assert answer == "Ja."
    asked = "Grüße?"
    if "messages" in row or isinstance(row["prompt"], list):
        asked = render_conversation(tokenizer, "Be brief.", CHAT[1:2])
    assert prompt == asked


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ("{", "no JSON"),
        ("[1]", "no messages"),
        ("{}", "no messages"),
        (json.dumps({"messages": None}), "no messages"),
        (json.dumps({"messages": CHAT[:2]}), "the last turn is not the assistant's answer"),
        (json.dumps({"messages": CHAT[2:]}), "the last turn is not the assistant's answer"),
        (json.dumps({"messages": [CHAT[0], CHAT[2]]}), "no user's turn"),
        (json.dumps({"messages": [CHAT[1], {"role": "assistant"}]}), "a turn without role and content"),
        (json.dumps({"messages": [CHAT[1], {"role": "assistant", "content": " "}]}), "an empty answer"),
        (json.dumps({"messages": ["hello", "there"]}), "a turn without role and content"),
    ],
)
def test_a_row_that_is_no_example_says_why(tokenizer, row, why):
    with pytest.raises(UnusableRowError, match=why):
        ReadExample(("messages",))(tokenizer, row)


def test_a_turn_that_spells_a_special_token_ends_no_turn(tokenizer):
    turns = [{"role": "user", "content": "Type <end> here"}, CHAT[2]]
    prompt, _ = ReadExample(("messages",))(tokenizer, json.dumps({"messages": turns}))
    assert prompt.count("<end>") == 1


@pytest.mark.parametrize("row", [{"prompt": "x"}, {"prompt": 3, "answer": "y"}, {"prompt": "x", "answer": None}, 5])
def test_a_prompt_without_its_answer_is_no_example(tokenizer, row):
    with pytest.raises(UnusableRowError, match="no prompt or no answer"):
        ReadExample(("prompt", "answer"))(tokenizer, json.dumps(row))


def test_a_template_that_cannot_render_a_row_costs_that_row(tokenizer):
    class Refusing:
        def apply_chat_template(self, *_, **__):
            raise RuntimeError("roles must alternate")

    with pytest.raises(UnusableRowError, match="the chat template cannot render it"):
        ReadExample(("messages",))(Refusing(), json.dumps({"messages": CHAT}))


@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
def test_other_columns_are_named_beside_those_that_are_wanted(tmp_path, suffix):
    path = write(tmp_path / f"rows.{suffix}", [{"instruction": "x", "output": "y"}])
    with pytest.raises(UsageError) as error:
        open_rows(path)
    wanted = "wanted is messages (role and content of each), or prompt and answer (or completion)"
    assert str(error.value) == f"--data {path} has the columns instruction, output: {wanted}"


def test_a_line_that_is_no_text_is_a_row_that_is_none(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b'\xff\xfe\n\n{"prompt": "x", "answer": "y"}\r\n')
    assert list(open_rows(path).lines()) == ["", '{"prompt": "x", "answer": "y"}']


def test_a_damaged_parquet_is_told_of_in_one_line(tmp_path):
    path = write(tmp_path / "rows.parquet", [{"prompt": str(i) * 50, "answer": "y"} for i in range(500)])
    content = bytearray(path.read_bytes())
    content[4:60] = b"\xff" * 56
    path.write_bytes(bytes(content))
    with pytest.raises(DataError, match=r"rows.parquet is damaged: \S"):
        list(open_rows(path).lines())


def test_a_folder_has_a_training_part_and_maybe_one_for_validation(tmp_path):
    write(tmp_path / "train.parquet", [{"messages": CHAT}])
    assert [*find_files(tmp_path)] == ["train"]
    write(tmp_path / "validation.jsonl", [{"prompt": "x", "answer": "y"}])
    assert [file.path.name for file in find_files(tmp_path).values()] == ["train.parquet", "validation.jsonl"]
    write(tmp_path / "train.jsonl", [{"messages": CHAT}])
    with pytest.raises(UsageError, match=r"has train.jsonl and train.parquet: leave one of both"):
        find_files(tmp_path)


def test_what_holds_no_rows_is_refused_in_one_line(tmp_path):
    with pytest.raises(UsageError, match=r"holds no format.json of format_extract, nor train.jsonl or train.parquet"):
        find_files(tmp_path)
    (tmp_path / "rows.csv").write_text("a,b\n")
    with pytest.raises(UsageError, match=r"give a .jsonl or .parquet file"):
        find_files(tmp_path / "rows.csv")
    (tmp_path / "rows.parquet").write_text("a,b\n")
    with pytest.raises(UsageError, match="is no Parquet"):
        find_files(tmp_path / "rows.parquet")
    (tmp_path / "rows.jsonl").write_text("\n")
    with pytest.raises(UsageError, match=r"holds no row: wanted is"):
        find_files(tmp_path / "rows.jsonl")


def test_the_rows_of_the_documentation_are_examples_with_a_prompt_that_is_known(tokenizer):
    file = open_rows(Path(__file__).parents[4] / "examples/rows.jsonl")
    rows = [ReadExample(file.columns)(tokenizer, line) for line in file.lines()]
    assert all("observables" in json.loads(answer) for _, answer in rows)
    usage = usage_of_rows([prompt for prompt, _ in rows], tokenizer, max_length=512, template=None, own=None)
    assert usage.prompt_version == "short-v1"


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ({"messages": CHAT, "tools": [{"name": "search"}]}, "a column tools"),
        ({"messages": CHAT[1:], "system": "Be brief."}, "a column system"),
        ({"messages": [*CHAT[:2], {"role": "assistant", "content": "", "tool_calls": [1]}, CHAT[2]]}, "calls tools"),
        ({"prompt": " ", "answer": "x"}, "an empty prompt"),
    ],
)
def test_what_would_not_be_shown_is_no_example(tokenizer, row, why):
    columns = ("messages",) if "messages" in row else ("prompt", "answer")
    with pytest.raises(UnusableRowError, match=why):
        ReadExample(columns)(tokenizer, json.dumps(row))


def test_bytes_and_times_of_a_parquet_are_no_text(tmp_path, tokenizer):
    rows = [{"prompt": b"a", "answer": "x"}, {"prompt": b"\xff", "answer": "y"}]
    file = open_rows(write(tmp_path / "rows.parquet", rows))
    for line in file.lines():
        with pytest.raises(UnusableRowError, match="no prompt or no answer"):
            ReadExample(file.columns)(tokenizer, line)


def test_nothing_that_is_nested_without_end_ends_a_training(tmp_path, tokenizer):
    path = tmp_path / "rows.jsonl"
    path.write_text("[" * 200_000 + "\n" + json.dumps({"meta": 1}) + "\n" + json.dumps({"prompt": "a", "answer": "b"}))
    file = open_rows(path)
    assert file.columns == ("prompt", "answer")
    with pytest.raises(UnusableRowError, match="no JSON"):
        ReadExample(file.columns)(tokenizer, next(file.lines()))


def test_a_file_without_rows_and_a_part_that_is_not_read_are_told(tmp_path, capsys):
    (tmp_path / "empty.jsonl").write_text("\n")
    with pytest.raises(UsageError, match="holds no row: wanted is one JSON object a line"):
        open_rows(tmp_path / "empty.jsonl")
    (tmp_path / "empty.jsonl").unlink()
    write(tmp_path / "train.jsonl", [{"prompt": "a", "answer": "b"}])
    (tmp_path / "valid.jsonl.gz").write_bytes(b"")
    assert set(find_files(tmp_path)) == {"train"}
    assert "valid.jsonl.gz is not read" in capsys.readouterr().err
