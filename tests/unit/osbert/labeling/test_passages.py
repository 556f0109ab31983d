from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctiforge.osbert.labeling.keywords import find_evidence
from ctiforge.osbert.labeling.passages import PASSAGE, evidence_passages

FILLER = "The group sends letters to its victims and waits for an answer. "


def make_article(**cues_at: str) -> str:
    """30 pieces of 6,400 characters of filler, with a text at the beginning of some: `at_20="ELF"`."""
    return "".join(cues_at.get(f"at_{number}", "") + " " + FILLER * 100 for number in range(30))


def test_a_short_article_is_given_whole() -> None:
    (passage,) = evidence_passages(FILLER, len(FILLER))

    assert (passage.start, passage.end, passage.text) == (0, len(FILLER), FILLER)
    assert evidence_passages("", 100)[0].text == ""


def test_every_system_is_shown_wherever_its_evidence_lies() -> None:
    content = make_article(
        at_1=r"HKLM\Software", at_12=r"C:\Windows\x.exe schtasks", at_20="launchctl", at_29="systemd"
    )
    passages = evidence_passages(content, 4 * PASSAGE)
    shown = find_evidence("\n".join(passage.text for passage in passages))

    assert {each.label for each in shown} == {"Windows", "Linux", "MacOS"}
    assert "schtasks" in "".join(passage.text for passage in passages)
    assert passages[0].start == 0
    assert content.startswith(passages[0].text)


def test_a_passage_that_shows_something_new_comes_before_one_that_repeats() -> None:
    content = make_article(**{f"at_{number}": "systemd crontab ELF" for number in range(5, 25)}, at_27="LD_PRELOAD")

    assert "LD_PRELOAD" in "".join(passage.text for passage in evidence_passages(content, 4 * PASSAGE))


def test_passages_without_evidence_fill_the_room_from_the_beginning() -> None:
    passages = evidence_passages(make_article(), 5 * PASSAGE)

    assert sum(len(passage.text) for passage in passages) > 4 * PASSAGE
    assert all(a.end == b.start for a, b in pairwise(passages))


@pytest.mark.parametrize("content", ["a" * 300_000, "a.exe systemd " * 70_000, "\n" * 300_000, "攻" * 100_000])
def test_a_huge_text_keeps_to_the_room(content: str) -> None:
    passages = evidence_passages(content, 24_000)

    assert 20_000 < sum(len(passage.text) for passage in passages) <= 24_000
    assert all(passage.text == content[passage.start : passage.end] for passage in passages)


@given(
    st.lists(st.sampled_from(["Active Directory", "systemd", "launchctl", "word", " ", "\n", "x" * 60]), max_size=120),
    st.integers(min_value=160, max_value=400),
)
def test_whatever_the_text_the_passages_are_in_order_and_every_system_is_among_them(
    pieces: list[str], characters: int
) -> None:
    content = " ".join(pieces)
    passages = evidence_passages(content, characters)

    assert sum(len(passage.text) for passage in passages) <= characters
    assert all(a.end <= b.start for a, b in pairwise(passages))
    assert passages[0].start == 0
    # what is a menu depends on all of the text: the evidence is that of the whole
    evidence = find_evidence(content)
    shown = {each.label for each in evidence for passage in passages if passage.start <= each.start < passage.end}
    assert shown == {each.label for each in evidence}
