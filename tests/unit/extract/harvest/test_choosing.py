import pytest

from ctiforge.data.articles import Execution
from ctiforge.data.generations import ReadResult, parse_result, read_result
from ctiforge.data.states import TRUNCATED, ExtractorState, TypeState
from ctiforge.extract.harvest.choosing import OWN_ANSWER, Trust, choose, left_out
from ctiforge.records.observable import Observable

CONTENT = "The first line says whoami. The second says net user.\nA third line follows here.\n"
ANYONE = Trust()
ALL = ("cmdline", "registry", "services")


def run(*values: str, types=ALL, at="2026-01-01", status="completed", model=None, **more: object) -> Execution:
    states = {
        type_: TypeState(ExtractorState.FOUND if type_ == "cmdline" and values else ExtractorState.NOTHING, model=model)
        for type_ in types
    }
    found = tuple(Observable(type="cmdline", value=value) for value in values)
    return Execution(status, at, ReadResult("G5", found, states), **more)


def chosen(*executions: Execution, trust: Trust = ANYONE, content: str = CONTENT) -> dict[str, list[str]]:
    choice = choose(executions, content, trust)
    return {type_: [o.value for o in choice.observables if o.type == type_] for type_ in choice.labels}


def test_an_evaluation_of_one_agent_costs_the_other_types_nothing() -> None:
    """The application writes the six others as skipped."""
    skipped = {"items": [], "count": 0, "raw": {"status": "skipped_for_eval"}}
    whole = {"cmdline": {"items": ["a"], "raw": {"items": ["a"]}}, "registry_artifacts": {"items": ["HKLM\\\\A"]}}
    agents = ("registry_artifacts", "windows_services", "scheduled_tasks", "process_lineage", "hunt_queries")
    one = {"cmdline": {"items": ["b"], "raw": {"items": ["b"]}}} | dict.fromkeys(agents, skipped)
    old = Execution("completed", "2026-01-01", read_result({"observables": [], "subresults": whole}))
    new = Execution("completed", "2026-02-01", read_result({"observables": [], "subresults": one}))

    choice = choose([old, new], CONTENT, Trust())

    assert {o.type for o in choice.observables} == {"cmdline", "registry"}
    assert chosen(old, new)["cmdline"] == ["b"]
    assert choice.unlabelled == dict.fromkeys(
        ("services", "scheduled_tasks", "process_lineage", "hunt_queries"), "skipped for eval"
    )


def test_a_null_result_hides_nothing() -> None:
    null = Execution("completed", "2026-02-01", parse_result(None))

    assert chosen(run("a", status="failed"), null) == {"cmdline": ["a"]}


def test_more_items_are_no_merit_and_neither_are_fewer() -> None:
    many, few = run("a", "b", "c", at="2026-01-01"), run("a", at="2026-01-02")

    assert chosen(many, few)["cmdline"] == ["a"]
    assert chosen(run("a", at="2026-01-01"), run("a", "b", at="2026-01-02"))["cmdline"] == ["a", "b"]


def test_the_labeler_named_first_goes_before_the_newer_one() -> None:
    strong, weak = run("a", model="strong"), run("b", at="2026-02-01", model="weak")

    assert chosen(strong, weak)["cmdline"] == ["b"]
    assert chosen(strong, weak, trust=Trust(("strong",)))["cmdline"] == ["a"]
    assert chosen(strong, weak, trust=Trust(("weak", "strong")))["cmdline"] == ["b"]


def test_one_that_saw_a_part_speaks_only_where_none_saw_the_whole() -> None:
    part = run("whoami", at="2026-02-01", seen_text="The first line says whoami.")

    assert chosen(run("a"), part)["cmdline"] == ["a"]
    label = choose([part], CONTENT, Trust()).labels["registry"]
    assert label.why == "found nothing"
    assert [CONTENT[slice(*each)] for each in label.seen or ()] == ["The first line says whoami. "]


def test_of_a_filtered_article_of_which_nobody_kept_what_was_left_the_lines_of_what_was_found_count() -> None:
    label = choose([run("A THIRD line", seen_text="")], CONTENT, ANYONE).labels["cmdline"]

    assert [CONTENT[slice(*each)] for each in label.seen or ()] == ["A third line follows here.\n"]
    assert choose([run(seen_text="")], CONTENT, ANYONE).labels["cmdline"].seen == ()


def test_a_prompt_that_was_cut_off_labels_what_stood_in_it() -> None:
    message = {"role": "user", "content": f"Article: The first line says whoami. {TRUNCATED} Answer."}
    sub_result = {"items": [], "count": 0, "raw": {"_llm_messages": [message]}}
    outcome = read_result({"observables": [], "subresults": {"cmdline": sub_result}})

    label = choose([Execution("completed", "", outcome)], CONTENT, Trust()).labels["cmdline"]

    assert label.seen == ((0, CONTENT.index(" The second")),)


@pytest.mark.parametrize("name", ["ctiforge/extract-agent-x@2", "extract-agent-x", "ctiforge", "Ctiforge-extract"])
def test_our_own_models_answers_are_left_out_unless_they_are_asked_for(name: str) -> None:
    own, other = run("a", at="2026-02-01", model=name), run("b", types=("cmdline",), model="other")
    trust = Trust(own_models=frozenset({"extract-agent-x"}))
    choice = choose([own, other], CONTENT, trust)

    assert [o.value for o in choice.observables] == ["b"]
    assert choice.unlabelled == dict.fromkeys(("registry", "services"), OWN_ANSWER)
    assert left_out([own, other], trust) == (0, 3)
    assert chosen(own, other, trust=Trust(own_models=trust.own_models, own_answers=True))["cmdline"] == ["a"]


def test_of_a_row_with_answers_of_several_models_only_those_of_others_are_learnt() -> None:
    mine = TypeState(ExtractorState.FOUND, model="ctiforge/agent@2")
    theirs = TypeState(ExtractorState.FOUND, model="a-general-model")
    found = (Observable(type="cmdline", value="whoami"), Observable(type="services", value="Svc"))
    mixed = Execution("completed", "2026-01-01", ReadResult("G5", found, {"cmdline": mine, "services": theirs}))
    choice = choose([mixed], CONTENT, Trust())
    assert [each.value for each in choice.observables] == ["Svc"]
    assert choice.unlabelled == {"cmdline": OWN_ANSWER}


def test_a_failure_is_told_rather_than_that_a_later_run_never_asked() -> None:
    failed = Execution(
        "completed", "1", ReadResult("G5", states={"cmdline": TypeState(ExtractorState.FAILED, "timeout")})
    )
    later = Execution("completed", "2", ReadResult("G5", states={"cmdline": TypeState(ExtractorState.NEVER_ASKED)}))

    assert choose([failed, later], CONTENT, Trust()).unlabelled == {"cmdline": "timeout"}
