"""Served models over real connections: windows, the application's own prompt, and servers that misbehave."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from ctiforge.endpoints import RETRIES, UNREACHED
from ctiforge.errors import CannotGoOnError, UsageError
from ctiforge.extract.answering.endpoint import Client, connect
from ctiforge.extract.answering.endpoint import Endpoint as Where
from ctiforge.extract.answering.extraction import Source
from ctiforge.extract.answering.served import EndpointAgent, ServedAsIs, ServedPrompt, read_prompt
from ctiforge.records.model_note import AgentUsage, ChatTemplate, WindowSizes
from ctiforge.training.encoding import encode_prompt, load_tokenizer
from tests.integration.endpoint import DROP, HANG, Asked, Endpoint, Reply, completion, error, text_completion

USAGE = AgentUsage("messages", "short-v1", ("services", "cmdline"), WindowSizes(200, 60, 20))
TEXT = " ".join(f"Then Svc{number} was seen on that host." for number in range(12))
KEY = "sk-test-1234567890"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A key, and retries without the library's pauses."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setattr("openai._base_client.INITIAL_RETRY_DELAY", 0.001)


@pytest.fixture(scope="module")
def tokenizer():
    return load_tokenizer("demo")


def services(text: str) -> str:
    """What a model that knows its work answers."""
    names = dict.fromkeys(word.strip(".") for word in text.split() if word.startswith("Svc"))
    items = [{"type": "services", "value": name} for name in names]
    return json.dumps({"observables": items}, separators=(",", ":"))


def knows(asked: Asked) -> Reply:
    return completion(services(asked.text))


def agent(endpoint: Endpoint, usage: AgentUsage = USAGE, timeout_s: float = 20.0, **options) -> EndpointAgent:
    return EndpointAgent(connect(Where(endpoint.url, "m", 3, timeout_s)), usage, "served", **options)


def values(extraction) -> list[str]:
    return [item.value for item in extraction.observables]


def test_an_article_goes_out_in_windows_several_at_a_time_and_comes_back_merged(serve, tokenizer):
    endpoint = serve(knows, delay_s=0.02)

    extraction = agent(endpoint, tokenizer=tokenizer).extract(TEXT)

    assert values(extraction) == [f"Svc{number}" for number in range(12)]
    assert len(extraction.windows) == len(endpoint.asked) > 3
    assert endpoint.most_at_once == 3
    assert all(window.schema_valid and window.prompt_tokens == 100 for window in extraction.windows)
    assert extraction.windows[-1].end == len(TEXT)


def test_it_is_asked_as_training_asked_with_the_room_that_training_left(serve, tokenizer):
    endpoint = serve(knows)

    found = agent(endpoint, tokenizer=tokenizer).extract("It starts Svc1.", ["services"])

    body = endpoint.asked[0].body
    assert values(found) == ["Svc1"]
    assert body["messages"] == [
        {"role": "user", "content": "Return as JSON the observables in the text.\nTypes: services\nCopy each value."
         " Add its platform.\n\nIt starts Svc1."}
    ]  # fmt: skip
    rendered = tokenizer.apply_chat_template(body["messages"], tokenize=False, add_generation_prompt=True)
    assert body["max_tokens"] == 200 - len(encode_prompt(tokenizer, rendered))
    assert (body["temperature"], "response_format" in body) == (0, False)


def test_a_format_that_is_no_conversation_is_gone_on_with_as_text(serve, tokenizer):
    endpoint = serve(lambda asked: text_completion(services(asked.text)))
    usage = AgentUsage("alpaca", "short-v1", ("services",), WindowSizes(400, 60, 20))

    found = agent(endpoint, usage, tokenizer=tokenizer).extract("It starts Svc1.")

    assert values(found) == ["Svc1"]
    assert endpoint.asked[0].path == "/v1/completions"
    assert endpoint.asked[0].text.endswith("### Response:\n")


def test_a_schema_is_asked_for_where_answers_are_constrained(serve):
    endpoint = serve(knows)

    agent(endpoint, constrained=True).extract("It starts Svc1.", ["services"])

    form = endpoint.asked[0].body["response_format"]
    assert form["type"] == "json_schema"
    item = form["json_schema"]["schema"]["properties"]["observables"]["items"]
    assert item["properties"]["type"] == {"enum": ["services"]}


def with_logprobs(asked: Asked) -> Reply:
    """Each character a token, and the last of them doubtful."""
    reply = knows(asked)
    choice = reply.body["choices"][0]
    said = choice["message"]["content"]
    tokens = [{"token": each, "logprob": -2.0 if each == "}" else 0.0, "top_logprobs": []} for each in said]
    choice["logprobs"] = {"content": tokens} if asked.body.get("logprobs") else None
    return reply


def test_an_endpoint_is_asked_how_likely_its_tokens_were(serve):
    endpoint = serve(with_logprobs)

    (asked,) = agent(endpoint, logprobs=True).extract("It starts Svc1.").windows
    (unasked,) = agent(endpoint).extract("It starts Svc1.").windows

    (item,) = asked.items
    assert asked.raw[item.start : item.end] == '{"type":"services","value":"Svc1"}'
    assert (item.mean, item.least) == (pytest.approx(-2 / (item.end - item.start), abs=1e-4), -2)
    assert unasked.items is None
    assert "logprobs" not in endpoint.asked[-1].body


def test_an_endpoint_renders_with_the_variables_that_training_fixed(serve):
    endpoint = serve(knows)
    fixed = replace(USAGE, template=ChatTemplate({"enable_thinking": False}))

    EndpointAgent(Client(Where(endpoint.url, "m")), fixed, "served").extract("It starts Svc1.")
    agent(endpoint).extract("It starts Svc1.")

    assert endpoint.asked[0].body["chat_template_kwargs"] == {"enable_thinking": False}
    assert "chat_template_kwargs" not in endpoint.asked[-1].body


def test_an_endpoint_that_knows_nothing_of_that_is_asked_without(serve):
    def refuses(asked: Asked) -> Reply:
        return error(400, "unknown field: logprobs") if "logprobs" in asked.body else knows(asked)

    endpoint = serve(refuses)
    extraction = agent(endpoint, logprobs=True).extract(TEXT)

    assert values(extraction) == [f"Svc{number}" for number in range(12)]
    assert {(window.error, window.items) for window in extraction.windows} == {(None, None)}
    # those that were under way at once
    assert sum("logprobs" in asked.body for asked in endpoint.asked) <= 3


def test_without_a_tokenizer_tokens_are_estimated_and_no_window_is_lost(serve):
    endpoint = serve(knows)

    assert values(agent(endpoint).extract(TEXT)) == [f"Svc{number}" for number in range(12)]


def test_a_window_whose_answer_has_no_room_is_asked_about_in_halves(serve, tokenizer):
    def respond(asked: Asked) -> Reply:
        return completion('{"observables":[', "length") if asked.text.count("Svc") > 2 else knows(asked)

    quiet = "Nothing was seen on this host. " * 60
    found = agent(serve(respond), tokenizer=tokenizer).extract(TEXT + " " + quiet)

    assert values(found) == [f"Svc{number}" for number in range(12)]
    assert found.halved > 0


@pytest.mark.parametrize(
    "reply",
    [error(400, "context too long"), Reply(body={"choices": []}), Reply(body=b"<html>"), completion(None)],
)
def test_one_window_that_is_refused_costs_that_window(serve, tokenizer, reply):
    endpoint = serve(lambda asked: reply if "Svc0 " in asked.text else knows(asked))

    found = agent(endpoint, tokenizer=tokenizer).extract(TEXT)

    failed = [window for window in found.windows if window.error]
    assert len(failed) == 1
    assert "Svc11" in values(found)


def test_what_passes_is_asked_again_and_what_does_not_answer_in_time_is_that_windows_error(serve, tokenizer):
    seen: set[str] = set()

    def respond(asked: Asked) -> Reply:
        if "Svc0 " in asked.text:
            return HANG
        if asked.text not in seen:
            seen.add(asked.text)
            return error(503, "busy", retry_after_ms="1")
        return knows(asked)

    endpoint = serve(respond)
    found = agent(endpoint, tokenizer=tokenizer, timeout_s=0.3).extract(TEXT)

    assert [window.error for window in found.windows if window.error] == ["no answer in 0.3 s"]
    assert sum("Svc0 " in asked.text for asked in endpoint.asked) == RETRIES + 1
    assert "Svc11" in values(found)


@pytest.mark.parametrize(
    ("reply", "kind", "words"),
    [
        (error(401, "no"), UsageError, "the key is refused"),
        (error(402, "pay"), CannotGoOnError, "the account's limit is over"),
        (error(404, "no such model"), UsageError, "/v1"),
        (error(500, f"oops {KEY}"), CannotGoOnError, f"{UNREACHED} times in a row"),
        (DROP, CannotGoOnError, "no connection"),
    ],
)
def test_what_would_go_wrong_with_every_window_ends_the_work(serve, reply, kind, words):
    endpoint = serve(lambda _asked: reply)

    with pytest.raises(kind, match=words) as raised:
        agent(endpoint).extract(TEXT * 3)

    assert KEY not in str(raised.value)


def test_a_wrong_address_key_or_model_is_told_before_anything_is_asked(serve, monkeypatch):
    endpoint = serve(knows)
    nobody = endpoint.url.replace("/v1", "")

    with pytest.raises(UsageError, match="is no endpoint"):
        Client(Where("localhost:1234", "m"))
    with pytest.raises(UsageError, match="serves no model 'other'; it serves m"):
        connect(Where(endpoint.url, "other"))
    with pytest.raises(UsageError, match="usually ends in /v1"):
        connect(Where(nobody, "m"))
    with pytest.raises(CannotGoOnError, match="is the server up"):
        connect(Where("http://127.0.0.1:9/v1", "m"))
    monkeypatch.setenv("OPENAI_API_KEY", "sk-ü")
    with pytest.raises(UsageError, match="characters that no key has"):
        connect(Where(endpoint.url, "m"))
    assert endpoint.asked == []


def as_served(endpoint: Endpoint, prompt: ServedPrompt) -> ServedAsIs:
    return ServedAsIs(connect(Where(endpoint.url, "m")), prompt, "as served")


def test_as_served_a_whole_article_is_asked_about_with_the_applications_own_prompt(serve):
    endpoint = serve(knows)
    prompt = ServedPrompt("You extract.", "From {url}:\n{content}\nJSON only.")

    (found,) = as_served(endpoint, prompt).extract_many([Source(TEXT, ("services",), "https://example.invalid/a")])

    assert [asked.body["messages"] for asked in endpoint.asked] == [
        [
            {"role": "system", "content": "You extract."},
            {"role": "user", "content": f"From https://example.invalid/a:\n{TEXT}\nJSON only."},
        ]
    ]
    assert values(found) == [f"Svc{number}" for number in range(12)]
    assert (found.windows[0].json_parsed, found.windows[0].schema_valid) == (True, True)


@pytest.mark.parametrize(
    ("raw", "expected", "parsed", "valid"),
    [
        ('{"cmdline_items": ["whoami /all"], "count": 1}', ["whoami /all"], True, True),
        ('{"behavioral_observables": {"services": ["Svc1"]}}', ["Svc1"], True, True),
        ('Here it is:\n```json\n{"observables":[{"type":"services","value":"Svc1"}]}\n```', ["Svc1"], False, False),
        ("I could not find anything.", [], False, False),
        ("[1, 2]", [], True, False),
        ("", [], False, False),
    ],
)
def test_as_served_every_shape_of_the_application_is_read_and_judged_before_repair(serve, raw, expected, parsed, valid):
    found = as_served(serve(lambda _asked: completion(raw)), ServedPrompt("", "Extract.")).extract(TEXT)

    assert values(found) == expected
    assert (found.windows[0].json_parsed, found.windows[0].schema_valid) == (parsed, valid)


def test_as_served_an_article_that_is_refused_is_a_failed_window_and_the_others_are_answered(serve):
    endpoint = serve(lambda asked: error(400, "too long") if "secret" in asked.text else knows(asked))

    refused, answered = as_served(endpoint, ServedPrompt("", "Extract.")).extract_many(
        [Source("secret"), Source("Svc1 runs.")]
    )

    assert refused.windows[0].error == "400: too long"
    assert values(answered) == ["Svc1"]


def test_a_prompt_is_a_text_or_a_conversation(tmp_path: Path):
    (tmp_path / "plain.txt").write_text("Extract all.")
    (tmp_path / "turns.json").write_text(json.dumps({"system": "S", "user": "U {content}"}))
    (tmp_path / "bad.json").write_text("{}")
    (tmp_path / "empty.txt").write_text(" \n")

    assert read_prompt(tmp_path / "plain.txt").messages(Source("ARTICLE")) == [
        {"role": "user", "content": "Extract all.\n\nARTICLE"}
    ]
    assert read_prompt(tmp_path / "turns.json").messages(Source("A {url} {content}")) == [
        {"role": "system", "content": "S"},
        {"role": "user", "content": "U A {url} {content}"},
    ]
    with pytest.raises(UsageError, match="is no prompt"):
        read_prompt(tmp_path / "bad.json")
    with pytest.raises(UsageError, match="is empty"):
        read_prompt(tmp_path / "empty.txt")
