"""The threshold of an item: chosen by F1 on validation articles, or not at all."""

import pytest

from ctiforge.extract.item_threshold import LEAST_ARTICLES, LEAST_ITEMS, JudgedWindow, choose_bias, set_threshold
from ctiforge.records.observable import Observable
from ctiforge.training.windows import Window


def service(name):
    return Observable(type="services", value=name)


def text_of(index):
    return f"The host made a service Svc{index}. " + "Nothing else was seen there. " * 4


@pytest.fixture
def articles(article):
    return [article(text_of(index), article_id=str(index), services=[f"Svc{index}"]) for index in range(30)]


def window(index, leaning, *names, start=0):
    shown = Window(0, 40) if not start else Window(start, start + 40)
    return JudgedWindow(index, shown, leaning, tuple(map(service, names)))


def test_a_model_that_never_finds_any_is_moved_to_where_it_parts_them(articles):
    windows = []
    for index in range(len(articles)):
        windows.append(window(index, -2.0 - index / 100, f"Svc{index}"))
        windows.append(window(index, -4.0 - index / 100, "Other", start=45))
    bias, before, after, sure = choose_bias(articles, windows)
    assert (before, after, sure) == (0.0, 1.0, True)
    assert 2.29 < bias < 4.0


def test_a_model_that_finds_too_much_is_held_back(articles):
    windows = []
    for index in range(len(articles)):
        windows.append(window(index, 5.0 + index / 100, f"Svc{index}"))
        windows.append(window(index, 1.0 + index / 100, f"Wrong{index}", start=45))
    bias, before, after, sure = choose_bias(articles, windows)
    assert (after, sure) == (1.0, True)
    assert before < 0.7
    assert -5.0 < bias < -1.29


def test_where_nothing_is_better_there_is_no_bias(articles):
    windows = [window(index, 2.0 + index / 100, f"Svc{index}") for index in range(len(articles))]
    assert choose_bias(articles, windows) == (0.0, 1.0, 1.0, False)


def test_a_gain_in_one_article_of_many_is_not_sure(articles):
    windows = [window(index, 2.0 + index / 100, f"Svc{index}") for index in range(1, len(articles))]
    *_, sure = choose_bias(articles, [*windows, window(0, -0.5, "Svc0")])
    assert not sure


class NeverAsked:
    """An agent whose windows are read, but that must write nothing."""

    def windows_of(self, index, source):
        return []

    def leanings(self, waiting):
        return []


@pytest.mark.parametrize("articles_of", [LEAST_ARTICLES - 1, LEAST_ITEMS - 1])
def test_a_validation_that_is_too_small_sets_none_and_says_so(article, articles_of):
    few = [article(text_of(index), article_id=str(index), services=[f"Svc{index}"]) for index in range(articles_of)]
    found = set_threshold(NeverAsked(), few)
    assert found.bias is None
    assert f"{articles_of} items in {articles_of} validation articles" in found.why_none


def test_a_validation_without_empty_windows_says_that(article):
    many = [article(text_of(i), article_id=str(i), services=[f"Svc{i}"]) for i in range(LEAST_ITEMS)]
    assert "no windows with an item and windows without" in set_threshold(NeverAsked(), many).why_none
