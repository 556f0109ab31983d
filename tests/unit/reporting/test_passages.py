from hypothesis import given
from hypothesis import strategies as st

from ctiforge.reporting.passages import AROUND, LONGEST, passage, shortened


def marked(found):
    return [piece.text for piece in found.pieces if piece.is_marked]


def test_the_passage_is_cut_at_words_and_says_where_it_is_cut():
    text = "word " * 100 + "THE VALUE" + " word" * 100
    found = passage(text, [(500, 509)])
    before, value, after = (piece.text for piece in found.pieces)
    assert value == "THE VALUE"
    assert before.startswith("… word ")
    assert after.endswith(" word …")
    assert AROUND - 24 <= len(before) <= AROUND + 10


def test_a_short_article_is_shown_whole():
    found = passage("run whoami now", [(4, 10)], "why")
    assert [piece.text for piece in found.pieces] == ["run ", "whoami", " now"]
    assert found.title == "why"


def test_the_two_ends_of_a_lineage_are_both_marked_and_overlapping_ones_are_one():
    text = "cmd.exe then starts net.exe here"
    assert marked(passage(text, [(20, 27), (0, 7)])) == ["cmd.exe", "net.exe"]
    assert marked(passage(text, [(0, 9), (4, 12)])) == [text[:12]]


def test_empty_lines_around_the_value_go_and_those_inside_stay():
    assert "".join(piece.text for piece in passage("a\n\n \n b x\n\ny c", [(7, 11)]).pieces) == "a\n b x\n\ny c"


def test_a_very_long_value_is_shortened_and_says_how_long_it_is():
    text = "A" * 1_000_000
    found = passage(text, [(10, 900_000)])
    assert sum(len(piece.text) for piece in found.pieces) < 3 * LONGEST
    assert "899,990 characters" in marked(found)[0]
    assert shortened("short") == "short"


@given(st.text(alphabet="ab \n\u202e", min_size=1, max_size=600), st.data())
def test_what_is_marked_is_what_was_asked_for(text, data):
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, min(len(text), start + LONGEST)))
    found = passage(text, [(start, end)])
    assert marked(found) == [text[start:end]]
    assert sum(len(piece.text) for piece in found.pieces) <= end - start + 2 * AROUND + 4
