from dataclasses import astuple

import numpy as np
import pytest

from ctiforge.labels.choosing import WEIGHTS, Claims, PoolArticle, WorthParts, choose_next

NOTHING = PoolArticle("plain", {"cmdline": Claims(agreed=3)}, 1.0, "rules and m")


def ids(pool, count=10, examples=None, **others):
    chosen = choose_next(pool, count, examples=examples or {}, **others)
    return [pool[each.index].id for each in chosen]


def first(pool, **others):
    (chosen,) = choose_next(pool, 1, examples=others.pop("examples", {"cmdline": 100}), **others)
    return pool[chosen.index].id, chosen


def test_weights_sum_to_one() -> None:
    assert sum(astuple(WEIGHTS)) == pytest.approx(1)


def test_what_labelers_disagree_about_comes_first() -> None:
    disputed = PoolArticle("disputed", {"cmdline": Claims(agreed=1, disputed=4)}, 1.0, "rules and m")
    id_, chosen = first([NOTHING, disputed])
    assert id_ == "disputed"
    assert "rules and m disagree about 4 command lines" in chosen.reasons
    assert chosen.parts.disagreement == 4 / 7


def test_one_disputed_item_alone_says_less_than_many() -> None:
    one = PoolArticle("one", {"cmdline": Claims(disputed=1)})
    many = PoolArticle("many", {"cmdline": Claims(agreed=1, disputed=9)})
    assert first([one, many])[0] == "many"


def test_what_a_model_is_not_sure_of_comes_first_and_who_says_nothing_is_no_reason() -> None:
    unsure = PoolArticle("unsure", NOTHING.claims, 0.25)
    unknown = PoolArticle("unknown", NOTHING.claims, None)
    id_, chosen = first([unknown, NOTHING, unsure])
    assert id_ == "unsure"
    assert "the model gives 0.25 to what it is least sure of" in chosen.reasons
    assert not any("sure" in reason for reason in first([unknown])[1].reasons)


def test_types_short_of_examples_come_first() -> None:
    rare = PoolArticle("rare", {"cmdline": Claims(agreed=1), "services": Claims(agreed=1)}, 1.0)
    id_, chosen = first([NOTHING, rare], examples={"cmdline": 100, "services": 3})
    assert id_ == "rare"
    assert "3 services labeled so far" in chosen.reasons
    assert first([NOTHING, rare], examples={"cmdline": 1, "services": 100})[1].reasons == (
        "1 command line labeled so far",
    )


def test_what_is_chosen_counts_as_labeled_for_the_next() -> None:
    pool = [PoolArticle(f"s{n}", {"services": Claims(agreed=50)}) for n in range(5)]
    pool += [PoolArticle(f"r{n}", {"registry": Claims(agreed=50)}) for n in range(5)]
    assert {each[0] for each in ids(pool, 2)} == {"s", "r"}


def test_what_is_unlike_the_labeled_and_the_chosen_comes_first() -> None:
    likeness = np.eye(4)
    likeness[1, 2] = likeness[2, 1] = 0.9
    pool = [PoolArticle(str(n)) for n in range(4)]
    others = {"similar": lambda n: likeness[n], "nearest": np.array([0.8, 0.0, 0.0, 0.1])}
    chosen = ids(pool, 4, **others)
    assert chosen[0] in "12"
    assert chosen[1] == "3"
    assert chosen[3] in "12"
    assert first(pool, **others)[1].reasons == ("unlike what is labeled",)


def test_the_order_of_the_pool_decides_nothing_and_the_seed_between_equals() -> None:
    pool = [PoolArticle(f"article {n}\udc80", {"cmdline": Claims(disputed=n % 3)}) for n in range(30)]
    chosen = ids(pool, 8)
    assert ids(pool[::-1], 8) == chosen
    assert ids(pool, 8, seed=1) != chosen


def test_no_article_is_chosen_twice_and_no_more_than_there_are() -> None:
    assert len(set(ids([PoolArticle(str(n)) for n in range(3)], 10))) == 3
    assert ids([], 5) == []
    assert ids([NOTHING], 0) == []


def test_odd_figures_stay_parts_of_one() -> None:
    odd = PoolArticle("odd", {"": Claims(), "mutexes": Claims(disputed=10**9)}, -3.0)
    (chosen,) = choose_next([odd], 1, examples={"mutexes": -5}, similar=lambda _: np.array([1.5]))
    assert all(0 <= part <= 1 for part in astuple(chosen.parts))
    assert 0 <= chosen.score <= 1


def test_weights_of_a_part_alone_rank_by_it() -> None:
    doubtful = PoolArticle("doubtful", {}, 0.1)
    disputed = PoolArticle("disputed", {"cmdline": Claims(disputed=5)}, 0.9)
    assert first([doubtful, disputed], weights=WorthParts(0, 1, 0, 0))[0] == "doubtful"
    assert first([doubtful, disputed], weights=WorthParts(1, 0, 0, 0))[0] == "disputed"
