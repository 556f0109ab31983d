import json
from hashlib import sha256

import pytest

from ctiforge.data.testsets import (
    find_test_data,
    find_testset,
    find_unplaced,
    import_testset,
    list_testsets,
    load_testset,
    read_labelled_articles,
)
from ctiforge.data.testsets import (
    test_set_inputs as stage_inputs,
)
from ctiforge.errors import DataError, UsageError
from ctiforge.records.article import OS_LABELS, ArticleRecord
from ctiforge.records.observable import Observable
from ctiforge.store.objects import open_store


def make_article(article_id: str = "1", content: str = "They ran whoami.", **fields) -> ArticleRecord:
    fields = {
        "observables": (Observable(type="cmdline", value="whoami"),),
        "labelled_types": ("cmdline", "registry"),
        "labelled_by": "human",
        "annotator": "ann",
    } | fields
    return ArticleRecord(id=article_id, content=content, content_hash="", **fields)


@pytest.fixture
def store(tmp_path):
    return open_store(str(tmp_path / "store"))


def test_versions_are_numbered_and_immutable(store) -> None:
    first = import_testset(store, "real", [make_article("2"), make_article("1")])
    again = import_testset(store, "real", [make_article("1"), make_article("2")])
    second = import_testset(store, "real", [make_article("1")])

    assert (first.version, again, second.version) == (1, first, 2)
    assert first.labelled_types == {"cmdline": 2, "registry": 2}
    assert [r.id for r in load_testset(store, "real@1")[1]] == ["1", "2"]
    assert load_testset(store, "real")[0] == second
    assert list_testsets(store) == [first, second]


def test_a_note_makes_a_version_of_its_own(store) -> None:
    first = import_testset(store, "demo", [make_article()], note="corpus 1")

    assert find_testset(store, "demo", note="corpus 1") == first
    assert find_testset(store, "demo", note="corpus 2") is None
    assert import_testset(store, "demo", [make_article()], note="corpus 2").version == 2


def test_a_version_whose_writer_died_is_not_overwritten(store) -> None:
    store.write("testsets/real/1/testset.jsonl", b"half")

    assert import_testset(store, "real", [make_article()]).version == 2
    assert store.read("testsets/real/1/testset.jsonl") == b"half"


@pytest.mark.parametrize(
    ("articles", "words"),
    [
        ([make_article(labelled_by="model")], "labeled by a model"),
        ([make_article(annotator=None)], "names no annotator"),
        ([make_article(annotator="  ")], "names no annotator"),
        ([make_article(), make_article("2", labelled_types=(), observables=())], "article 2 has neither"),
        ([], "no article in it"),
        ([make_article(), make_article()], "occurs twice"),
        ([make_article(labelled_types=("registry",))], "which labelled_types does not name"),
        ([make_article(labelled_types=(), os_label="Linux")], "which labelled_types does not name"),
        ([make_article(labelled_types=("CmdLine",))], r"no type of observables 'CmdLine' \(did you mean cmdline\?\)"),
        (
            [make_article(labelled_types=("cmdline", "Registry Keys"))],
            r"did you mean registry\?\): there are cmdline, r",
        ),
        (
            [make_article(labelled_types=("cmdline", "mutex"))],
            "article 1: there is no type of observables 'mutex': there",
        ),
        (
            [make_article(observables=(Observable(type="", value="x"),))],
            "article 1: there is no type of observables ''",
        ),
        ([make_article(observables=(Observable(type="cmdline", value=" "),))], "article 1 has an empty cmdline"),
        (
            [make_article(), make_article("2", observables=())],
            "articles 1 and 2 have the same text and another cmdline",
        ),
        (
            [make_article(os_label="Linux"), make_article("2", "They  ran WHOAMI.", os_label="Windows")],
            "articles 1 and 2 have the same text and another os_label",
        ),
    ],
)
def test_what_no_person_checked_is_refused(store, articles, words: str) -> None:
    with pytest.raises(DataError, match=words):
        import_testset(store, "real", articles)
    assert list_testsets(store) == []


