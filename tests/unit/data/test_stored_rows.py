"""Rows as the application has stored them through its history, each with what a careful person reads in it.

The shapes are those of its own code; the values are made up.
"""

import json

import pytest

from ctiforge.data.generations import ReadResult, parse_result, read_result
from ctiforge.data.states import TRUNCATED, ExtractorState, cut_after


def read_sub_results(**sub_results: object) -> ReadResult:
    return read_result({"observables": [], "subresults": sub_results})


def values(outcome: ReadResult) -> list[tuple[str, str]]:
    return [(o.type, o.value) for o in outcome.observables]


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        pytest.param({"status": "skipped_for_eval"}, "skipped for eval", id="S1"),
        pytest.param({"status": "disabled"}, "disabled", id="S2"),
        pytest.param({"status": "blocked_by_eval_filter"}, "blocked by eval filter", id="S3"),
        pytest.param(
            {"status": "skipped", "reason_code": "unsupported_platform"}, "skipped: unsupported platform", id="S4"
        ),
    ],
)
def test_an_extractor_that_did_not_run_labels_nothing(raw: object, why: str) -> None:
    outcome = read_sub_results(registry_artifacts={"items": [], "count": 0, "raw": raw})

    assert outcome.labelled_types == ()
    assert outcome.states["registry"].state is ExtractorState.SKIPPED
    assert outcome.unlabelled_types == {"registry": why}


def test_s5_the_initial_entry_of_an_agent_that_never_ran_labels_nothing() -> None:
    outcome = read_sub_results(scheduled_tasks={"items": [], "count": 0})

    assert outcome.unlabelled_types == {"scheduled_tasks": "never asked"}


@pytest.mark.parametrize(
    "sub_result",
    [
        {"items": [], "count": 0, "raw": {"error": "timeout"}},
        {"items": [], "count": 0, "raw": {"infra_failed": True}},
        {"items": [], "count": 0, "raw": {"context_length_exceeded": True}},
        {"items": [], "count": 0, "raw": {}, "error": "refused", "error_type": "APIError"},
        {"items": ["whoami"], "count": 1, "raw": {"error": "broke off"}},
        {"items": [], "count": 0, "error": "never answered"},
    ],
)
def test_s6_a_failure_inside_raw_is_a_failure(sub_result: dict[str, object]) -> None:
    outcome = read_sub_results(cmdline=sub_result)

    assert outcome.states["cmdline"].state is ExtractorState.FAILED
    assert outcome.observables == ()


def test_s7_a_stored_prompt_is_no_item() -> None:
    prompt = [{"role": "system", "content": "You extract."}, {"role": "user", "content": "net user /add"}]
    outcome = read_sub_results(cmdline={"items": prompt, "count": 2, "raw": {"items": prompt}})

    assert outcome.unlabelled_types == {"cmdline": "no readable item"}
    assert outcome.observables == ()


S8_ITEMS = {
    "scheduled_tasks": ({"task_name": "Upd", "task_path": "\\X\\Upd"}, "Upd"),
    "scheduled_task": ({"task_name": None, "store_path": "C:\\Windows\\Tasks\\Upd"}, "C:\\Windows\\Tasks\\Upd"),
    "process_lineage": ({"parent": "a.exe", "child": "b.exe", "arguments": "-x"}, "a.exe -> b.exe"),
    "registry_artifacts": ({"registry_hive": "HKLM", "registry_key_path": "A\\B"}, "HKLM\\A\\B"),
    "windows_services": ({"service_name": "EvilSvc", "binary_path": "C:\\x.exe"}, "EvilSvc"),
}


