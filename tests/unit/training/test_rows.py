import json
import socket
from functools import partial

import pytest

from ctiforge.errors import DataError
from ctiforge.training.batches import LengthBucketSampler
from ctiforge.training.encoding import END_TOKENS, encode_example, load_tokenizer
from ctiforge.training.rows import TOO_LONG, UnusableRowError, encode_rows


@pytest.fixture(scope="module")
def tokenizer():
    return load_tokenizer("demo")


def pair(_tokenizer, line):
    try:
        row = json.loads(line)
    except ValueError:
        raise UnusableRowError("no JSON") from None
    return row["prompt"], row["answer"]


def twice(_tokenizer, line):
    prompt, answer = pair(_tokenizer, line)
    return prompt * 2, answer


LINES = [json.dumps({"prompt": f"<s><user>{'word ' * (i % 7)}{i}<end>", "answer": f"{{{i}}}"}) for i in range(40)]


def encoded(tokenizer, folder, lines=LINES, **changed):
    given = {"content": "a", "read": pair, "max_length": 64} | changed
    return encode_rows(partial(iter, lines), tokenizer=tokenizer, folder=folder, **given)


@pytest.mark.parametrize("processes", [1, 2])
def test_rows_on_disk_are_those_that_are_encoded_one_by_one(tokenizer, tmp_path, monkeypatch, processes):
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: pytest.fail("nothing is fetched"))
    rows = encoded(tokenizer, tmp_path, processes=processes)
    expected = [encode_example(tokenizer, *pair(tokenizer, line)) for line in LINES]
    assert [rows[i] for i in range(len(rows))] == expected
    assert rows.lengths.tolist() == [row.length for row in expected]
    assert rows[3].labels == expected[3].labels
    assert sorted(LengthBucketSampler(rows.lengths, 4, 0)) == list(range(40))
    assert rows.set_aside == {}


def test_a_bad_row_is_counted_and_the_others_are_trained_on(tokenizer, tmp_path):
    long = json.dumps({"prompt": "word " * 200, "answer": "{}"})
    half = json.dumps({"prompt": "\ud800", "answer": "{}"})
    rows = encoded(tokenizer, tmp_path, [LINES[0], "{", long, half, LINES[1], ""])
    assert [rows[i] for i in range(2)] == [encode_example(tokenizer, *pair(None, line)) for line in LINES[:2]]
    assert len(rows) == 2
    assert rows.set_aside == {"half a surrogate pair is no text": 1, TOO_LONG: 1, "no JSON": 2}


def test_what_was_encoded_is_read_again_for_the_same_lines_alone(tokenizer, tmp_path):
    first = encoded(tokenizer, tmp_path)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.arrow")}
    assert encoded(tokenizer, tmp_path)[5] == first[5]
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.arrow")} == before
    assert len(encoded(tokenizer, tmp_path, LINES[:3], content="b")) == 3
    assert len(encoded(tokenizer, tmp_path, max_length=12)) < 40
    assert encoded(tokenizer, tmp_path, read=twice)[5].length > first[5].length
    other = load_tokenizer("demo")
    setattr(other, END_TOKENS, ("<pad>",))
    assert encoded(other, tmp_path)[5].input_ids[-1] != first[5].input_ids[-1]
    other = load_tokenizer("demo")
    other.add_tokens(["ord word"])
    assert encoded(other, tmp_path)[5].input_ids != first[5].input_ids


def test_no_rows_are_no_fault(tokenizer, tmp_path):
    rows = encoded(tokenizer, tmp_path, [])
    assert (len(rows), rows.lengths.tolist(), rows.spread(5)) == (0, [], [])
    assert [len(part) for part in rows.divided(0.1, 0)] == [0, 0]
    none_good = encoded(tokenizer, tmp_path, ["{"], content="b")
    assert (len(none_good), none_good.set_aside) == (0, {"no JSON": 1})


def test_rows_of_one_prompt_stay_together_and_a_seed_chooses(tokenizer, tmp_path):
    lines = [json.dumps({"prompt": f"p{i % 20}", "answer": str(i)}) for i in range(60)]
    rows = encoded(tokenizer, tmp_path, lines)
    train, validation = rows.divided(0.1, seed=1)
    assert (len(train), len(validation)) == (54, 6)
    prompts = [{json.loads(line)["prompt"] for line in part.spread(60)} for part in (train, validation)]
    assert not prompts[0] & prompts[1]
    assert len(prompts[1]) == 2
    assert rows.divided(0.1, seed=1)[1].spread(60) == validation.spread(60)
    assert len({tuple(rows.divided(0.1, seed)[1].spread(60)) for seed in range(5)}) > 1
    assert [len(part) for part in encoded(tokenizer, tmp_path, lines[:2], content="b").divided(0.1, 0)] == [1, 1]
    assert len(rows.spread(7)) == 7


@pytest.mark.parametrize(
    ("prompts", "kept"),
    [
        # two prompts of many rows each: no tenth can be cut off, and half of all is not held back for it
        ([*["a"] * 60, *["b"] * 61], 60),
        ([*["a"] * 40, "b"], 1),
        (["a"] * 40, 0),
        ([*["a"] * 30, *[f"p{i}" for i in range(30)]], 6),
    ],
)
def test_the_share_of_validation_is_one_of_rows(tokenizer, tmp_path, prompts, kept):
    lines = [json.dumps({"prompt": prompt, "answer": str(i)}) for i, prompt in enumerate(prompts)]
    rows = encoded(tokenizer, tmp_path, lines)
    for seed in range(4):
        assert [len(part) for part in rows.divided(0.1, seed)] == [len(prompts) - kept, kept]


def test_a_fault_of_the_file_is_told_as_its_reader_tells_it(tokenizer, tmp_path):
    def lines():
        yield LINES[0]
        raise DataError("damaged")

    with pytest.raises(DataError, match="damaged"):
        encode_rows(lines, "a", pair, tokenizer, max_length=64, folder=tmp_path)
    assert len(encoded(tokenizer, tmp_path)) == 40
