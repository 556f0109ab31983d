import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctiforge.data.generations import parse_result, read_result
from ctiforge.demo.executions import GENERATIONS, extraction_result, parse_failure
from ctiforge.records.article import ArticleRecord
from ctiforge.records.observable import TYPES, Observable

OBSERVABLES = (
    Observable(type="cmdline", value='net group "Domain Admins" /domain', platform="Windows"),
    Observable(type="registry", value=r"HKLM\Software\Run\Updater", platform="Windows"),
    Observable(type="services", value=r"C:\Temp\svc.exe", platform="Windows"),
    Observable(type="scheduled_tasks", value="BrowserUpdate", platform="Windows"),
    Observable(type="process_lineage", value="winword.exe -> cmd.exe", platform="Windows"),
    Observable(type="hunt_queries", value="DeviceProcessEvents | take 1", platform=None),
)
FOUND = {o.type for o in OBSERVABLES}
RECORD = ArticleRecord(
    id="1",
    content="text",
    content_hash="0",
    observables=OBSERVABLES,
    labelled_types=TYPES,
    url="https://example.invalid",
)


@pytest.mark.parametrize("generation", GENERATIONS)
def test_every_generation_gives_the_same_observables_back(generation: str) -> None:
    outcome = read_result(extraction_result(RECORD, generation, None))

    assert outcome.generation == generation
    assert [(o.type, o.value) for o in outcome.observables] == [(o.type, o.value) for o in OBSERVABLES]
    # the first two generations asked for some types alone; of the others only what was found is known
    assert set(outcome.labelled_types) == (FOUND if generation in ("G1", "G2") else set(TYPES))
    assert not outcome.set_aside


@pytest.mark.parametrize(("generation", "platform"), [("G2", "Windows"), ("G5", "Windows"), ("G1", None), ("G3", None)])
def test_platform_is_kept_where_the_generation_has_one(generation: str, platform: str | None) -> None:
    assert read_result(extraction_result(RECORD, generation, None)).observables[0].platform == platform


@pytest.mark.parametrize("generation", ["G3", "G4", "G5"])
def test_a_failed_sub_result_leaves_its_type_unlabeled_and_the_others_stand(generation: str) -> None:
    outcome = read_result(extraction_result(RECORD, generation, "hunt_queries"))

    assert outcome.unlabelled_types == {"hunt_queries": "context length exceeded"}
    assert set(outcome.labelled_types) == set(TYPES) - {"hunt_queries"}
    assert "hunt_queries" not in {o.type for o in outcome.observables}


@pytest.mark.parametrize("flag", ["error", "context_length_exceeded", "infra_failed"])
def test_each_failure_flag_counts(flag: str) -> None:
    outcome = read_result(
        {"observables": [], "subresults": {"cmdline": {"items": [], flag: True}, "registry": {"items": [], "raw": {}}}}
    )

    assert outcome.unlabelled_types == {"cmdline": flag.replace("_", " ")}
    assert outcome.labelled_types == ("registry",)


def test_a_parse_failure_is_not_a_true_negative() -> None:
    outcome = read_result(parse_failure(RECORD))

    assert outcome.labelled_types == ()
    assert set(outcome.unlabelled_types.values()) == {"parse failure"}


@pytest.mark.parametrize("raw", ["", None, '{"observables": []}', '```json\n{"observables": []}\n```'])
def test_an_empty_answer_in_json_is_a_true_negative(raw: str | None) -> None:
    outcome = read_result({"observables": [], "summary": {"count": 0}, "raw_response": raw})

    assert outcome.labelled_types == ("cmdline",)
    assert outcome.unlabelled_types == {}


def test_g1_may_hold_a_dict_of_lists() -> None:
    outcome = read_result({"behavioral_observables": {"commands": ["whoami", {"command": "id"}], "tasks": ["Upd"]}})

    assert [(o.type, o.value) for o in outcome.observables] == [
        ("cmdline", "whoami"),
        ("cmdline", "id"),
        ("scheduled_tasks", "Upd"),
    ]