@pytest.mark.parametrize("name", S8_ITEMS)
def test_s8_a_value_that_is_an_objects_repr_is_none(name: str) -> None:
    item, value = S8_ITEMS[name]
    filled = {**item, "value": str(item)}
    aggregated = {"type": name, "value": str(item), "original_data": filled, "source": "supervisor_aggregation"}
    whole = {"observables": [aggregated], "subresults": {name: {"items": [filled], "count": 1, "raw": {"items": []}}}}

    assert [o.value for o in read_result(whole).observables] == [value]
    # where the application kept nothing but the repr, it is read
    assert [o.value for o in read_result({"subresults": {name: {"items": [str(item)]}}}).observables] == [value]
    bare = {"observables": [{"type": name, "value": str(item), "original_data": None}], "subresults": {}}
    assert [o.value for o in read_result(bare).observables] == [value]


def test_s10_a_registry_item_with_a_value_name_is_one_observable() -> None:
    item = {"key": "HKLM\\Software\\Run", "value_name": "Updater", "value": "HKLM\\Software\\Run"}
    aggregated = {
        "type": "registry_artifacts",
        "value": "HKLM\\Software\\Run",
        "original_data": item,
        "platform": "windows",
        "platform_confidence": "high",
    }
    sub_results = {"registry_artifacts": {"items": [item], "count": 1, "raw": {"items": [item]}}}
    outcome = read_result({"observables": [aggregated], "subresults": sub_results})

    assert [(o.value, o.platform) for o in outcome.observables] == [("HKLM\\Software\\Run\\Updater", "Windows")]


@pytest.mark.parametrize("name", ["(Default)", "(default)", "N/A", "null", "None", "", None, "@", "unknown"])
def test_s11_a_placeholder_is_no_value_name(name: str | None) -> None:
    outcome = read_sub_results(registry_artifacts={"items": [{"key": "HKCU\\Run", "value_name": name}], "raw": {}})

    assert values(outcome) == [("registry", "HKCU\\Run")]


def test_s12_queries_under_their_own_name_are_read() -> None:
    outcome = read_sub_results(hunt_queries={"queries": [{"query": "process where true"}], "query_count": 1})

    assert values(outcome) == [("hunt_queries", "process where true")]
    assert outcome.labelled_types == ("hunt_queries",)


def test_s13_a_sigma_rules_yaml_is_the_value() -> None:
    item = {"title": "Rule", "id": "1", "yaml": "title: Rule\ndetection: x", "context": "seen"}

    assert values(read_sub_results(hunt_queries={"items": [item], "count": 1, "raw": {"items": [item]}})) == [
        ("hunt_queries", "title: Rule\ndetection: x")
    ]


def test_s14_the_first_prompts_own_names_are_read_and_what_it_never_asked_is_unlabeled() -> None:
    items = [
        {"type": "registry_pattern", "value": "HKLM\\Run"},
        {"type": "service_command", "value": "sc create x"},
        {"type": "command_line", "value": "whoami"},
    ]
    outcome = read_result({"behavioral_observables": items, "detection_queries": [{"query": "q | x"}, "index=main"]})

    assert values(outcome) == [
        ("registry", "HKLM\\Run"),
        ("services", "sc create x"),
        ("cmdline", "whoami"),
        ("hunt_queries", "q | x"),
        ("hunt_queries", "index=main"),
    ]
    assert set(outcome.labelled_types) == {"cmdline", "registry", "services", "hunt_queries"}


def test_s15_the_second_prompt_asked_for_command_lines_alone() -> None:
    found = {"observables": [{"type": "process_tree", "value": "a.exe -> b.exe"}], "raw_response": "{}"}

    assert read_result({"observables": [], "summary": {"count": 0}}).labelled_types == ("cmdline",)
    assert read_result(found).labelled_types == ("cmdline", "process_lineage")
    assert read_result(found).states["cmdline"].state is ExtractorState.NOTHING


