from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from ctiforge.training.windows import Window, cut_windows, split_pieces, window_around


def by_words(texts):
    return [max(1, len(text.split())) for text in texts]


def windows_of(text, window_tokens, overlap_tokens, keep_whole=()):
    pieces = split_pieces(text, by_words)
    return cut_windows(pieces, window_tokens=window_tokens, overlap_tokens=overlap_tokens, keep_whole=keep_whole)


def test_a_short_text_is_one_window():
    assert windows_of("one two three", 10, 3) == [Window(0, 13)]


def test_an_empty_text_has_no_window():
    assert windows_of("", 10, 3) == []
    assert windows_of("  \n ", 10, 3) == []


def test_a_window_opens_at_a_sentence_when_one_begins_near_the_overlap():
    text = "a b c d e f g h. i j k l m n o p q r s t u v w x y z"
    second = windows_of(text, 20, 10)[1]
    assert text[second.start :].lstrip().startswith("i j k")


def test_no_window_splits_what_must_stay_whole():
    text = " ".join(f"w{i}" for i in range(100))
    start = text.index("w38")
    kept = (start, text.index("w44"))
    for window in windows_of(text, 20, 5, [kept]):
        assert not window.start < kept[0] < window.end < kept[1]
        assert not kept[0] < window.start < kept[1] < window.end


def test_a_range_longer_than_a_window_does_not_stop_the_cutting():
    text = " ".join(f"w{i}" for i in range(100))
    windows = windows_of(text, 10, 3, [(text.index("w20"), text.index("w80"))])
    assert windows[-1].end == len(text)
    assert all(len(text[w.start : w.end].split()) <= 10 for w in windows)


def test_a_window_around_an_item_holds_it_in_its_middle():
    text = " ".join(f"w{i}" for i in range(100))
    pieces = split_pieces(text, by_words)
    start = text.index("w50")
    window = window_around(pieces, start, start + 3, 11)
    words = text[window.start : window.end].split()
    assert len(words) <= 11
    assert 3 <= words.index("w50") <= 7


def test_a_long_word_is_cut_into_pieces():
    pieces = split_pieces("x" * 500, lambda texts: [len(text) for text in texts])
    windows = cut_windows(pieces, window_tokens=100, overlap_tokens=50)
    assert all(window.end - window.start <= 100 for window in windows)
    assert windows[-1].end == 500


@given(
    st.lists(st.text("ab. \n", min_size=1, max_size=12), max_size=60).map("".join),
    st.integers(4, 30),
    st.integers(0, 40),
)
def test_windows_cover_the_text_within_the_budget(text, window_tokens, overlap_tokens):
    pieces = split_pieces(text, by_words)
    windows = cut_windows(pieces, window_tokens=window_tokens, overlap_tokens=overlap_tokens)
    if not text.strip():
        assert windows == []
        return
    assert windows[0].start == 0
    assert windows[-1].end == len(text)
    for before, after in pairwise(windows):
        assert before.start < after.start <= before.end
    assert all(pieces.tokens_between(w.start, w.end) <= window_tokens for w in windows)


@given(st.integers(0, 80), st.integers(1, 5))
def test_whatever_is_no_longer_than_the_overlap_lies_whole_in_some_window(first, length):
    text = " ".join(f"w{i}" for i in range(100))
    start = text.index(f"w{first}")
    end = text.index(f"w{first + length}") - 1
    assert any(w.start <= start and end <= w.end for w in windows_of(text, 20, 5))
