from ctiforge.data.articles import Article
from ctiforge.data.labels import UNNAMED
from ctiforge.data.people import Annotation, ExpectedItems
from ctiforge.labels.annotations import read_annotations, read_expected

TEXT = "They ran whoami /all, and again whoami /all; then net group; HKLM\\Run\\Upd was set."
ARTICLES = {
    7: Article("7", "https://x.invalid/7", "Title", TEXT, None),
    8: Article("8", "https://x.invalid/8/", "", "Nothing here.", None),
    9: Article("9", None, "", None, None),
}


def annotation(quote: str | None = "whoami /all", type_: str | None = "cmd", **changes) -> Annotation:
    return Annotation(
        **{"article_id": 7, "user": 3, "type": type_, "quote": quote, "start": 9, "end": 20, "usage": "train"} | changes
    )


def expected(items, agent: str = "CmdlineExtract", article_id: int | None = 7, **changes) -> ExpectedItems:
    return ExpectedItems(
        **{"article_id": article_id, "url": None, "agent": agent, "count": len(items or ()), "items": items} | changes
    )


def test_an_annotation_says_this_is_one_and_never_these_are_all() -> None:
    (label,) = read_annotations([annotation(), annotation("HKLM\\Run\\Upd", "reg")], ARTICLES, None).labels

    assert label.article.labelled_types == ()
    assert [(o.type, o.value) for o in label.positives] == [("cmdline", "whoami /all"), ("registry", "HKLM\\Run\\Upd")]
    assert (label.annotator, label.usage, label.article.url) == ("user 3", "train", "https://x.invalid/7")


def test_what_is_no_type_of_ours_is_counted() -> None:
    kinds = ("process", "file", "eventcode", "huntable", "not_huntable", None)
    labels = read_annotations([annotation(type_=kind) for kind in kinds], ARTICLES, None)

    assert labels.labels == []
    assert sum(labels.left_out.values()) == len(kinds)


def test_an_annotation_of_a_changed_article_is_told_and_not_applied() -> None:
    labels = read_annotations([annotation("del /f was here"), annotation(None, start=80, end=900)], ARTICLES, None)

    assert labels.labels == []
    assert labels.left_out == {"cmdline: annotations that stand nowhere in the text, which has changed since": 2}


def test_annotations_that_overlap_or_were_shifted_count_by_what_they_quote() -> None:
    rows = [annotation(), annotation("whoami", start=900, end=2), annotation(" net group ", start=None, end=None)]

    (label,) = read_annotations([*rows, annotation()], ARTICLES, None).labels
    assert [o.value for o in label.positives] == ["whoami /all", "whoami", "net group"]


def test_a_place_without_a_quote_is_what_stands_there() -> None:
    (label,) = read_annotations([annotation(None)], ARTICLES, None).labels

    assert [o.value for o in label.positives] == [TEXT[9:20]]


def test_a_chain_is_its_pairs_and_a_single_process_is_none() -> None:
    articles = {7: Article("7", None, "", "a.exe -> b.exe -> c.exe", None)}
    rows = [annotation("a.exe -> b.exe -> c.exe", "process_tree"), annotation("b.exe", "process_lineage")]

    labels = read_annotations(rows, articles, None)
    assert [o.value for o in labels.labels[0].positives] == ["a.exe -> b.exe", "b.exe -> c.exe"]
    assert labels.left_out == {"process_lineage: annotations of a single process, which is no pair": 1}


def test_what_was_labeled_for_evaluation_once_is_never_for_training() -> None:
    for usages in (("eval", "train"), ("train", "gold"), (None, "eval"), ("gold", None)):
        (label,) = read_annotations([annotation(usage=usage) for usage in usages], ARTICLES, None).labels
        assert label.usage in ("eval", "gold"), usages
    assert read_annotations([annotation(usage="later")], ARTICLES, None).labels[0].usage is None


def test_annotations_of_nobody_and_of_two_people_are_labels_of_their_own() -> None:
    labels = read_annotations([annotation(user=None), annotation(user=4), annotation()], ARTICLES, None)

    assert sorted(each.annotator for each in labels.labels) == [UNNAMED, "user 3", "user 4"]


def test_annotations_of_missing_articles_are_counted() -> None:
    labels = read_annotations([annotation(article_id=1), annotation(article_id=9)], ARTICLES, None)

    assert labels.left_out == {"annotations of articles without a text": 2}


def test_expected_items_are_all_of_their_type() -> None:
    rows = [expected(["whoami /all"]), expected([], "RegistryExtract"), expected([{"value": "net group"}], "cmdline")]

    (label,) = read_expected(rows, ARTICLES, "ann").labels
    assert label.article.labelled_types == ("cmdline", "registry")
    # the newest row of one type counts
    assert [o.value for o in label.article.observables] == ["net group"]
    assert (label.annotator, label.positives) == ("ann", ())


def test_a_count_alone_labels_nothing() -> None:
    labels = read_expected([expected(None, count=3), expected([], count=3), expected("x")], ARTICLES, None)

    assert labels.labels == []
    assert labels.left_out == {
        "cmdline: expected items of which only a count is known": 2,
        "cmdline: expected items that are missing, though they were counted": 1,
    }


def test_an_article_is_found_by_its_page_too() -> None:
    (label,) = read_expected([expected([], article_id=None, url="https://X.invalid/8")], ARTICLES, None).labels

    assert label.article.id == "8"
    gone = [expected([], article_id=None), expected([], article_id=9), expected([], article_id=1)]
    assert read_expected(gone, ARTICLES, None).left_out == {
        "cmdline: expected items of articles that are not there, or have no text": 3
    }


def test_agents_are_known_in_every_spelling() -> None:
    names = {
        "CmdlineExtract": "cmdline",
        "ProcTreeExtract": "process_lineage",
        "process_lineage": "process_lineage",
        "HuntQueriesExtract": "hunt_queries",
        "RegistryExtract": "registry",
        "registry_artifacts": "registry",
        "ServicesExtract": "services",
        "windows_services": "services",
        "ScheduledTasksExtract": "scheduled_tasks",
        "NetworkIndicatorExtract": "network_indicators",
    }
    for name, type_ in names.items():
        (label,) = read_expected([expected([], name)], ARTICLES, None).labels
        assert label.article.labelled_types == (type_,), name
    assert read_expected([expected([], "SigmaWriter")], ARTICLES, None).left_out == {
        "expected items of agents without a type of ours": 1
    }


def test_items_that_cannot_be_read_are_counted() -> None:
    labels = read_expected([expected([None, {}, 3.5, ["x"], "whoami /all"])], ARTICLES, None)

    assert [o.value for o in labels.labels[0].article.observables][-1] == "whoami /all"
    assert labels.left_out["cmdline: expected items that cannot be read"] >= 3


def test_a_list_of_which_nothing_can_be_read_is_no_list_of_nothing() -> None:
    labels = read_expected([expected([None, [["x"]]]), expected([], "RegistryExtract")], ARTICLES, None)

    assert [each.article.labelled_types for each in labels.labels] == [("registry",)]
    assert labels.left_out == {"cmdline: expected items that cannot be read": 2}
