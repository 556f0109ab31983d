"""What an agent is answered: in the application's shape, and read by our own reader as what the model found."""

import json
from math import log
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctiforge.data.generations import read_result
from ctiforge.extract.answering.extraction import Extraction, WindowAnswer
from ctiforge.observables.values import normalize
from ctiforge.records.answer import ItemProbability
from ctiforge.records.observable import TYPES, Observable
from ctiforge.serving.answering import ServedModel, agent_answer, answered
from ctiforge.serving.confidence import Calibration
from ctiforge.serving.profiles import load_profile, parse_profile
from ctiforge.serving.recognizing import recognize
from tests.huntable import KEYS, request, stored_row

HUNTABLE = load_profile("huntable")
MODEL = ServedModel("extract", "3")
ARTICLE = r"""Overnight the actor came back.

It ran cmd.exe /c whoami /all > C:\Temp\who.txt and then “net  group "Domain Admins" /domain”.

winword.exe spawned powershell.exe, which beaconed to hxxps://evil[.]example/gate.php and 203.0.113[.]9.

It wrote reg add "HKCU\Software\Microsoft\Windows\CurrentVersion\Run" /v Updater /t REG_SZ /d "C:\Temp\u.exe" /f
and set HKLM\SYSTEM\CurrentControlSet\Control\SecurityProviders\WDigest\UseLogonCredential to 1.

sc create WinUpd binPath= "C:\Temp\u.exe" start= auto DisplayName= "Windows Updater"
The binary C:\ProgramData\svc.exe was seen as well.

The actor created a scheduled task named \Microsoft\Windows\Upd that runs every 5 minutes as SYSTEM.
schtasks /create /tn "Nightly" /tr calc.exe /sc daily

Hunt for it:
DeviceProcessEvents | where FileName == "u.exe"
"""
FOUND = tuple(
    Observable(type=type_, value=value, platform=platform)
    for type_, value, platform in [
        ("cmdline", r"whoami /all > C:\Temp\who.txt", "Windows"),
        ("cmdline", 'net group "Domain Admins" /domain', "Windows"),
        ("cmdline", "not --in the article", None),
        ("process_lineage", "winword.exe -> powershell.exe", None),
        ("network_indicators", "hxxps://evil[.]example/gate.php", None),
        ("network_indicators", "203.0.113[.]9", None),
        ("registry", r"HKCU\Software\Microsoft\Windows\CurrentVersion\Run\Updater", None),
        ("registry", r"HKLM\SYSTEM\CurrentControlSet\Control\SecurityProviders\WDigest\UseLogonCredential", None),
        ("registry", r"HKCU\Software\Microsoft\Windows\CurrentVersion\Run", None),
        ("services", "WinUpd", None),
        ("services", r"C:\ProgramData\svc.exe", None),
        ("services", r'sc create WinUpd binPath= "C:\Temp\u.exe"', None),
        ("scheduled_tasks", r"\Microsoft\Windows\Upd", None),
        ("scheduled_tasks", "Nightly", None),
        ("hunt_queries", 'DeviceProcessEvents | where FileName == "u.exe"', None),
    ]
)
ONE_PROMPT = """
name = "one-prompt"
[article]
after = "<article>"
before = "</article>"
[agent.ExtractAgent]
types = ["cmdline", "registry", "services", "scheduled_tasks", "process_lineage", "hunt_queries", "network_indicators"]
recognize = { system = ["observables", "JSON"] }
answer = { key = "observables", count = "discrete_huntables_count" }
fields = { type = "type", value = "item", platform = "platform", source_context = "paragraph" }
"""


def keys(observables: tuple[Observable, ...]) -> list[tuple[str, str]]:
    return sorted((each.type, normalize(each.type, each.value)) for each in observables)


def items(agent: str, extraction: Extraction, model: ServedModel = MODEL, text: str = ARTICLE) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(agent_answer(HUNTABLE, agent, text, extraction, model))[KEYS[agent]]
    return found


@pytest.mark.parametrize("agent", KEYS)
def test_what_an_agent_is_answered_is_read_as_what_was_found(agent: str) -> None:
    asked = recognize(HUNTABLE, request(agent, ARTICLE, snippets=True))
    assert asked is not None
    answer = agent_answer(HUNTABLE, asked.agent, asked.text, Extraction(FOUND), MODEL)
    read = read_result(stored_row({agent: answer}))
    (type_,) = HUNTABLE.types_of(agent)
    assert keys(read.observables) == keys(tuple(each for each in FOUND if each.type == type_))
    assert read.labelled_types == (type_,)
    assert read.states[type_].model == "ctiforge/extract@3"
    assert not read.set_aside


def test_the_row_of_all_agents_is_read_as_the_whole_extraction() -> None:
    row = stored_row({agent: agent_answer(HUNTABLE, agent, ARTICLE, Extraction(FOUND), MODEL) for agent in KEYS})
    read = read_result(json.loads(json.dumps(row)))
    assert keys(read.observables) == keys(FOUND)
    assert set(read.labelled_types) == set(TYPES)


