"""What is no extraction goes to the upstream, and whatever is missing in its answers is put in."""

import json
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import httpx2
import openai
import pytest

from ctiforge.errors import UsageError
from ctiforge.serving.answering import ServedModel
from ctiforge.serving.loading import LoadedModel
from ctiforge.serving.running import listen
from ctiforge.serving.upstream import Upstream
from tests.integration.endpoint import DROP, HANG, TRICKLE, Endpoint, Reply, completion, error
from tests.serving import ToldModel, asks, events, loaded, says, serving

Serve = Callable[..., Endpoint]
STREAM = {"Content-Type": "text/event-stream"}
COMMANDS = LoadedModel(ServedModel("told", "3"), ToldModel(), ("cmdline",), version=3)


def streamed(*chunks: Any) -> Reply:
    lines = [each if isinstance(each, str) else f"data: {json.dumps(each)}" for each in chunks]
    return Reply(body="\n\n".join([*lines, ""]).encode(), headers=STREAM)


def test_other_requests_and_other_agents_are_passed_on(serve: Serve) -> None:
    upstream = serve(lambda _: completion("a rule"))
    with serving(COMMANDS, upstream=upstream.url) as server:
        found = server.ask(says("Write a Sigma rule.", temperature=0.3)).json()
        assert found["choices"][0]["message"]["content"] == "a rule"
        assert found["usage"]["total_tokens"] == 110
        assert (
            server.ask(asks("ServicesExtract", model="ours@2")).json()["choices"][0]["message"]["content"] == "a rule"
        )
        assert server.answer("CmdlineExtract")["count"] == 1
        assert [each.body["model"] for each in upstream.asked] == ["sigma", "ours@2"]
        assert upstream.asked[0].body == says("Write a Sigma rule.", temperature=0.3)
        assert server.figure('ctiforge_serve_requests_total{agent="upstream",outcome="answered"}') == 2
        # somebody else's model is probed where it is served
        assert server.ask(says("hi", max_tokens=5)).json()["choices"][0]["message"]["content"] == "a rule"
        assert server.ask(says("hi", max_tokens=5, model="ctiforge")).json()["choices"][0]["message"]["content"] == "ok"


def test_a_request_that_names_our_model_asks_for_the_upstreams(serve: Serve) -> None:
    upstream = serve(lambda _: completion("x"))
    with serving(COMMANDS, upstream=upstream.url, upstream_model="large") as server:
        for model in ("ctiforge", "ctiforge/told@2", "their-own"):
            assert server.ask(asks("ServicesExtract", model=model)).status_code == 200
    assert [each.body["model"] for each in upstream.asked] == ["large", "large", "their-own"]


def test_its_models_are_listed_behind_ours(serve: Serve) -> None:
    upstream = serve(lambda _: completion("x"))
    with serving(COMMANDS, upstream=upstream.url) as server:
        upstream.models = ["m", "ctiforge"]
        rows = server.client.get("/v1/models").json()["data"]
        assert [each["id"] for each in rows] == ["ctiforge/told@3", "ctiforge", "m"]
        assert server.client.get("/v1/models/m").json()["owned_by"] == "us"
        assert len(server.client.get("/api/v1/models").json()["data"]) == 2
        passed = server.client.post("/api/v1/models/load", json={"model": "m"})
        assert (passed.status_code, upstream.asked[-1].path) == (200, "/api/v1/models/load")
        assert server.client.post("/v1/embeddings", json={"input": "x"}).status_code == 200
        assert upstream.asked[-1].path == "/v1/embeddings"


def test_a_model_of_its_list_without_a_name_is_left_out(serve: Serve) -> None:
    upstream = serve(lambda _: completion("x"))
    with serving(COMMANDS, upstream=upstream.url) as server:
        upstream.models = [["m"], 5, {"a": 1}, "m"]
        found = server.client.get("/v1/models")
        assert [each["id"] for each in found.json()["data"]] == ["ctiforge/told@3", "ctiforge", "m"]