@pytest.mark.parametrize(
    ("item", "pairs"),
    [
        ({"value": "a.exe -> b.exe -> c.exe"}, ["a.exe -> b.exe", "b.exe -> c.exe"]),
        ({"value": "a.exe > b.exe"}, ["a.exe -> b.exe"]),
        ("a.exe |-> b.exe => c.exe › d.exe", ["a.exe -> b.exe", "b.exe -> c.exe", "c.exe -> d.exe"]),
        ({"parent_process": {"name": "a.exe"}, "child_process": {"name": "b.exe", "pid": 4}}, ["a.exe -> b.exe"]),
        ({"parent": {"image": "C:\\a.exe"}, "child": "b.exe"}, ["C:\\a.exe -> b.exe"]),
    ],
)
def test_s16_lineages_are_pairs_of_names(item: object, pairs: list[str]) -> None:
    assert [
        v for _, v in values(read_sub_results(process_lineage={"items": [item], "raw": {"items": [item]}}))
    ] == pairs


@pytest.mark.parametrize(
    ("confidence", "platform"), [("high", "Windows"), ("medium", None), ("low", None), (0.8, None)]
)
def test_s17_only_high_confidence_speaks_of_the_item(confidence: object, platform: str | None) -> None:
    aggregated = {"type": "cmdline", "value": "whoami", "platform": "windows", "platform_confidence": confidence}
    outcome = read_result({"observables": [aggregated], "subresults": {"cmdline": {"items": ["whoami"], "raw": {}}}})

    assert [(o.value, o.platform) for o in outcome.observables] == [("whoami", platform)]


@pytest.mark.parametrize("name", ["network_indicators", "network_connection"])
def test_s19_network_items_keep_their_spelling(name: str) -> None:
    item = {"value": "1.2.3[.]4", "indicator_type": "ip", "port": 443}

    assert values(read_sub_results(**{name: {"items": [item], "raw": {"items": [item]}}})) == [
        ("network_indicators", "1.2.3[.]4")
    ]


def test_c1_the_model_of_an_item_is_read() -> None:
    item = {"value": "whoami", "model_version": "qwen2.5-14b", "subagent_name": "Command-line Extractor"}

    assert read_sub_results(cmdline={"items": [item], "raw": {"items": []}}).states["cmdline"].model == "qwen2.5-14b"


def test_c2_a_prompt_that_was_cut_off_is_noticed() -> None:
    content = f"Article:\nFirst line. The last that it saw\n\n{TRUNCATED}\n\nReturn JSON."
    raw = {"_llm_messages": [{"role": "system", "content": "x"}, {"role": "user", "content": content}], "items": []}
    outcome = read_sub_results(cmdline={"items": [], "count": 0, "raw": raw})

    assert outcome.states["cmdline"].state is ExtractorState.NOTHING
    assert str(outcome.states["cmdline"].cut_after).endswith("The last that it saw")
    assert cut_after({"_llm_messages": [{"role": "user", "content": "all of it"}, 7, {"content": 3}]}) is None


@pytest.mark.parametrize("bad", ["\\ud800", "\\u0000"])
@pytest.mark.parametrize(
    "row",
    [
        '{"observables": [{"type": "cmd%sline", "value": "a"}, {"type": "cmdline", "value": "whoami"}]}',
        '{"observables": [{"type": "cmdline", "value": "whoami"}], "subresults": {"x%s": {"items": [1], "raw": {}}}}',
        '{"subresults": {"cmdline": {"items": [{"va%slue": 1}, {"value": "whoami"}], "raw": {"%s": 1}}}}',
        '{"subresults": {"cmdline": {"items": ["whoami"]}, "%s": {"items": []}}}',
        '{"subresults": {"cmdline": {"items": [{"value": "whoami", "model_version": "m%s"}]}}}',
        '{"subresults": {"cmdline": {"items": ["whoami"]}, "registry": {"raw": {"status": "skipped%s"}}}}',
    ],
)
def test_text_that_cannot_be_written_costs_no_good_item(row: str, bad: str) -> None:
    outcome = parse_result(row.replace("%s", bad))

    assert ("cmdline", "whoami") in values(outcome)
    for text in (*outcome.states, *outcome.unlabelled_types.values(), *(v for _, v in values(outcome))):
        text.encode()
        assert "\x00" not in text
    json.dumps([each.model for each in outcome.states.values()]).encode()
