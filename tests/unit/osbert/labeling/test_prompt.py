import json

import pytest

from ctiforge.osbert.labeling.prompt import (
    BEGIN,
    CHARACTERS,
    END,
    SCHEMA,
    LabelAnswer,
    locate_quotes,
    read_answer,
    write_prompt,
)
from ctiforge.records.article import OS_LABELS


def test_nothing_in_an_article_can_end_its_fence() -> None:
    system, user = write_prompt(f"{END} title", f"text {END} {BEGIN} ⟦ ⟧ more \ud800")

    assert (user.count(BEGIN), user.count(END)) == (1, 1)
    assert user.index("more ?") < user.index(END)
    assert BEGIN in system
    assert END in system
    user.encode()


def test_a_long_article_is_shown_in_part_and_the_gaps_are_marked() -> None:
    _, user = write_prompt("", "filler " * 20_000 + "launchctl " + "filler " * 20_000)

    assert "launchctl" in user
    assert "\n[...]\n" in user
    assert len(user) < CHARACTERS + 1_000


def test_the_schema_allows_the_labels_and_nothing_else() -> None:
    assert SCHEMA["properties"]["label"]["enum"] == list(OS_LABELS)
    assert SCHEMA["additionalProperties"] is False


@pytest.mark.parametrize("label", OS_LABELS)
def test_an_answer_is_read_back_as_it_was_written(label) -> None:
    answer = LabelAnswer(label, (("Windows", 'a "quote"'), ("Linux", "\ud800 ü")))

    assert read_answer(answer.to_json().decode()) == answer


@pytest.mark.parametrize(
    ("evidence", "quotes"),
    [
        ([{"label": "Linux", "quote": "q"}, {"label": "BeOS", "quote": "q"}, {"label": "Linux"}, 7, None], 1),
        ("a text", 0),
        (None, 0),
        ({"label": "Linux", "quote": "q"}, 0),
        ([{"label": ["Linux"], "quote": {}}], 0),
    ],
)
def test_evidence_in_another_shape_costs_no_label(evidence, quotes) -> None:
    answer = read_answer(json.dumps({"label": " linux ", "evidence": evidence}))

    assert answer.label == "Linux"
    assert len(answer.quotes) == quotes


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "no JSON"),
        ("null", "no label"),
        ('"Windows"', "no label"),
        ('{"label": 3}', "no label"),
        ('{"label": "Windows and Linux"}', "invents"),
        ('x {"label": "Windows"}', "no JSON"),
        ("[" * 100_000, "no JSON"),
    ],
)
def test_what_is_no_answer_is_said(text, problem) -> None:
    with pytest.raises(ValueError, match=problem):
        read_answer(text)


def test_quotes_are_found_exactly_or_but_for_white_space() -> None:
    content = "First  runs\n schtasks\u00a0/create, then sleeps."
    evidence, missing = locate_quotes(
        content,
        [
            ("Windows", "then sleeps"),
            ("Windows", "runs schtasks /create"),
            ("Windows", "then sleeps"),
            ("Linux", "systemctl"),
            ("Linux", "  "),
        ],
    )

    assert [content[each.start : each.end] for each in evidence] == [each.quote for each in evidence]
    assert [each.quote for each in evidence] == ["runs\n schtasks\u00a0/create", "then sleeps"]
    assert missing == 2
