"""An upstream that leaves out what strict clients need is mended on the way."""

import json
from typing import Any

import pytest

from ctiforge.serving.mending import NoCompletionError, StreamMender, mend_completion


def mended(*chunks: Any, with_usage: bool = False) -> list[dict[str, Any]]:
    mender = StreamMender("m", with_usage=with_usage)
    lines = [each if isinstance(each, str) else f"data: {json.dumps(each)}" for each in chunks]
    sent = [event for line in lines for event in mender.line(line)] + list(mender.end())
    return [json.loads(each.removeprefix("data: ")) for each in sent]


def said(delta: dict[str, Any], reason: str | None = None) -> dict[str, Any]:
    return {"id": "c1", "model": "served", "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}


def shape(chunks: list[dict[str, Any]]) -> list[Any]:
    return [(each["choices"][0]["delta"], each["choices"][0]["finish_reason"]) for each in chunks if each["choices"]]


ROLE = ({"role": "assistant", "content": ""}, None)


def test_role_first_finish_reason_last_and_nothing_empty() -> None:
    found = mended(
        "",
        ": comment",
        {"choices": []},
        said({"content": ""}),
        said({"content": "a"}, "stop"),
        said({}),
        said({"content": "b"}),
        "data: [DONE]",
    )
    assert shape(found) == [ROLE, ({"content": "a"}, None), ({"content": "b"}, None), ({}, "stop")]
    assert {each["id"] for each in found} == {"c1"}
    assert {each["model"] for each in found} == {"served"}
    assert {each["object"] for each in found} == {"chat.completion.chunk"}


def test_a_reason_that_was_given_is_kept_and_one_that_was_not_is_made_up() -> None:
    assert shape(mended(said({"content": "a"}, "length")))[-1] == ({}, "length")
    assert shape(mended(said({"content": "a"})))[-1] == ({}, "stop")
    assert shape(mended(said({"tool_calls": [{"index": 0}]}, "tool_calls")))[1:] == [
        ({"tool_calls": [{"index": 0}]}, None),
        ({}, "tool_calls"),
    ]


def test_usage_is_sent_when_asked_for_alone() -> None:
    usage = {"prompt_tokens": 7, "completion_tokens": 1, "total_tokens": 8}
    chunks = (said({"content": "a"}, "stop"), {"choices": [], "usage": usage})
    assert mended(*chunks, with_usage=True)[-1] == mended(*chunks, with_usage=True)[-1] | {
        "choices": [],
        "usage": usage,
    }
    assert all("usage" not in each for each in mended(*chunks))
    assert mended(said({"content": "a"}), with_usage=True)[-1]["usage"]["total_tokens"] == 0


@pytest.mark.parametrize(
    "line", ["data: {", "data: 3", 'data: {"error": {"message": "out of memory"}}', "data: [[", "just prose"]
)
def test_what_is_no_stream_is_said_to_be_none(line: str) -> None:
    with pytest.raises(NoCompletionError):
        mended(line)


def test_a_whole_answer_is_mended() -> None:
    found = mend_completion(b'{"choices": [{"message": {"content": "a"}}], "usage": null}', "m")
    assert found["choices"] == [{"message": {"content": "a", "role": "assistant"}, "index": 0, "finish_reason": "stop"}]
    assert (found["object"], found["model"]) == ("chat.completion", "m")
    assert found["id"].startswith("chatcmpl-")
    kept = mend_completion(b'{"id": "x", "model": "n", "choices": [{"message": {"role": "assistant"}}]}', "m")
    assert (kept["id"], kept["model"], kept["choices"][0]["message"]["content"]) == ("x", "n", None)


@pytest.mark.parametrize(
    "body", [b"I am sorry", b"[]", b"{}", b'{"choices": [3]}', b'{"choices": [{}]}', b"[" * 100_000]
)
def test_prose_is_no_answer(body: bytes) -> None:
    with pytest.raises(NoCompletionError, match="no completion"):
        mend_completion(body, "m")
