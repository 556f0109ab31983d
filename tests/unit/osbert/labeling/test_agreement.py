import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score, confusion_matrix

from ctiforge.osbert.labeling.agreement import Conflict, agreement, cohens_kappa, confuse
from ctiforge.osbert.opinions import Opinion
from ctiforge.records.article import OS_LABELS

LABELS = st.sampled_from(OS_LABELS)


def test_kappa_of_cohens_own_example() -> None:
    # 200 pairs, for which the paper gives 0.492
    confusion = [[88, 14, 18], [10, 40, 10], [2, 6, 12]]

    assert cohens_kappa(confusion) == pytest.approx(0.492, abs=0.0005)


@given(st.lists(st.tuples(LABELS, LABELS), min_size=1, max_size=60))
def test_kappa_and_confusion_are_those_of_scikit_learn(pairs) -> None:
    first, second = zip(*pairs, strict=True)
    confusion = confuse(pairs)
    kappa = cohens_kappa(confusion)

    assert [list(row) for row in confusion] == confusion_matrix(first, second, labels=list(OS_LABELS)).tolist()
    if kappa is None:
        assert set(first) == set(second)
        assert len(set(first)) == 1
    else:
        assert kappa == pytest.approx(cohen_kappa_score(first, second))


def opinions(**labels) -> dict[str, Opinion]:
    return {article_id: Opinion(label) for article_id, label in labels.items()}


def test_only_articles_that_both_labeled_count() -> None:
    found = agreement(
        "keywords",
        opinions(a="Windows", b="Linux", c="MacOS", d="Unknown", e=None),
        "human:ann",
        opinions(c="MacOS", b="multiple", a="Windows", d=None, e="Linux", f="Linux"),
    )

    assert (found.first, found.other) == ("keywords", "human:ann")
    assert (found.articles, found.same) == (3, 2)
    assert found.conflicts == (Conflict("b", "Linux", "multiple"),)
    assert found.confusion[OS_LABELS.index("Linux")][OS_LABELS.index("multiple")] == 1
    assert sum(map(sum, found.confusion)) == 3


def test_where_kappa_is_not_defined_there_is_none() -> None:
    assert agreement("x", {}, "y", opinions(a="Linux")).kappa is None
    assert agreement("x", opinions(a="Linux", b="Linux"), "y", opinions(a="Linux", b="Linux")).kappa is None
    assert agreement("x", opinions(a="Linux"), "y", opinions(a="Windows")).kappa == 0
