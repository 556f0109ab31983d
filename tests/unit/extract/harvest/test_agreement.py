from ctiforge.data.articles import Execution
from ctiforge.data.generations import ReadResult
from ctiforge.data.states import ExtractorState, TypeState
from ctiforge.extract.harvest.agreement import agreement
from ctiforge.records.observable import Observable


def execution(*commands: str, labeled=("cmdline", "services"), status="completed", generation="G4") -> Execution:
    observables = tuple(Observable(type="cmdline", value=value) for value in commands)
    states = dict.fromkeys(labeled, TypeState(ExtractorState.FOUND))
    return Execution(status, "", ReadResult(generation, observables, states))


def test_executions_that_found_the_same_agree_whatever_the_spelling():
    assert agreement([execution("net  user"), execution("NET user")]) == {"cmdline": 1.0, "services": 1.0}


def test_agreement_is_the_share_of_all_values_that_everyone_found():
    found = agreement([execution("a b", "c d"), execution("a b", "e f"), execution("a b")])

    assert found == {"cmdline": 1 / 3, "services": 1.0}


def test_only_completed_executions_count_and_only_for_what_they_say_something_about():
    assert agreement([execution("a b"), execution("x", status="failed")]) == {}
    assert agreement([execution("a b"), execution("x", generation=None)]) == {}
    assert agreement([execution("a b"), execution(labeled=("services",))]) == {"services": 1.0}
    assert agreement([]) == {}
