import pytest

from ctiforge.errors import DataError
from ctiforge.osbert.prepared import check_classes, check_no_leak, class_counts
from ctiforge.osbert.splits import balance, split
from ctiforge.records.article import OS_LABELS, OsLabel
from ctiforge.records.os_article import LabeledArticle


def _articles(counts: dict[OsLabel, int]) -> list[LabeledArticle]:
    return [
        LabeledArticle(
            id=f"{label}-{n}", content=f"{label} {n}", content_hash=f"{label}{n}", label=label, labeler="keywords"
        )
        for label, count in counts.items()
        for n in range(count)
    ]


def test_every_part_has_its_share_of_every_class() -> None:
    parts = split(_articles({"Windows": 60, "Linux": 20, "Unknown": 4}), 0.2, 0.1, seed=0)
    assert class_counts(parts.train) == {"Windows": 42, "Linux": 14, "MacOS": 0, "multiple": 0, "Unknown": 3}
    assert class_counts(parts.validation) == {"Windows": 12, "Linux": 4, "MacOS": 0, "multiple": 0, "Unknown": 1}
    assert class_counts(parts.test) == {"Windows": 6, "Linux": 2, "MacOS": 0, "multiple": 0, "Unknown": 0}
    check_no_leak(parts.train, [*parts.validation, *parts.test], "validation")


def test_a_split_depends_on_content_and_seed_alone() -> None:
    articles = _articles({"Windows": 30, "MacOS": 30})
    one, other = split(articles, 0.2, 0.1, seed=1), split(articles[::-1], 0.2, 0.1, seed=1)
    assert one == other
    assert split(articles, 0.2, 0.1, seed=2) != one


def test_articles_of_one_title_stay_together() -> None:
    articles = [
        article.model_copy(update={"title": f"Series {number // 3}"})
        for number, article in enumerate(_articles({"Windows": 60}))
    ]
    parts = split(articles, 0.2, 0.1, seed=0)
    train, validation, test = ({each.title for each in part} for part in (parts.train, parts.validation, parts.test))
    assert not (train & validation) | (train & test) | (validation & test)
    assert [len(part) for part in (parts.train, parts.validation, parts.test)] == [42, 12, 6]


def test_balance_caps_a_class_and_leaves_the_others() -> None:
    counts = class_counts(balance(_articles({"Windows": 60, "Linux": 5}), 10, seed=0))
    assert counts == {"Windows": 10, "Linux": 5, "MacOS": 0, "multiple": 0, "Unknown": 0}


def test_a_leak_is_found_by_content_and_by_group() -> None:
    article = _articles({"Linux": 1})[0]
    with pytest.raises(DataError, match="Linux-0 of test is in the training part"):
        check_no_leak([article], [article], "test")
    near = article.model_copy(update={"content_hash": "other", "group": "g"})
    with pytest.raises(DataError, match="near to one there"):
        check_no_leak([article.model_copy(update={"group": "g"})], [near], "test")


def test_classes_that_are_few_are_named_and_one_alone_is_refused() -> None:
    counts = dict.fromkeys(OS_LABELS, 200) | {"MacOS": 0, "Linux": 70}
    warnings = check_classes(counts)
    assert len(warnings) == 2
    assert "no training article is MacOS: its weight in the loss is 0" in " ".join(warnings)
    assert "70 training articles are Linux" in " ".join(warnings)
    with pytest.raises(DataError, match="30 training articles, and every one of them is Windows"):
        check_classes({"Windows": 30})