@pytest.mark.parametrize(
    "reply",
    [
        # as OpenAI streams, without any role, reason or end, with empty chunks, and not as a stream at all
        streamed(
            {"choices": [{"index": 0, "delta": {"role": "assistant"}, "finish_reason": None}]},
            {"choices": [{"index": 0, "delta": {"content": "a rule"}, "finish_reason": None}]},
            {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
            "data: [DONE]",
        ),
        streamed(
            {"choices": [{"delta": {"content": "a "}}]}, {"choices": [{"delta": {"content": "rule"}}]}, "data: [DONE]"
        ),
        streamed(
            ": wait",
            {"choices": []},
            {"choices": [{"delta": {"content": ""}}]},
            {"choices": [{"delta": {"content": "a rule"}}]},
            {"choices": [{"delta": {}, "finish_reason": "stop"}]},
        ),
        completion("a rule"),
        Reply(body={"choices": [{"message": {"content": "a rule"}}]}),
    ],
)
def test_a_strict_client_reads_whatever_it_streams(serve: Serve, reply: Reply) -> None:
    upstream = serve(lambda _: reply)
    with serving(COMMANDS, upstream=upstream.url) as server:
        client = openai.OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0)
        chunks = list(client.chat.completions.create(**says("Write a rule.", stream=True)))
        assert chunks[0].choices[0].delta.role == "assistant"
        assert [each.choices[0].finish_reason for each in chunks] == [None] * (len(chunks) - 1) + ["stop"]
        assert "".join(each.choices[0].delta.content or "" for each in chunks) == "a rule"
        assert server.ask(says("x", stream=True)).text.endswith("data: [DONE]\n\n")


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
def test_a_stream_has_the_line_breaks_of_its_format_alone(serve: Serve, ends: str) -> None:
    text = "a\u2028b\x85c\u2029d"
    data = json.dumps({"choices": [{"delta": {"content": text}}]}, ensure_ascii=False)
    lines = ["\ufeffevent: message", f"data: {data.replace(' [', f' {ends}data:[')}", "", "data: [DONE]", "", ""]
    body = ends.join(lines).encode()
    reply = Reply(body=body, headers={"Content-Type": "Text/Event-Stream; charset=utf-8"})
    upstream = serve(lambda _: reply)
    with serving(loaded(ToldModel()), upstream=upstream.url) as server:
        sent = events(server.ask(says("x", stream=True)).text)
        assert [each["choices"][0]["delta"].get("content") for each in sent[:-1]] == ["", text, None]