@pytest.mark.parametrize(
    ("type_", "item", "value"),
    [
        (
            "registry_artifacts",
            {"registry_hive": "HKLM", "registry_key_path": "A\\B", "value_name": "C"},
            "HKLM\\A\\B\\C",
        ),
        ("registry_keys", {"hive": "HKCU", "key": "HKCU\\A"}, "HKCU\\A"),
        ("windows_services", {"service_name": "", "image_path": "C:\\x.exe", "startup_mode": "auto"}, "C:\\x.exe"),
        ("service_items", {"service_name": "Svc", "binary_path": "C:\\x.exe"}, "Svc"),
        ("process_trees", {"parent_image": "a.exe", "child_image": "b.exe"}, "a.exe -> b.exe"),
        ("process_lineage", "a.exe → b.exe", "a.exe -> b.exe"),
        ("process_lineage", "a.exe » b.exe", "a.exe -> b.exe"),
        ("process_lineage", {"parent": "a.exe", "child": "b.exe"}, "a.exe -> b.exe"),
        ("sigma_queries", {"query": "x | y"}, "x | y"),
        ("cmdline", {"value": {"command_line": "whoami"}}, "whoami"),
        ("cmdline", {"value": None, "original_data": {"command": "whoami"}}, "whoami"),
        ("event_ids", {"value": 4688}, "4688"),
    ],
)
def test_items_become_canonical_values(type_: str, item: object, value: str) -> None:
    outcome = read_result({"subresults": {type_: {"items": [item]}}})

    assert [o.value for o in outcome.observables] == [value]


def test_unknown_types_are_kept_as_they_are() -> None:
    outcome = read_result({"observables": [{"type": "Mutex", "value": "Global\\x"}]})

    assert outcome.observables == (Observable(type="Mutex", value="Global\\x"),)
    assert "Mutex" in outcome.labelled_types


@pytest.mark.parametrize(
    ("result", "reason"),
    [
        (None, "extraction_result is null"),
        ("text", "extraction_result is a string"),
        (["a"], "extraction_result is a list"),
        (math.nan, "extraction_result is a number"),
        ({}, "extraction_result is empty"),
        ({"other": 1}, "extraction_result has no observables"),
        ({"observables": 3}, "observables are a number"),
        ({"observables": "text"}, "observables are a string"),
        ({"observables": ["text", 3]}, "item is a string"),
        ({"observables": [{"type": 7, "value": "x"}]}, "item without a type"),
        ({"observables": [{"type": "cmdline", "value": math.nan}]}, "item without a readable value"),
        ({"observables": [{"type": "cmdline", "value": [["x"]]}]}, "item without a readable value"),
    ],
)
def test_garbage_is_counted_and_labels_nothing(result: object, reason: str) -> None:
    outcome = read_result(result)

    assert outcome.set_aside[reason] == 1
    assert outcome.labelled_types == ()
    assert outcome.observables == ()


def test_one_bad_item_does_not_cost_the_others() -> None:
    outcome = read_result(
        {"observables": [{"type": "cmdline", "value": "whoami"}, 7, {"type": "cmdline", "value": {}}]}
    )

    assert [o.value for o in outcome.observables] == ["whoami"]
    assert outcome.set_aside.total() == 2


def test_ten_thousand_items_are_all_read() -> None:
    items = [{"type": "cmdline", "value": f"whoami {n}"} for n in range(10_000)]

    assert len(read_result({"observables": items}).observables) == 10_000


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (None, "extraction_result is null"),
        ("{", "extraction_result is not JSON"),
        ("[" * 100_000, "extraction_result is nested too deeply"),
        ('"\\ud800"', "extraction_result is a string"),
    ],
)
def test_text_that_is_no_result_is_counted(text: str | None, reason: str) -> None:
    assert parse_result(text).set_aside[reason] == 1


def test_lone_surrogates_and_nul_are_repaired() -> None:
    outcome = parse_result('{"observables": [{"type": "cmdline", "value": "who\\u0000ami \\ud800"}]}')

    assert outcome.observables[0].value == "whoami ?"


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)
result_keys = st.sampled_from(
    ["observables", "behavioral_observables", "observable_list", "subresults", "summary", "raw_response", "error"]
)
item_keys = st.sampled_from(
    ["type", "value", "platform", "items", "count", "error", "cmdline", "registry_keys", "parent"]
)
results = st.dictionaries(
    result_keys,
    json_values | st.dictionaries(item_keys, json_values) | st.lists(st.dictionaries(item_keys, json_values)),
)


@given(results | json_values)
def test_nothing_makes_the_reader_raise(result: object) -> None:
    outcome = read_result(result)

    assert set(outcome.labelled_types).isdisjoint(outcome.unlabelled_types)
    assert all(o.value and isinstance(o.value, str) for o in outcome.observables)
    assert json.dumps([o.model_dump() for o in outcome.observables])
