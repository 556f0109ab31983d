"""Profiles as people write them: what is wrong with one is said with its place."""

import re
from pathlib import Path

import pytest

from ctiforge.errors import UsageError
from ctiforge.records.observable import TYPES
from ctiforge.serving.profiles import load_profile, parse_profile, shipped
from tests.huntable import KEYS

SMALL = """
name = "small"
[article]
after = "<article>"
[agent.One]
types = "cmdline"
recognize = { system = "commands" }
answer = { key = "items" }
fields = { value = "item" }
"""


def test_the_shipped_profile_has_the_seven_agents_each_with_a_type_of_its_own() -> None:
    assert shipped() == ("huntable",)
    profile = load_profile("huntable")
    assert {name: agent.answer.key for name, agent in profile.agent.items()} == KEYS
    assert sorted(type_ for name in profile.agent for type_ in profile.types_of(name)) == sorted(TYPES)


def test_a_file_is_a_profile_whatever_its_name(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("\ufeff" + SMALL, encoding="utf-8")
    assert load_profile(str(file)).types_of("One") == ("cmdline",)


def test_the_profile_of_the_guide_is_one() -> None:
    page = (Path(__file__).parents[3] / "docs/guides/serving.md").read_text(encoding="utf-8")
    (text,) = re.findall(r"```\{code-block\} toml\n(.*?)```", page, re.DOTALL)
    assert parse_profile(text, "the guide").types_of("ServicesExtract") == ("services",)


def test_marks_of_an_agent_are_its_own_before_those_of_all() -> None:
    own = SMALL + '[agent.One.article]\nafter = "Text:"\nbefore = ["End", "."]\n'
    assert parse_profile(own, "p").marks_of("One").before == ("End", ".")


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("name", "nmae", "p: name: Field required"),
        (
            '"cmdline"',
            '"commands"',
            r"p: agent\.One\.types\.0: 'commands' is no type of observable: choose of cmdline,",
        ),
        ('types = "cmdline"', "types = []", r"p: agent\.One\.types"),
        ('"item"', '"itm"', r"p: agent\.One\.fields\.value: 'itm' fills no field: choose of item, type,"),
        ('"item"', '"rule:nothing"', r"p: agent\.One\.fields\.value: 'rule:nothing' fills no field"),
        ('"item"', "7", r"p: agent\.One\.fields\.value: Input should be a valid string"),
        ('"item"', '"first_token"', r"fills no field: .*rule:first_token"),
        ('system = "commands"', "", r"p: agent\.One\.recognize: give example_key, system or both"),
        ('"commands"', '["commands", " "]', r"p: agent\.One\.recognize\.system\.1: it is blank, and would"),
        ('key = "items"', 'key = "items", count = "items"', r"p: agent\.One\.answer\.count: 'items' is the key of the"),
        ('key = "items"', 'key = "items", kye = 1', r"p: agent\.One\.answer\.kye: Extra inputs"),
        ('[article]\nafter = "<article>"\n', "", r"p: the file: give a table \[article\], or \[agent\.One\.article\]"),
        ('after = "<article>"', 'after = ""', r"p: article\.after: it is blank"),
        ('after = "<article>"', r'after = "\n"', r"p: article\.after: it is blank, and would"),
        ('after = "<article>"', 'after = "a"\nbefore = [" "]', r"p: article\.before\.0: it is blank"),
        ('after = "<article>"', 'after = "a"\ntitle = " "', r"p: article\.title: it is blank"),
        ('after = "<article>"', 'after = "a"\nskip_from = " "', r"p: article\.skip_from\.0: it is blank"),
        ('"cmdline"', '["cmdline", "cmdline"]', r"p: agent\.One\.types: 'cmdline' stands there twice: name it once"),
        (
            '"item"',
            '"rule:task_name"',
            r"p: agent\.One\.fields\.value: 'rule:task_name' reads scheduled_tasks, and the",
        ),
        ('"item"', '"rule:query_type"', r"'rule:query_type' reads hunt_queries, and the agent asks for none"),
        ('after = "<article>"', 'after = "a"\nskip_until = "b"', r"p: article: skip_from and skip_until belong"),
        ("[article]", "[article", "p is no TOML: .*line 3"),
    ],
)
def test_what_is_wrong_is_said_with_its_table_and_key(old: str, new: str, told: str) -> None:
    assert old in SMALL
    with pytest.raises(UsageError, match=told):
        parse_profile(SMALL.replace(old, new, 1), "p")


def test_agents_that_nothing_tells_apart_are_refused() -> None:
    two = SMALL + SMALL[SMALL.index("[agent") :].replace("One", "Two")
    with pytest.raises(UsageError, match=r"agent\.Two\.recognize: the same as of One"):
        parse_profile(two, "p")


def test_a_profile_that_is_not_there_or_not_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"'huntabel' does not exist: .*\(huntable\)"):
        load_profile("huntabel")
    file = tmp_path / "latin.toml"
    file.write_bytes(b'name = "\xe9"')
    with pytest.raises(UsageError, match=r"latin\.toml: it is not UTF-8"):
        load_profile(str(file))
