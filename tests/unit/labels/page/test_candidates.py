from ctiforge.labels.page.candidates import Origin, TextPlaces, candidate_key, merge_candidates
from ctiforge.observables.locate import Locator
from ctiforge.records.observable import Observable
from tests.labels import commands

TEXT = "🐍 They ran whoami /all. Later WHOAMI /ALL again; winword.exe started powershell.exe."


def merged(*origins: Origin):
    return merge_candidates(TextPlaces(Locator(TEXT)), origins)


def test_one_value_of_several_origins_is_one_candidate_as_the_first_spells_it() -> None:
    rule, model = Origin("rule", "rules", commands("whoami /all")), Origin("model", "m", commands("Whoami  /all"))
    (found,) = merged(Origin("own", "ann", commands("WHOAMI /ALL")), rule, model)

    assert found.value == "WHOAMI /ALL"
    assert [each.kind for each in found.origins] == ["own", "rule", "model"]


def test_places_are_counted_as_a_browser_counts() -> None:
    (found,) = merged(Origin("rule", "rules", commands("whoami /all")))

    units = TEXT.encode("utf-16-le")
    assert {units[2 * start : 2 * end].decode("utf-16-le").lower() for start, end in found.spans} == {"whoami /all"}
    assert len(found.spans) >= 1


def test_a_lineage_has_two_places_and_what_stands_nowhere_comes_last() -> None:
    lineage = Observable(type="process_lineage", value="winword.exe -> powershell.exe")
    found = merged(Origin("model", "m", (lineage, *commands("invented /x", "whoami /all"))))

    assert [each.value for each in found] == ["whoami /all", "invented /x", "winword.exe -> powershell.exe"]
    assert (found[1].spans, len(found[2].spans)) == ((), 2)


def test_unknown_types_and_empty_values_are_no_candidates() -> None:
    assert merged(Origin("model", "m", (Observable(type="mutexes", value="x"), *commands("  ")))) == []


def test_a_key_is_shared_by_spellings_and_not_by_types() -> None:
    assert candidate_key("cmdline", "WHOAMI") == candidate_key("cmdline", "whoami")
    assert candidate_key("services", "whoami") != candidate_key("cmdline", "whoami")