@pytest.mark.parametrize(
    ("reply", "status", "words"),
    [
        (HANG, 504, "the upstream gave no answer in 0.3 s"),
        (TRICKLE, 504, "the upstream gave no answer in 0.3 s"),
        (DROP, 502, "the connection to the upstream broke off"),
        (Reply(body=b"I am sorry, I cannot do that."), 502, "the upstream's answer is no completion"),
        (Reply(body=b"<html>", status=500), 500, "the upstream refuses (500): it does not say why"),
        (error(429, "slow down", retry_after="7"), 429, "the upstream refuses (429): slow down"),
        (error(404, "no such model"), 404, "no such model"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_an_upstream_that_does_not_answer_is_told_of(
    serve: Serve, reply: Reply, status: int, words: str, stream: bool
) -> None:
    upstream = serve(lambda _: reply)
    with serving(COMMANDS, upstream=upstream.url, seconds=0.3) as server:
        found = server.ask(says("x", stream=stream))
        assert found.status_code == status
        assert words in found.json()["error"]["message"]
        if status == 429:
            assert found.headers["retry-after"] == "7"
        # the model's own agents are answered all the same
        assert server.answer("CmdlineExtract")["count"] == 1


def test_an_upstream_that_is_gone_is_told_of() -> None:
    with serving(COMMANDS, upstream="http://127.0.0.1:9/v1") as server:
        for stream in (False, True):
            found = server.ask(says("x", stream=stream))
            assert (found.status_code, found.json()["error"]["code"]) == (502, "upstream_gone")
        assert len(server.client.get("/v1/models").json()["data"]) == 2


@pytest.mark.parametrize(
    "rest",
    [
        (),
        ("data: and so on",),
        ({"error": {"message": "out of memory"}},),
        ('event: error\ndata: {"detail": "out of memory"}', "data: [DONE]"),
        ({"object": "error", "message": "out of memory", "code": 500}, "data: [DONE]"),
    ],
)
def test_a_stream_that_breaks_off_ends_with_an_error(serve: Serve, rest: tuple[Any, ...]) -> None:
    reply = streamed({"choices": [{"delta": {"content": "a"}}]}, *rest)
    upstream = serve(lambda _: reply)
    with serving(loaded(ToldModel()), upstream=upstream.url) as server:
        sent = events(server.ask(says("x", stream=True)).text)
        assert sent[1]["choices"][0]["delta"] == {"content": "a"}
        assert sent[-1]["error"]["code"] == "upstream_no_completion"


@pytest.mark.parametrize("stream", [False, True])
def test_an_upstream_that_is_elsewhere_is_told_of(serve: Serve, stream: bool) -> None:
    reply = Reply(status=307, headers={"Location": "https://user:key@models.invalid/v1/chat/completions?k=1"})
    upstream = serve(lambda _: reply)
    with serving(loaded(ToldModel()), upstream=upstream.url) as server:
        found = server.ask(says("x", stream=stream))
        assert (found.status_code, found.json()["error"]["code"]) == (502, "upstream_moved")
        words = "the upstream redirects to models.invalid: name that address with --upstream"
        assert found.json()["error"]["message"] == words


@pytest.mark.parametrize("stream", [False, True])
def test_an_upstreams_error_with_a_status_of_success_is_told(serve: Serve, stream: bool) -> None:
    upstream = serve(lambda _: Reply(body={"error": {"message": "Unexpected endpoint"}}))
    with serving(loaded(ToldModel()), upstream=upstream.url) as server:
        found = server.ask(says("x", stream=stream))
        assert (found.status_code, found.json()["error"]["code"]) == (502, "upstream_no_completion")
        assert "the upstream says: Unexpected endpoint" in found.json()["error"]["message"]


def test_an_upstreams_answer_that_cannot_be_written_is_mended(serve: Serve) -> None:
    body = b'{"choices": [{"message": {"content": "a\\ud800"}, "logprobs": NaN}]}'
    upstream = serve(lambda _: Reply(body=body, headers={"Content-Type": "application/json"}))
    with serving(loaded(ToldModel()), upstream=upstream.url) as server:
        assert server.ask(says("x")).json()["choices"][0]["message"]["content"] == "a?"


def test_servers_that_lead_back_to_themselves_ask_nobody_twice() -> None:
    with ExitStack() as started:
        sockets = [listen("127.0.0.1", 0) for _ in range(2)]
        urls = [f"http://127.0.0.1:{each.getsockname()[1]}" for each in sockets]
        for own, behind in zip(sockets, reversed(urls), strict=True):
            started.enter_context(serving(COMMANDS, upstream=f"{behind}/v1", listener=own))
        client = started.enter_context(httpx2.Client(base_url=urls[0], timeout=60))
        found = client.post("/v1/chat/completions", json=says("x"))
        assert "the upstream leads back to this server" in found.json()["error"]["message"]
        assert found.status_code == 508
        assert [each["id"] for each in client.get("/v1/models").json()["data"]][:1] == ["ctiforge/told@3"]


def test_an_address_with_parameters_is_none_of_an_upstream() -> None:
    for url in ("http://h/v1?key=secret", "http://h/v1#x"):
        with pytest.raises(UsageError, match=r"'http://h/v1' goes on with") as refused:
            Upstream(url, seconds=1)
        assert "secret" not in str(refused.value)


def test_nobody_waits_for_an_upstream_behind_its_last_word(serve: Serve) -> None:
    said = streamed({"choices": [{"delta": {"content": "a"}, "finish_reason": "stop"}]}, "data: [DONE]")
    upstream = serve(lambda _: Reply(body=said.body, headers=STREAM, trickle=True))
    with serving(loaded(ToldModel()), upstream=upstream.url) as server:
        assert server.ask(says("x", stream=True)).text.endswith("data: [DONE]\n\n")


def test_an_upstreams_entry_without_an_id_is_no_model(serve: Serve) -> None:
    upstream = serve(lambda _: completion("x"))
    upstream.models = ["m", ""]
    with serving(loaded(ToldModel()), upstream=upstream.url) as server:
        assert [each["id"] for each in server.client.get("/v1/models").json()["data"]][2:] == ["m"]
