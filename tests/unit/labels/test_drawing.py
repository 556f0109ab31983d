import pytest

from ctiforge.errors import DataError
from ctiforge.labels.drawing import draw_test_articles
from tests.labels import commands, human_label
from tests.unit.extract.harvest.test_harvest import make_text


def draw(labels, tmp_path, size=10, known=(), seed=0):
    return draw_test_articles(labels, size, seed, known, tmp_path)


def labels_of(count: int):
    return [human_label(make_text(n), {"cmdline": [f"run {n}"]}, id_=str(n)) for n in range(count)]


def test_articles_are_drawn_the_same_whatever_the_order(tmp_path) -> None:
    labels = labels_of(12)

    drawn = draw(labels, tmp_path, 5)
    assert len(drawn.articles) == 5
    assert draw(labels[::-1], tmp_path, 5).articles == drawn.articles
    assert draw(labels, tmp_path, 5, seed=1).articles != drawn.articles


def test_what_was_labeled_for_evaluation_comes_first_and_what_for_training_never(tmp_path) -> None:
    labels = labels_of(9)
    labels[7] = labels[7].model_copy(update={"usage": "gold"})
    labels[8] = labels[8].model_copy(update={"usage": "train"})

    assert [each.id for each in draw(labels, tmp_path, 1).articles] == ["7"]
    everything = draw(labels, tmp_path)
    assert "8" not in {each.id for each in everything.articles}
    assert everything.left_out == {"labeled for training": 1}


def test_of_near_duplicates_one_is_drawn_and_none_of_what_another_set_has(tmp_path) -> None:
    labels = labels_of(3)
    labels += [human_label(make_text(n) + " A footer.", {"cmdline": []}, id_=f"copy-{n}") for n in range(3)]

    drawn = draw(labels, tmp_path, known=[labels[0].article])
    assert {each.id.removeprefix("copy-") for each in drawn.articles} == {"1", "2"}
    assert len(drawn.articles) == 2
    assert drawn.left_out == {"in another test set, or near to one of its articles": 2}


def test_what_people_contradict_each_other_about_is_left_out(tmp_path) -> None:
    labels = [*labels_of(2), human_label(make_text(0), {"cmdline": []}, by="bob", id_="0")]

    drawn = draw(labels, tmp_path)
    assert [each.id for each in drawn.articles] == ["1"]
    assert sum(drawn.left_out.values()) == 1


def test_what_two_who_agree_looked_for_is_put_together(tmp_path) -> None:
    labels = [
        human_label(make_text(0), {"cmdline": ["run 0"]}, id_="0"),
        human_label(
            make_text(0), {"cmdline": ["RUN 0"], "registry": ["HKLM\\A"]}, by="bob", id_="x", os_label="Windows"
        ),
    ]

    (article,) = draw(labels, tmp_path).articles
    assert [(o.type, o.value) for o in article.observables] == [("cmdline", "run 0"), ("registry", "HKLM\\A")]
    assert (article.labelled_types, article.os_label, article.annotator) == (
        ("cmdline", "registry"),
        "Windows",
        "ann, bob",
    )


def test_single_items_alone_make_no_test_article(tmp_path) -> None:
    with pytest.raises(DataError, match="only single items are marked"):
        draw([human_label(make_text(0), positives=commands("run 0"))], tmp_path)
    with pytest.raises(DataError, match="ctiforge labels import"):
        draw([], tmp_path)


def test_two_sources_that_gave_one_id_are_told_apart(tmp_path) -> None:
    labels = [human_label(make_text(n), {"cmdline": []}, id_="1") for n in range(2)]

    assert len({each.id for each in draw(labels, tmp_path).articles}) == 2
