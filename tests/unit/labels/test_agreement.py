import pytest

from ctiforge.errors import UsageError
from ctiforge.labels.agreement import measure_agreement
from tests.labels import commands, human_label

LABELS = [
    human_label("One.", {"cmdline": ["whoami", "net group", "dir"], "registry": []}, id_="1", os_label="Windows"),
    human_label("One.", {"cmdline": ["WHOAMI", "ver"], "services": []}, by="Bob", id_="b1", os_label="Linux"),
    human_label("Two.", {"cmdline": []}, id_="2", os_label="Linux"),
    human_label("Two.", {"cmdline": []}, by="Bob", id_="2", os_label="Linux"),
    human_label("Three.", {"cmdline": ["a"]}, id_="3"),
    human_label("Four.", {"registry": ["HKLM\\A"]}, id_="4"),
    human_label("Four.", by="Bob", id_="4", positives=commands("x")),
]


def test_f1_is_over_what_both_looked_for() -> None:
    found = measure_agreement(LABELS, "ANN", "bob")

    assert (found.names, found.texts, list(found.types)) == (("ann", "Bob"), 3, ["cmdline"])
    cmdline = found.types["cmdline"]
    # one found by both; two and one by one alone: 2 · 1 / (3 + 2)
    assert (cmdline.texts, cmdline.both, cmdline.f1) == (2, 1, 0.4)
    assert sorted((id_, who, o.value) for id_, who, o in cmdline.only) == [
        ("1", 0, "dir"),
        ("1", 0, "net group"),
        ("1", 1, "ver"),
    ]
    assert found.os_labels == [("1", "Windows", "Linux"), ("2", "Linux", "Linux")]


def test_the_order_of_the_two_does_not_matter() -> None:
    one, other = measure_agreement(LABELS, "ann", "bob"), measure_agreement(LABELS, "bob", "ann")

    assert one.types["cmdline"].f1 == other.types["cmdline"].f1
    assert [one.types["cmdline"].alone(who) for who in (0, 1)] == [other.types["cmdline"].alone(who) for who in (1, 0)]


def test_two_who_found_nothing_have_no_f1() -> None:
    labels = [human_label("Two.", {"cmdline": []}, by=name) for name in ("ann", "bob")]

    assert measure_agreement(labels, "ann", "bob").types["cmdline"].f1 is None


def test_an_unknown_person_is_told_who_there_is() -> None:
    with pytest.raises(UsageError, match="eve labeled nothing here; there are: Bob, ann"):
        measure_agreement(LABELS, "ann", "eve")
    with pytest.raises(UsageError, match="name two people"):
        measure_agreement(LABELS, "ann", " Ann")
