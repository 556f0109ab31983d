"""The rules that fill an item's fields: right where the paragraph says it plainly, nothing where it does not."""

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctiforge.records.observable import TYPES
from ctiforge.serving.fields import RULES, SOURCES, field_table
from ctiforge.serving.placing import LONGEST_PARAGRAPH, ArticlePlaces, PlacedItem
from ctiforge.serving.profiles import load_profile

ROOT = Path(__file__).parents[3]
PIECES = st.lists(
    st.one_of(
        st.text(max_size=8),
        st.sampled_from(
            ["reg add ", "sc create ", " start= ", "/v ", '"', "a.exe", " -> ", "\\", "Run", "schtasks /tn ", "\n\n"]
        ),
    ),
    min_size=1,
    max_size=8,
).map("".join)


def test_a_paragraph_is_what_stands_between_empty_lines() -> None:
    text = "One.\r\n\r\n  It ran net user /domain.\r\nAnd more. \n \t\n\nThree."
    assert ArticlePlaces(text).place("cmdline", "net user /domain").paragraph == (
        "It ran net user /domain.\r\nAnd more."
    )


@pytest.mark.parametrize("filling", ["Words without an end ", "A sentence of words. ", "a line of words\n", "x"])
def test_of_a_long_paragraph_a_stretch_around_the_item_is_quoted(filling: str) -> None:
    text = f"{filling * 500} net user /domain {filling * 500}"
    paragraph = ArticlePlaces(text).place("cmdline", "net user /domain").paragraph
    assert paragraph is not None
    assert "net user /domain" in paragraph
    assert len(paragraph) <= LONGEST_PARAGRAPH
    assert paragraph in text


@given(PIECES, PIECES.filter(str.strip), st.sampled_from(TYPES))
def test_no_rule_stumbles_and_what_it_quotes_it_found(text: str, value: str, type_: str) -> None:
    item = ArticlePlaces(f"{text} {value} {text}").place(type_, value)
    for name, each in RULES.items():
        found = each(item)
        assert found is None or isinstance(found, bool | str), name
        assert found != "", name


@pytest.mark.parametrize(
    "piece", ["a", "\\", " ", "\n", "logsource: ", "cmd /c ", "C:\\a\\", "\\a b.c", "a.b.", '" ', "/a b"]
)
def test_rules_read_a_long_item_in_linear_time(piece: str) -> None:
    value = piece * (20_000 // len(piece))
    started = time.process_time()
    for each in RULES.values():
        each(PlacedItem("hunt_queries", value, None, None))
    assert time.process_time() - started < 1


def test_every_rule_and_source_is_described_and_every_rule_is_of_a_shipped_profile() -> None:
    table = dict(field_table())
    assert len(table) == len(RULES) + len(SOURCES)
    assert all(len(text) > 10 for text in table.values())
    used = {source for agent in load_profile("huntable").agent.values() for source in agent.fields.values()}
    assert {each for each in table if each.startswith("rule:")} == {each for each in used if each.startswith("rule:")}


def test_the_guide_has_the_table_of_all_sources_and_rules() -> None:
    page = (ROOT / "docs/guides/serving.md").read_text(encoding="utf-8")
    block = page.partition("<!-- fields:begin -->")[2].partition("<!-- fields:end -->")[0]
    rows = [f"| `{source}` | {text} |" for source, text in field_table()]
    assert block.split("\n") == ["", "| source | what it gives |", "|---|---|", *rows, ""]
