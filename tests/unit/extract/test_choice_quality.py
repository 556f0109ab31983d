"""Which windows hold an item, and how well a model tells them."""

import pytest

from ctiforge.extract.choice_quality import LEAST_WINDOWS, WindowLeaning, choice_quality, types_in

TEXT = "First the host ran whoami /all there. Then a service UpdSvc was made."


def test_an_item_is_in_the_windows_that_show_it_whole(article):
    labeled = article(TEXT, cmdline=["whoami /all"], services=["UpdSvc"])
    cut = TEXT.index("/all")
    spans = [(0, len(TEXT)), (0, cut), (cut, len(TEXT)), (0, 10)]
    assert types_in(labeled, spans) == [{"cmdline", "services"}, set(), {"services"}, set()]


def test_an_item_of_a_type_that_nobody_labeled_and_one_that_stands_nowhere_are_in_none(article):
    labeled = article(TEXT, cmdline=["whoami /all"], services=["Other"], labelled_types=("services",))
    assert types_in(labeled, [(0, len(TEXT))]) == [set()]


def leanings(*pairs):
    return [WindowLeaning(leaning, frozenset(types)) for leaning, types in pairs]


def test_a_type_has_a_figure_from_enough_windows_on():
    empty = [(-1.0, ())] * LEAST_WINDOWS
    commands = [(1.0, ("cmdline",))] * LEAST_WINDOWS
    services = [(-2.0, ("services",))] * (LEAST_WINDOWS - 1)
    quality = choice_quality(leanings(*empty, *commands, *services))
    assert (quality.windows, quality.with_item) == (3 * LEAST_WINDOWS - 1, 2 * LEAST_WINDOWS - 1)
    assert quality.by_type == {"cmdline": 1.0}
    assert quality.auc == pytest.approx(LEAST_WINDOWS / (2 * LEAST_WINDOWS - 1), abs=1e-4)


def test_without_windows_of_both_kinds_there_is_no_figure():
    assert choice_quality(leanings((0.5, ("cmdline",)))).auc is None
    assert choice_quality([]).auc is None
