"""The fields of a process lineage."""

import pytest

from ctiforge.serving.placing import ArticlePlaces
from tests.fields import rule


@pytest.mark.parametrize(
    ("text", "verb"),
    [
        ("word.exe spawned calc.exe.", "spawned"),
        ("calc.exe was launched by word.exe.", "launched"),
        ("word.exe was launched by calc.exe.", None),
        ("calc.exe spawned word.exe.", None),
        ("word.exe -> calc.exe", None),
        ("word.exe started and then created calc.exe.", None),
        ("word.exe was seen. It launched a shell, calc.exe.", None),
        ("word.exe did not spawn calc.exe.", None),
        ("The attackers did not have word.exe launch calc.exe.", None),
        ("word.exe (pid 4), running as bob, with child calc.exe", None),
        ("word.exe spawned mshta.exe and then calc.exe.", None),
        ("word.exe then spawned the following command: calc.exe", "spawned"),
        ("word.exe creates a process of the task management tool (calc.exe)", "creates"),
        ("word.exe creates the file calc.exe", None),
        ("word.exe created C:\\Users\\calc.exe", None),
        ("word.exe created the scheduled task calc.exe", None),
        ("word.exe starts the service calc.exe", None),
        ("word.exe creates copy of calc.exe", None),
        ("word.exe starts injecting calc.exe", None),
        ("word.exe creates a remote thread targeting calc.exe", None),
        ("word.exe executes code within calc.exe", None),
        ("word.exe ran against calc.exe", None),
        ("word.exe ran off calc.exe", None),
        ("word.exe. Spawned calc.exe", None),
        ("word.exe process also launched a version of a beacon named “calc.exe”.", "launched"),
    ],
)
def test_a_lineage(text: str, verb: str | None) -> None:
    value = "word.exe -> calc.exe"
    assert rule("creation_verb", "process_lineage", value, text) == verb
    assert rule("parent", "process_lineage", value, text) == "word.exe"
    assert rule("child", "process_lineage", value, text) == "calc.exe"


def test_a_lineage_of_more_or_fewer_has_neither_parent_nor_child() -> None:
    for value in ("word.exe", "word.exe -> calc.exe -> c.exe"):
        assert rule("parent", "process_lineage", value, value) is rule("child", "process_lineage", value, value) is None


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("at.exe -> cmd.exe", "The operator used at.exe; at.exe spawned cmd.exe at noon."),
        (
            "update.exe -> rundll32.exe",
            "A fake update of rundll32 drops update.exe, which launches rundll32.exe.",
        ),
    ],
)
def test_a_word_of_the_prose_is_no_program(value: str, text: str) -> None:
    assert ArticlePlaces(text).place("process_lineage", value).value == value


@pytest.mark.parametrize(
    "text",
    [
        "word.exe rarely spawns calc.exe.",
        "word.exe started calc.exe's service.",
        "word.exe normally spawns calc.exe.",
        "Alert when word.exe spawns calc.exe.",
        "Look for word.exe spawning calc.exe.",
        "It prevents word.exe from spawning calc.exe.",
    ],
)
def test_what_is_looked_for_or_seldom_so_was_not_done(text: str) -> None:
    assert rule("creation_verb", "process_lineage", "word.exe -> calc.exe", text) is None
