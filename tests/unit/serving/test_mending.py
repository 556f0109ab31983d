"""An upstream that leaves out what strict clients need is mended on the way."""

import json
from typing import Any

import pytest

from ctiforge.serving.mending import NoCompletionError, StreamMender, mend_completion


def mended(*chunks: Any, with_usage: bool = False) -> list[dict[str, Any]]:
    mender = StreamMender("m", with_usage=with_usage)
    lines = [each if isinstance(each, str) else f"data: {json.dumps(each)}" for each in chunks]
    sent = [event for line in "\n\n".join(lines).split("\n") for event in mender.line(line)] + list(mender.end())
    return [json.loads(each.removeprefix("data: ")) for each in sent]


def said(delta: dict[str, Any], reason: str | None = None) -> dict[str, Any]:
    return {"id": "c1", "model": "served", "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}


def numbered(index: int, text: str, reason: str | None = None) -> dict[str, Any]:
    return {"id": "c1", "choices": [{"index": index, "delta": {"content": text}, "finish_reason": reason}]}


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
    assert shape(mended(said({"content": "a"}), "data: [DONE]"))[-1] == ({}, "stop")
    assert shape(mended(said({"tool_calls": [{"index": 0}]}, "tool_calls")))[1:] == [
        ({"tool_calls": [{"index": 0}]}, None),
        ({}, "tool_calls"),
    ]


def test_a_call_of_a_tool_ends_as_one_where_the_upstream_does_not_say_how_it_ends() -> None:
    call = {"tool_calls": [{"index": 0, "id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]}
    assert shape(mended(said(call), "data: [DONE]"))[-1] == ({}, "tool_calls")
    whole = mend_completion(json.dumps({"choices": [{"message": call}]}).encode(), "m")
    assert whole["choices"][0]["finish_reason"] == "tool_calls"


def test_probabilities_of_tokens_are_sent_on() -> None:
    given = {"content": [{"token": "a", "logprob": -0.1}]}
    chunk = {"choices": [{"index": 0, "delta": {"content": "a"}, "logprobs": given}]}
    of_none = {"choices": [{"index": 0, "delta": {"content": ""}, "logprobs": given}]}
    empty = {"choices": [{"index": 0, "delta": {}, "logprobs": {"content": []}}]}
    found = mended(chunk, of_none, empty, said({}, "stop"))
    assert [each["choices"][0]["logprobs"] for each in found] == [None, given, given, None]


def test_a_choice_has_a_number_for_its_place() -> None:
    found = mended({"choices": [{"index": True, "delta": {"content": "a"}, "finish_reason": "stop"}]})
    assert {json.dumps(each["choices"][0]["index"]) for each in found} == {"0"}


def test_usage_is_sent_when_asked_for_alone() -> None:
    usage = {"prompt_tokens": 7, "completion_tokens": 1, "total_tokens": 8}
    chunks = (said({"content": "a"}, "stop"), {"choices": [], "usage": usage})
    assert mended(*chunks, with_usage=True)[-1] == mended(*chunks, with_usage=True)[-1] | {
        "choices": [],
        "usage": usage,
    }
    assert all("usage" not in each for each in mended(*chunks))
    # what the upstream does not tell is not made up
    assert all("usage" not in each for each in mended(said({"content": "a"}, "stop"), with_usage=True))


@pytest.mark.parametrize(
    "chunks",
    [
        (said({"content": "Once upon"}), said({"content": " a ti"})),
        (numbered(0, "a", "stop"), numbered(1, "b")),
    ],
)
def test_a_stream_that_ends_without_a_reason_and_without_its_last_word_was_cut_off(chunks: Any) -> None:
    with pytest.raises(NoCompletionError, match="cut off"):
        mended(*chunks)


def test_choices_are_kept_apart_each_with_its_role_and_its_reason() -> None:
    sent = (numbered(0, "A0"), numbered(1, "B0"), numbered(0, "A1"), numbered(1, "B1"))
    found = mended(*sent, numbered(0, "", "stop"), numbered(1, "", "length"), "data: [DONE]", numbered(0, "late"))
    rows = [each["choices"][0] for each in found]
    for index, words, reason in ((0, ["A0", "A1"], "stop"), (1, ["B0", "B1"], "length")):
        own = [each for each in rows if each["index"] == index]
        assert own[0]["delta"]["role"] == "assistant"
        assert [each["delta"]["content"] for each in own[1:-1]] == words
        assert [each["finish_reason"] for each in own] == [None] * 3 + [reason]


@pytest.mark.parametrize(
    "line", ["data: {", "data: 3", 'data: {"error": {"message": "out of memory"}}', "data: [[", "just prose"]
)
def test_what_is_no_stream_is_said_to_be_none(line: str) -> None:
    with pytest.raises(NoCompletionError):
        mended(line)


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ('event: error\ndata: {"detail": "CUDA out of memory"}', "CUDA out of memory"),
        ("event: Error\ndata: out of\ndata: memory", "out of memory"),
        ("event: error", "tells an error, and not which"),
        ({"object": "error", "message": "too long", "code": 500}, "too long"),
        ({"error": {"message": "too long"}, "choices": []}, "too long"),
        ({"error": True, "message": "too long"}, "too long"),
        ({"detail": "gone"}, "gone"),
        ({"choices": None, "usage": None}, "tells an error, and not which"),
        ('error: {"code": 500, "message": "slot unavailable"}', "slot unavailable"),
        ('{"error": "busy"}', "busy"),
    ],
)
def test_an_error_behind_content_is_never_the_end_of_a_whole_answer(told: Any, words: str) -> None:
    with pytest.raises(NoCompletionError, match=words):
        mended(said({"content": "a"}), told, "data: [DONE]")


@pytest.mark.parametrize(
    "whole",
    [
        {"error": {"message": "too long"}},
        {"error": "too long"},
        {"object": "error", "message": "too long"},
        {"detail": "too long"},
    ],
)
def test_an_error_with_a_status_of_success_is_told_in_its_words(whole: Any) -> None:
    with pytest.raises(NoCompletionError, match="the upstream says: too long"):
        mend_completion(json.dumps(whole).encode(), "m")


def test_a_whole_answer_can_be_written_again() -> None:
    sent = b'{"choices": [{"message": {"content": "a\\ud800"}, "logprobs": NaN}], "timing": 1e999}'
    found = mend_completion(sent, "m")
    assert (found["choices"][0]["message"]["content"], found["choices"][0]["logprobs"]) == ("a?", None)
    json.dumps(found, ensure_ascii=False, allow_nan=False).encode()


def test_a_stream_of_another_protocol_is_no_empty_answer() -> None:
    with pytest.raises(NoCompletionError, match="of another protocol: its choices hold text"):
        mended({"choices": [{"text": "a"}]}, {"choices": [{"text": "", "finish_reason": "stop"}]}, "data: [DONE]")


def test_what_is_neither_answer_nor_error_is_passed_over() -> None:
    beats = ('event: ping\ndata: {"type": "ping"}', "event: message", "retry: 3", "id: 7", ": wait", "data:")
    nothing = {"object": "chat.completion.chunk", "id": "c1"}
    found = mended(*beats, said({"content": "a"}), nothing, {"error": None, "choices": []}, "data: [DONE]")
    assert shape(found) == [ROLE, ({"content": "a"}, None), ({}, "stop")]


@pytest.mark.parametrize("between", ["\n", "\n\n"])
def test_an_event_has_lines_of_one_object_or_an_object_a_line(between: str) -> None:
    lines = [f"data:{line}" for line in json.dumps(said({"content": "a"}), indent=1).splitlines()]
    one = [json.dumps(said({"content": text})) for text in "bc"]
    found = mended("\n".join(lines), between.join([f"data: {one[0]}", f"data: {one[1]}", "data: [DONE]"]))
    assert [delta.get("content") for delta, _ in shape(found)] == ["", "a", "b", "c", None]


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
