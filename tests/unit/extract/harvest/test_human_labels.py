import json

from ctiforge.data.articles import Article
from ctiforge.data.identity import content_hash, fold
from ctiforge.extract.harvest.human_labels import HumanLabels, read_human_labels
from ctiforge.records.article import ArticleRecord
from ctiforge.records.human_label import HumanLabel
from ctiforge.records.observable import Observable
from tests.labels import commands, human_label
from tests.unit.extract.harvest.test_harvest import found, make_article, make_text


def labeled(number: int, *values: str, types=("cmdline",), by="ann", text: str | None = None) -> ArticleRecord:
    content = make_text(number) if text is None else text
    return ArticleRecord(
        id=f"h{number}",
        url=f"https://x.invalid/{number}",
        content=content,
        content_hash=content_hash(fold(content)),
        observables=tuple(Observable(type="cmdline", value=value) for value in values),
        labelled_types=types,
        labelled_by="human",
        annotator=by,
    )


def of(*records: ArticleRecord) -> HumanLabels:
    labels = HumanLabels()
    labels.add(records)
    return labels


def test_a_person_goes_before_any_model_for_the_types_that_they_looked_for(run) -> None:
    article = make_article("1", found("machine", at="2030-01-01"))

    _, (record,), _ = run([article], labels=of(labeled(1, "by hand")))

    assert [o.value for o in record.observables] == ["by hand"]
    assert {t: (each.by, each.name) for t, each in record.type_labels.items()} == {
        "cmdline": ("person", "ann"),
        "registry": ("model", None),
    }
    assert record.labelled_by == "model"


def test_a_persons_empty_list_goes_before_a_models_items(run) -> None:
    articles = [make_article("1", found("invented")), make_article("2", found("a"))]

    _, (record, _), _ = run(articles, labels=of(labeled(1)), negative_ratio=0.9)

    assert record.observables == ()
    assert record.type_labels["cmdline"].why == "found nothing"


def test_labeled_articles_that_no_source_holds_are_harvested_too(run) -> None:
    report, records, _ = run([make_article("1", found("a"))], labels=of(labeled(1, "b"), labeled(2, "c")))

    assert {r.id: [o.value for o in r.observables] for r in records} == {"1": ["b"], "h2": ["c"]}
    assert [(r.labelled_by, r.annotator, r.generation) for r in records if r.id == "h2"] == [("human", "ann", None)]
    assert report.generations["labels of people"] == 1


def test_a_labeled_article_of_a_test_set_stays_out_of_training(run) -> None:
    held = [("in test set real@1", labeled(1, "b"))]

    report, records, _ = run([make_article("2", found("a"))], held_out=held, labels=of(labeled(1, "b")))

    assert [r.id for r in records] == ["2"]
    assert report.excluded == {"in test set real@1": 1}


def test_two_people_who_disagree_are_told_and_the_first_counts(run) -> None:
    labels = of(labeled(1, "Net  User"), labeled(1, "net user", by="bo"), labeled(1, "other", by="cy"))

    report, (record,), _ = run([make_article("1", found("machine"))], labels=labels)

    assert [o.value for o in record.observables] == ["Net  User"]
    assert report.label_conflicts == ("h1: cmdline",)


def test_labels_of_a_text_that_has_changed_are_told_and_not_applied(run) -> None:
    labels = of(labeled(1, "old", text="The text before it was edited. " * 9))

    report, records, _ = run([make_article("1", found("machine"))], labels=labels)

    assert sorted(o.value for r in records for o in r.observables) in (["machine"], ["old"], ["machine", "old"])
    (reason,) = report.labels_left_out
    assert "changed since" in reason


def test_what_no_person_signed_labels_nothing() -> None:
    labels = of(labeled(1, "a", by=""), labeled(2, "b", types=()))

    assert list(labels.rest()) == []
    assert labels.left_out.total() == 2
    assert labels.of(Article("1", None, "", "x", None), "0") == []


def test_review_files_and_evaluation_data_are_read(tmp_path) -> None:
    line = {"id": "1", "content": "ran whoami", "labelled_types": ["cmdline"], "observables": [], "annotator": "ann"}
    (tmp_path / "review.jsonl").write_text(json.dumps(line) + "\n")
    folder = tmp_path / "eval_articles_data" / "cmdline"
    folder.mkdir(parents=True)
    (folder / "articles.json").write_text(json.dumps([{"url": "https://x.invalid/1", "content": "ran id"}]))
    (folder / "ground_truth.json").write_text(json.dumps([{"url": "https://x.invalid/1", "expected_items": ["id"]}]))

    articles = list(read_human_labels([tmp_path / "review.jsonl", tmp_path / "eval_articles_data"]).rest())

    assert [(a.executions[0].by, a.executions[0].labeler) for a in articles] == [
        ("person", "ann"),
        ("person", "the team"),
    ]


def registered(*labels: HumanLabel) -> HumanLabels:
    return read_human_labels((), labels)


def test_a_single_item_is_added_to_what_a_model_found(run) -> None:
    label = human_label(make_text(1), positives=commands("by hand", "MACHINE"))

    _, (record,), _ = run([make_article("1", found("machine"))], labels=registered(label))

    assert [o.value for o in record.observables] == ["machine", "by hand"]
    assert {each.by for each in record.type_labels.values()} <= {"model"}


def test_a_single_item_labels_nothing_where_nobody_else_does(run) -> None:
    label = human_label(make_text(2), positives=commands("alone"))

    report, records, _ = run([make_article("1", found("a"))], labels=registered(label))

    assert [r.id for r in records] == ["1"]
    assert report.labels_left_out == {"single items of texts that no source holds": 1}
    label = human_label(make_text(1), positives=(Observable(type="services", value="x"),))
    report, (record,), _ = run([make_article("1", found("a"))], labels=registered(label))
    assert "services" not in record.labelled_types
    assert sum(report.labels_left_out.values()) == 1


def test_an_article_that_was_labeled_for_evaluation_is_not_learnt_from_nor_its_copies(run) -> None:
    label = human_label(make_text(1), {"cmdline": ["a"]}, usage="eval")
    copy = make_article("3", found("a"))
    copy.content = make_text(1) + " A footer."

    report, records, _ = run(
        [make_article("1", found("a")), make_article("2", found("a")), copy], labels=registered(label)
    )

    assert [r.id for r in records] == ["2"]
    assert report.excluded["labeled for evaluation, or near to such an article"] == 2


def test_labels_of_the_registry_come_after_those_of_a_file(run, tmp_path) -> None:
    review = tmp_path / "review.jsonl"
    line = {"id": "1", "content": make_text(1), "annotator": "file", "labelled_types": ["cmdline"]}
    line["observables"] = [{"type": "cmdline", "value": "a"}]
    review.write_text(json.dumps(line) + "\n", encoding="utf-8")
    labels = read_human_labels([review], [human_label(make_text(1), {"cmdline": []})])

    report, (record,), _ = run([make_article("1", found("b"))], labels=labels)

    assert record.type_labels["cmdline"].name == "file"
    assert report.label_conflicts == ("1: cmdline",)
