import pytest

from ctiforge.evaluation.scoring.articles import ground, is_obfuscated, score_article, training_keys
from ctiforge.observables.locate import Locator
from tests.unit.evaluation.cases import case, item


def test_counts_of_each_labeled_type() -> None:
    score = score_article(
        case(
            "1",
            [item("cmdline", "net user"), item("cmdline", "whoami /all"), item("services", "Svc")],
            [item("cmdline", "NET USER"), item("cmdline", "dir c:"), item("services", "Svc")],
        )
    )

    assert score.counts["cmdline"].model_dump() == {"expected": 2, "predicted": 2, "found": 1, "missed": 1, "wrong": 1}
    assert score.counts["services"].found == 1
    assert [each.outcome for each in score.items] == ["found", "missed", "found", "wrong"]
    assert [each.exact for each in score.items] == [False, False, True, False]


def test_an_unlabeled_type_is_never_scored() -> None:
    score = score_article(
        case("1", [item("registry", "HKLM\\A")], [item("registry", "HKLM\\B"), item("services", "x")], ("cmdline",))
    )

    assert list(score.counts) == ["cmdline"]
    assert score.items == ()
    assert (score.expected_observables, score.predicted_observables) == (0, 0)


def test_a_labeled_type_without_items_counts_false_positives() -> None:
    score = score_article(case("1", [], [item("cmdline", "net user")], ("cmdline",)))

    assert score.counts["cmdline"].wrong == 1
    assert score.counts["cmdline"].expected == 0


def test_values_seen_in_training_are_told_from_others() -> None:
    seen = training_keys([item("cmdline", "NET  USER"), item("services", "dir c:")])
    score = score_article(case("1", [item("cmdline", "net user"), item("cmdline", "dir c:")], []), seen)

    assert [each.unseen for each in score.items] == [False, True]
    assert score_article(case("1", [item("cmdline", "net user")], [])).items[0].unseen is None


def test_a_prediction_is_located_altered_or_invented() -> None:
    locator = Locator("They ran powershell -ep bypass -file C:\\Temp\\run.ps1 and ccs.exe")

    assert ground(locator, "cmdline", "powershell  -ep bypass -file C:\\Temp\\run.ps1") == "located"
    assert ground(locator, "cmdline", "powershell -ep bypass -file C:\\Temp\\ran.ps1") == "altered"
    assert ground(locator, "cmdline", "vssadmin delete shadows") == "invented"
    assert ground(locator, "process_lineage", "ccs.exe -> other.exe") == "altered"
    assert ground(locator, "process_lineage", "x.exe -> other.exe") == "invented"


@pytest.mark.parametrize(
    "value",
    [
        "c^m^d /c who^ami",
        "powershell IE`X (New-Object Net.WebClient)",
        "('po'+'wershell')",
        "%comspec:~0,3%",
        "set a=ht& curl !a!tp",
        "powershell -enc SQBFAFgAIAAoAE4AZQB3AC0ATwBiAGoA",
        "curl hxxp://evil[.]com/a",
        "[char]105+[char]101",
    ],
)
def test_obfuscated_values(value: str) -> None:
    assert is_obfuscated(value)


@pytest.mark.parametrize(
    "value", ["net user /domain", "curl http://evil.com", "powershell -ep bypass", "type a^b.txt >x"]
)
def test_plain_values_are_not_obfuscated(value: str) -> None:
    assert is_obfuscated(value) == ("^" in value)


def test_a_value_that_does_not_stand_there_is_shown_with_what_the_article_says_instead() -> None:
    text = "They ran\n  rundll32.exe C:\\ProgramData\\upd.dll,Start\nand left."
    score = score_article(
        case("1", [], [item("cmdline", "rundll32.exe C:\\ProgramData\\update.dll,Start"), item("cmdline", "zzz qqq")],
             ("cmdline",), text=text)
    )  # fmt: skip

    assert [(each.grounding, each.nearest) for each in score.items] == [
        ("altered", "rundll32.exe C:\\ProgramData\\upd.dll,Start"),
        ("invented", None),
    ]


def test_a_missed_item_and_the_wrong_one_that_gives_it_in_part_name_each_other() -> None:
    score = score_article(
        case("1", [item("cmdline", "net user bob /add")], [item("cmdline", "net user bob")], ("cmdline",))
    )

    assert [(each.outcome, each.near) for each in score.items] == [
        ("missed", "net user bob"),
        ("wrong", "net user bob /add"),
    ]