def test_one_text_under_two_ids_may_be_labeled_twice_alike(store) -> None:
    other = {"labelled_types": ("hunt_queries",), "observables": (), "os_label": "Linux"}
    articles = [
        make_article("1"),
        make_article("2", observables=(Observable(type="cmdline", value=" whoami"),)),
        make_article("3", **other),
    ]

    assert import_testset(store, "copies", articles).articles == 3


def test_what_stands_nowhere_in_its_article_is_found() -> None:
    values = tuple(Observable(type="cmdline", value=value) for value in ("whoami", "ipconfig /all"))

    assert find_unplaced([make_article("1", observables=values), make_article("2")]) == [("1", values[1])]


def test_half_a_character_becomes_what_a_harvest_makes_of_it(tmp_path, store) -> None:
    row = {"id": "1", "title": "\udfff", "content": "They ran whoami \ud800.", "labelled_types": ["cmdline"]}
    row |= {"truth": {"cmdline": ["whoami \ud800"]}, "tags": {"style": "\ud800"}, "url": "\ud800", "group": "\ud800"}
    (tmp_path / "a.jsonl").write_text(json.dumps(row), encoding="utf-8")

    articles = list(read_labelled_articles(tmp_path / "a.jsonl"))
    import_testset(store, "half", articles, "ann")

    assert load_testset(store, "half")[1][0].content == "They ran whoami ?."
    assert find_unplaced(articles) == []


def test_articles_may_have_either_label_or_both(store) -> None:
    unlabeled = {"labelled_types": (), "observables": ()}
    articles = [
        make_article("1", os_label="Windows"),
        make_article("2", "Nothing was said.", os_label="Unknown", **unlabeled),
        make_article("3"),
    ]

    test_set = import_testset(store, "both", articles)

    assert test_set.labelled_types == {"cmdline": 2, "registry": 2, "os_label": 2}
    assert [r.os_label for r in load_testset(store, "both")[1]] == ["Windows", "Unknown", None]
    assert list_testsets(store) == [test_set]


def test_a_label_of_an_operating_system_alone_is_a_test_set(tmp_path, store) -> None:
    rows = [{"id": label, "content": f"About {label}.", "os_label": label, "annotator": "ann"} for label in OS_LABELS]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")

    test_set = import_testset(store, "os", read_labelled_articles(tmp_path / "a.jsonl"))

    assert (test_set.annotator, test_set.labelled_types) == ("ann", {"os_label": 5})
    assert sorted(str(r.os_label) for r in load_testset(store, "os")[1]) == sorted(OS_LABELS)


def test_descriptions_from_before_there_were_labels_of_operating_systems_still_read(store) -> None:
    record = make_article().model_dump(exclude={"os_label"})
    data = json.dumps(record).encode() + b"\n"
    old = {"name": "old", "version": 1, "annotator": "ann", "articles": 1, "labelled_types": {"cmdline": 1}}
    store.write("testsets/old/1/testset.jsonl", data)
    store.write("testsets/old/1/testset.json", json.dumps(old | {"sha256": sha256(data).hexdigest()}).encode())

    test_set, articles = load_testset(store, "old")

    assert test_set.labelled_types == {"cmdline": 1}
    assert articles[0].os_label is None


@pytest.mark.parametrize("name", ["", "a/b", "../x", "UPPER", "a@2"])
def test_bad_names_are_refused(store, name: str) -> None:
    with pytest.raises(UsageError, match="no name for a test set"):
        import_testset(store, name, [make_article()])


def test_a_damaged_or_missing_test_set_is_said_so(store) -> None:
    test_set = import_testset(store, "real", [make_article()])
    store.write(test_set.key, b"{}")

    with pytest.raises(DataError, match="damaged"):
        load_testset(store, "real")
    with pytest.raises(UsageError, match="there are: real@1"):
        load_testset(store, "real@7")


def test_stage_inputs_name_the_newest_of_each(store) -> None:
    import_testset(store, "a", [make_article()])
    import_testset(store, "a", [make_article("9")])
    import_testset(store, "b", [make_article()])

    assert sorted(stage_inputs(store.uri, None)) == ["test_set:a@2", "test_set:b@1"]
    assert list(stage_inputs(store.uri, ["a@1"])) == ["test_set:a@1"]


