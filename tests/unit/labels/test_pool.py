import gzip
from math import exp

import pytest

from ctiforge.errors import UsageError
from ctiforge.labels.page.candidates import Origin
from ctiforge.labels.pool import choose_from, make_pool, queue_line, read_confidences
from ctiforge.records.answer import ANSWERS_NAME, ItemProbability, KeptAnswer
from ctiforge.records.observable import Observable
from tests.labels import commands, human_label
from tests.unit.extract.harvest.test_harvest import make_text


def article(text, id_="1", found=None, **changes):
    record = human_label(text, found, id_=id_, url=changes.pop("url", None)).article
    return record.model_copy(update={"annotator": None, "labelled_by": "model", **changes})


def articles_of(count):
    return [article(make_text(n), str(n)) for n in range(count)]


def ids(pool):
    return {each.id for each in pool.articles}


def test_what_is_labeled_or_tested_is_not_proposed_nor_what_is_near_to_it(tmp_path) -> None:
    articles = articles_of(6)
    copies = [article(make_text(n) + " A footer.", f"copy of {n}") for n in (0, 1)]
    labels = [human_label(make_text(0), {"cmdline": ["run 0"]})]
    pool = make_pool([*articles, *copies], labels, [articles[1]], tmp_path)
    assert ids(pool) == {"2", "3", "4", "5"}
    assert pool.left_out == {
        "labeled already, or near to such an article": 2,
        "in a test set, or near to one of its articles": 2,
    }


def test_the_page_of_a_labeled_article_is_not_proposed_again(tmp_path) -> None:
    label = human_label(make_text(0), {"cmdline": []}, url="https://x.invalid/a")
    assert not ids(make_pool([article(make_text(1), url="https://x.invalid/a/")], [label], [], tmp_path))


def test_of_near_duplicates_one_is_proposed_whatever_the_order(tmp_path) -> None:
    articles = [*articles_of(3), article(make_text(1) + " A footer.", "copy")]
    pool = make_pool(articles, [], [], tmp_path)
    assert len(pool.articles) == 3
    assert pool.left_out == {"near to another article that may be labeled": 1}
    (tmp_path / "again").mkdir()
    assert make_pool(articles[::-1], [], [], tmp_path / "again").articles == pool.articles


def test_single_items_label_no_article_and_count_as_examples(tmp_path) -> None:
    marked = human_label(make_text(0), positives=commands("whoami /all", "WHOAMI  /all"))
    other = human_label(make_text(1), {"cmdline": ["net user"]}, by="bob")
    judged = human_label(make_text(2), os_label="Linux")
    pool = make_pool(articles_of(4), [marked, other, judged], [], tmp_path)
    assert ids(pool) == {"0", "3"}
    assert pool.examples == {"cmdline": 2}


def test_what_rules_and_a_model_disagree_about_is_said(tmp_path) -> None:
    commands_of = "The actor ran whoami /all here. Then ipconfig /all there. Later: net user /domain."
    same = article(make_text(1) + " whoami /all", "same", {"cmdline": ["whoami /all"]})
    missed = article(make_text(2) + "\n" + commands_of, "missed", {"cmdline": []})
    pool = make_pool([same, missed], [], [], tmp_path)
    (record, chosen), _ = choose_from(pool, 2)
    assert record.id == "missed"
    assert any(reason == "rules and the input disagree about 3 command lines" for reason in chosen.reasons)
    line = queue_line(record, chosen)
    assert line.why == "; ".join(chosen.reasons)
    assert line.content == missed.content


def test_a_model_is_held_to_what_it_looked_for_alone(tmp_path) -> None:
    record = article(make_text(2) + " The actor ran whoami /all here.", "x")
    (_, silent), *_ = choose_from(make_pool([record], [], [], tmp_path), 1)
    assert silent.parts.disagreement == 0
    blind = Origin("model", "champion 3", (), ("cmdline",))
    (_, asked), *_ = choose_from(make_pool([record], [], [], tmp_path), 1, finds=[lambda _: [blind]])
    assert asked.parts.disagreement == 0.5
    assert "rules and champion 3 disagree about 1 command line" in asked.reasons
    looked = record.model_copy(update={"labelled_types": ("cmdline",)})
    (_, three), *_ = choose_from(make_pool([looked], [], [], tmp_path), 1, finds=[lambda _: [blind]])
    assert "rules, the input and champion 3 disagree about 1 command line" in three.reasons


def test_how_sure_a_model_was_is_read_beside_its_evaluation(tmp_path) -> None:
    assert read_confidences(tmp_path) == {}
    sure = [("1", (-0.1, -1.0)), ("1", (-0.5,)), ("2", None), ("3", ())]
    answers = [
        KeptAnswer(
            article_id=id_, start=0, end=9, types=("cmdline",), raw="[]",
            items=means and tuple(ItemProbability(start=0, end=1, mean=mean, least=mean) for mean in means),
        )
        for id_, means in sure
    ]  # fmt: skip
    with gzip.open(tmp_path / ANSWERS_NAME, "wt", encoding="utf-8") as file:
        file.writelines(each.model_dump_json() + "\n" for each in answers)
    for path in (tmp_path, tmp_path / "evaluation.json"):
        assert read_confidences(path) == {"1": exp(-1.0)}


@pytest.mark.parametrize(
    "content",
    [b"x", gzip.compress(b"[]\n"), gzip.compress(b'{"items": [{}]}')],
    ids=["no gzip", "a list", "an empty item"],
)
def test_answers_that_are_none_are_named(content, tmp_path) -> None:
    (tmp_path / ANSWERS_NAME).write_bytes(content)
    with pytest.raises(UsageError, match="holds no answers of an evaluation"):
        read_confidences(tmp_path)


def test_odd_texts_are_ranked_like_others(tmp_path) -> None:
    odd = ["🐍", "\x00\ud800", "a" * 100_000, "C:\\" * 2_000, "\u202e x"]
    found = (Observable(type="mutexes", value="x"), Observable(type="cmdline", value=" "))
    records = [article("x", str(n), content=text, content_hash=str(n), observables=found) for n, text in enumerate(odd)]
    chosen = choose_from(make_pool(records, [], [], tmp_path), 10)
    assert len(chosen) == len(odd)


def test_nothing_to_choose_from_is_nothing_chosen(tmp_path) -> None:
    pool = make_pool([], [], [], tmp_path)
    assert choose_from(pool, 5) == []
    assert not pool.left_out
