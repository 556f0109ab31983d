import pytest

from ctiforge.data.seen import covers, seen_stretches

TEXT = "One sentence. Another one! A third?\n\nA new line with text\nThe last line"


def seen(seen_text: str | None = None, cut_after: str | None = None) -> list[str] | None:
    stretches = seen_stretches(TEXT, seen_text, cut_after)
    return None if stretches is None else [TEXT[slice(*each)] for each in stretches]


def test_the_whole_article_was_seen() -> None:
    assert seen() is None
    assert seen("  ".join(TEXT.split())) is None


@pytest.mark.parametrize(
    ("text", "stretches"),
    [
        ("Another one!", ["Another one! "]),
        ("One sentence.  Another one!", ["One sentence. Another one! "]),
        ("A third?\nThe last line", ["A third?\n\n", "The last line"]),
        ("another article", []),
        ("", []),
    ],
)
def test_what_the_filter_left(text: str, stretches: list[str]) -> None:
    assert seen(text) == stretches


@pytest.mark.parametrize(
    ("tail", "stretches"),
    [
        ("ence. Another   one!", ["One sentence. Another one!"]),
        ("The last line", [TEXT]),
        ("words of the prompt alone", []),
        ("", []),
    ],
)
def test_what_stood_before_the_cut(tail: str, stretches: list[str]) -> None:
    assert seen(cut_after=tail) == stretches


def test_a_cut_of_what_the_filter_left() -> None:
    assert seen("One sentence. A third?", "One sentence. Another one!") == ["One sentence. "]


def test_pieces_hold_every_character_once() -> None:
    assert seen_stretches("a b\n\n c. d\te.", "a b\n\n c. d\te.", None) is None


def test_a_window_is_covered_where_all_of_it_was_seen() -> None:
    assert covers(None, 0, 10)
    assert covers(((0, 5), (7, 9)), 7, 9)
    assert not covers(((0, 5), (7, 9)), 4, 8)
    assert not covers((), 0, 1)
