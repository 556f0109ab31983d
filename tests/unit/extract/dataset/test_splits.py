from ctiforge.extract.dataset.splits import split_by_group


def test_groups_stay_whole_and_a_tenth_goes_to_validation(article):
    records = [article(f"text {n}", article_id=str(n), group=f"g{n // 2}") for n in range(200)]
    split = split_by_group(records, 0.1, seed=0)
    assert len(split.validation) == 20
    assert not {r.group for r in split.train} & {r.group for r in split.validation}
    assert len(split.train) + len(split.validation) == 200


def test_length_and_types_are_spread_alike(article):
    records = [article("x" * (100 if n % 2 else 40_000), article_id=str(n)) for n in range(100)]
    records += [article("It ran `id -u` here.", article_id=f"c{n}", cmdline=["id -u"]) for n in range(100)]
    validation = split_by_group(records, 0.1, seed=3).validation
    assert sum(len(record.content) > 1_000 for record in validation) == 5
    assert sum(bool(record.observables) for record in validation) == 10


def test_the_split_depends_on_the_seed_and_not_on_the_order(article):
    records = [article(f"text {n}", article_id=str(n)) for n in range(100)]
    assert split_by_group(records, 0.1, 1) == split_by_group(records[::-1], 0.1, 1)
    assert split_by_group(records, 0.1, 1) != split_by_group(records, 0.1, 2)


def test_two_articles_are_one_and_one_and_a_single_one_is_for_training(article):
    two = split_by_group([article("a", article_id="1"), article("b", article_id="2")], 0.1, 0)
    assert (len(two.train), len(two.validation)) == (1, 1)
    one = split_by_group([article("a", article_id="1")], 0.1, 0)
    assert len(one.train) == 1