def test_without_a_store_the_settings_name_the_one_that_is_asked(store, tmp_path, monkeypatch) -> None:
    import_testset(store, "a", [make_article()])
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CTIFORGE_STORE", raising=False)
    place = f"{store.uri}/testsets/a/1/testset.jsonl"

    assert stage_inputs(None, None) == {}
    with pytest.raises(UsageError, match=r"no test set a: the store \.ctiforge/store is not there"):
        stage_inputs(None, ["a"])
    assert not (tmp_path / ".ctiforge").exists()

    monkeypatch.setenv("CTIFORGE_STORE", store.uri)
    assert stage_inputs(None, None) == {"test_set:a@1": place}
    assert find_test_data("testset:a", None) == (place, "a@1")

    monkeypatch.delenv("CTIFORGE_STORE")
    (tmp_path / "store").rename(tmp_path / "moved")
    (tmp_path / ".ctiforge").mkdir()
    (tmp_path / "moved").rename(tmp_path / ".ctiforge" / "store")
    assert list(stage_inputs(None, ["a"])) == ["test_set:a@1"]
    with pytest.raises(UsageError, match=r"no test set b in .*/\.ctiforge/store \(there are: a@1\)"):
        stage_inputs(None, ["b"])


def test_a_folder_is_no_test_data(tmp_path) -> None:
    with pytest.raises(UsageError, match=r"--test-data .* is a folder: name a file of labeled articles"):
        find_test_data(str(tmp_path), None)


def test_whoever_labeled_is_named_once(store) -> None:
    articles = [make_article(annotator="bob, ann"), make_article("2", "They ran net.", annotator="ann")]

    assert import_testset(store, "both", articles).annotator == "ann, bob"


def test_files_with_truth_are_read(tmp_path, store) -> None:
    row = {"id": "1", "content": "They ran whoami.", "labelled_types": ["cmdline"], "truth": {"cmdline": ["whoami"]}}
    (tmp_path / "a.jsonl").write_text("\ufeff" + json.dumps(row) + "\n\n", encoding="utf-8")

    test_set = import_testset(store, "real", read_labelled_articles(tmp_path / "a.jsonl"), "ann")

    assert test_set.annotator == "ann"
    assert load_testset(store, "real")[1][0].observables == (Observable(type="cmdline", value="whoami"),)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("{", "line 1: not JSON"),
        ("[]", "a line is an object"),
        ('{"id": "1"}', "an article is an object"),
        ('{"content": "x"}', "line 1: no id"),
        ('{"id": "1", "content": "x", "annotator": ["ann", "bob"]}', "line 1: annotator is one text"),
        ('{"id": "1", "content": "x", "observables": null}', "line 1: observables: Input should be a valid array"),
        ('{"id": "1", "content": "x", "truth": []}', "truth is an object"),
        ('{"id": "1", "content": "x", "truth": {"cmdline": [7]}}', "a value in truth is a text"),
        ('{"id": "1", "content": "x", "observables": ["whoami"]}', "observables.0"),
        *(
            (
                f'{{"id": "1", "content": "x", "os_label": {label}}}',
                "line 1: os_label is one of Windows, .*, Unknown, or",
            )
            for label in ('"Mac"', '"Windows 11"', "0", "false", '["Linux"]', '{"Linux": 1}')
        ),
    ],
)
def test_lines_that_are_no_article_are_named(tmp_path, line: str, words: str) -> None:
    (tmp_path / "a.jsonl").write_text(line)

    with pytest.raises(DataError, match=words):
        list(read_labelled_articles(tmp_path / "a.jsonl"))


def test_no_file_and_no_text_are_said_so(tmp_path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b"\xff\xfa")

    with pytest.raises(UsageError, match="no such file"):
        list(read_labelled_articles(tmp_path / "missing.jsonl"))
    with pytest.raises(DataError, match="not UTF-8"):
        list(read_labelled_articles(tmp_path / "a.jsonl"))
