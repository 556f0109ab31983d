import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctiforge.extract.prompts.answers import parse_answer

TYPES = ("cmdline", "services")


def test_a_good_answer():
    parsed = parse_answer('{"observables":[{"type":"cmdline","value":"whoami","platform":"Windows"}]}', TYPES)
    assert (parsed.json_parsed, parsed.schema_valid, parsed.duplicates) == (True, True, 0)
    assert parsed.observables[0].value == "whoami"


@pytest.mark.parametrize(
    "raw",
    [
        "[]",
        '{"observables":{}}',
        '{"observables":[{"type":"cmdline"}]}',
        '{"observables":[{"type":"cmdline","value":"x","extra":1}]}',
        '{"observables":[],"summary":{}}',
        '{"observables":[{"type":"registry","value":"x"}]}',
        "null",
    ],
)
def test_json_that_breaks_the_schema(raw):
    parsed = parse_answer(raw, TYPES)
    assert parsed.json_parsed
    assert not parsed.schema_valid


def test_items_of_types_that_were_not_asked_for_are_left_out():
    assert parse_answer('{"observables":[{"type":"registry","value":"x"}]}', TYPES).observables == ()


def test_an_answer_cut_by_length_keeps_its_whole_items_and_counts_as_unparsed():
    parsed = parse_answer(
        '{"observables":[{"type":"cmdline","value":"a"},{"type":"services","value":"b"},{"type":"cm', TYPES
    )
    assert not parsed.json_parsed
    assert [item.value for item in parsed.observables] == ["a", "b"]


def test_repeated_items_are_counted_once_and_as_duplicates():
    item = '{"type":"cmdline","value":"a"}'
    parsed = parse_answer(f'{{"observables":[{item},{item}]}}', TYPES)
    assert (len(parsed.observables), parsed.duplicates) == (1, 1)


@given(st.text())
def test_no_answer_is_too_strange(raw):
    assert parse_answer(raw, TYPES).duplicates >= 0


def test_deep_nesting_does_not_crash():
    assert not parse_answer("[" * 100_000, TYPES).json_parsed