@pytest.mark.parametrize("agent", KEYS)
def test_nothing_found_is_an_answer_too(agent: str) -> None:
    answer = agent_answer(HUNTABLE, agent, ARTICLE, Extraction(()), MODEL)
    assert json.loads(answer)[KEYS[agent]] == []
    assert json.loads(answer)["count"] == 0
    read = read_result(stored_row({agent: answer}))
    assert read.labelled_types == HUNTABLE.types_of(agent)


@pytest.mark.parametrize("agent", KEYS)
def test_every_item_has_every_field_and_its_paragraph_word_for_word(agent: str) -> None:
    found = items(agent, Extraction(FOUND))
    assert found
    for item in found:
        assert list(item) == list(HUNTABLE.agent[agent].fields)
        evidence = item["source_evidence"]
        assert evidence is None or evidence in ARTICLE
        assert (evidence is None) == (item.get("value") == "not --in the article")


def test_an_item_is_given_as_the_article_writes_it() -> None:
    values = [item["value"] for item in items("CmdlineExtract", Extraction(FOUND))]
    assert values == [r"whoami /all > C:\Temp\who.txt", 'net  group "Domain Admins" /domain', "not --in the article"]


@given(st.text(max_size=200), st.text(min_size=1, max_size=30), st.sampled_from(TYPES))
def test_evidence_is_always_of_the_article(text: str, value: str, type_: str) -> None:
    article = f"{text}\n\n{value} {text}"
    agent = next(name for name in KEYS if HUNTABLE.types_of(name) == (type_,))
    for item in items(agent, Extraction((Observable(type=type_, value=value),)), text=article):
        assert item["source_evidence"] is None or item["source_evidence"] in article


def window(start: int, end: int, *found: tuple[str, str, float]) -> WindowAnswer:
    raw, spans = '{"observables":[', []
    for type_, value, probability in found:
        raw += "," if spans else ""
        item = json.dumps({"type": type_, "value": value})
        spans.append(
            ItemProbability(start=len(raw), end=len(raw) + len(item), mean=log(probability), least=log(probability))
        )
        raw += item
    return WindowAnswer(start, end, raw + "]}", True, True, False, 0, 9, 9, items=tuple(spans))


def test_confidence_is_that_of_the_window_that_was_surest() -> None:
    command = FOUND[0].value
    windows = (window(0, 300, ("cmdline", command, 0.5)), window(100, 400, ("cmdline", command, 0.9)))
    first, second, third = items("CmdlineExtract", Extraction(FOUND, windows))
    assert first["confidence_score"] == 0.9
    assert first["extraction_justification"] == (
        "Found by ctiforge/extract@3 reading characters 100 to 400 of the article; "
        "confidence uncalibrated: the model's own probability of its tokens."
    )
    assert second["confidence_score"] is None
    assert "characters 0 to 300" in second["extraction_justification"]
    assert "confidence unknown" in second["extraction_justification"]
    assert "does not hold it" in third["extraction_justification"]


def test_a_calibration_says_what_a_probability_is_worth() -> None:
    model = ServedModel("extract", "3", Calibration((0.4, 0.8), (0.2, 0.6), 250))
    windows = (window(0, 300, ("cmdline", FOUND[0].value, 0.6)),)
    item = items("CmdlineExtract", Extraction(FOUND[:1], windows), model)[0]
    assert item["confidence_score"] == 0.4
    assert item["extraction_justification"].endswith("confidence calibrated on 250 items of an evaluation.")


def test_an_agent_is_answered_by_a_model_of_all_its_types() -> None:
    assert answered(HUNTABLE, "ServicesExtract", ("cmdline", "services"))
    assert not answered(HUNTABLE, "ServicesExtract", ("cmdline",))
    one = parse_profile(ONE_PROMPT, "one")
    assert answered(one, "ExtractAgent", TYPES)
    assert not answered(one, "ExtractAgent", TYPES[1:])


def test_a_second_profile_needs_no_python() -> None:
    profile = parse_profile(ONE_PROMPT, "one")
    text = f"Find the observables, as JSON.\n<article>{ARTICLE}</article>"
    asked = recognize(profile, [{"role": "user", "content": text}])
    assert asked is not None
    assert (asked.agent, asked.text, asked.title, asked.url) == ("ExtractAgent", ARTICLE, None, None)
    answer = agent_answer(profile, asked.agent, asked.text, Extraction(FOUND), MODEL)
    row = json.loads(answer)
    assert row["discrete_huntables_count"] == len(FOUND)
    read = read_result({**row, "raw_response": answer})
    assert read.generation == "G2"
    assert keys(read.observables) == keys(FOUND)
    assert [each.platform for each in read.observables] == [each.platform for each in FOUND]


def test_an_answer_is_one_line_of_ascii() -> None:
    text = "Он запустил whoami /all \ud800."
    answer = agent_answer(HUNTABLE, "CmdlineExtract", text, Extraction(FOUND[:1]), MODEL)
    assert answer.isascii()
    assert "\n" not in answer
