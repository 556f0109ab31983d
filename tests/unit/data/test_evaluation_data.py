import json

import pytest

from ctiforge.data.evaluation_data import is_evaluation_data, read_evaluation_data
from ctiforge.data.testsets import import_testset
from ctiforge.errors import DataError, UsageError
from ctiforge.store.objects import open_store

URL = "https://x.invalid/a"
CONTENT = "They ran whoami /all, and a.exe started b.exe and c.exe."


@pytest.fixture
def write(tmp_path):
    """Writes a type's folder as the application has it."""

    def go(name, articles, truth=None):
        folder = tmp_path / "eval_articles_data" / name
        folder.mkdir(parents=True)
        (folder / "articles.json").write_text(json.dumps(articles))
        if truth is not None:
            (folder / "ground_truth.json").write_text(json.dumps(truth))
        return tmp_path / "eval_articles_data"

    return go


def article(url=URL, content=CONTENT, **more):
    return {"url": url, "title": "T", "content": content, "expected_count": 1, **more}


def test_types_that_were_checked_in_one_article_make_one_article(write) -> None:
    write("cmdline", [article()], [{"url": URL, "expected_items": ["whoami /all", "whoami /all"]}])
    write("registry_artifacts", [article()], [{"url": URL, "expected_items": []}])
    root = write("process_lineage", [article()], [{"url": URL, "expected_items": ["a.exe -> b.exe -> c.exe"]}])

    data = read_evaluation_data(root)

    (record,) = data.articles
    assert (record.url, record.labelled_by) == (URL, "human")
    assert set(record.labelled_types) == {"cmdline", "process_lineage", "registry"}
    assert {o.value for o in record.observables} == {"whoami /all", "a.exe -> b.exe", "b.exe -> c.exe"}
    assert data.left_out == {}
    assert read_evaluation_data(root / "cmdline").articles[0].labelled_types == ("cmdline",)


def test_what_labels_nothing_is_counted(write) -> None:
    counts_only = [article(), article("https://x.invalid/b")]
    write("cmdline", counts_only, [{"url": URL, "expected_items": ["whoami", {"pid": 4}]}, {"url": "gone"}])
    write("hunt_queries", [article()])
    root = write("sigma", [article()])

    data = read_evaluation_data(root)

    assert [each.labelled_types for each in data.articles] == [("cmdline",)]
    assert data.left_out == {
        "cmdline: articles of which only a count is known": 1,
        "cmdline: items that cannot be read": 1,
        "cmdline: ground truth of articles that are not there": 1,
        "hunt_queries: articles of which only a count is known": 1,
        "folder sigma: no type of ours": 1,
    }


def test_a_list_of_which_nothing_can_be_read_is_no_list_of_nothing(write) -> None:
    write("services", [article()], [{"url": URL, "expected_items": []}])
    root = write("cmdline", [article()], [{"url": URL, "expected_items": [None, {"pid": 4}]}])

    data = read_evaluation_data(root)

    assert [each.labelled_types for each in data.articles] == [("services",)]
    assert data.left_out == {"cmdline: items that cannot be read": 2}


def test_spellings_of_one_address_are_one_article(write) -> None:
    write("cmdline", [article()], [{"url": f"{URL}/", "expected_items": ["whoami /all"]}])
    root = write("services", [article(f"{URL}#top")], [{"url": URL, "expected_items": []}])

    data = read_evaluation_data(root)

    assert [each.labelled_types for each in data.articles] == [("cmdline", "services")]
    assert data.left_out == {}


def test_texts_that_differ_are_told_and_not_mixed(write) -> None:
    write("cmdline", [article()], [{"url": URL, "expected_items": ["whoami /all"]}])
    root = write("services", [article(content="another text")], [{"url": URL, "expected_items": ["Evil"]}])

    data = read_evaluation_data(root)

    assert data.articles[0].labelled_types == ("cmdline",)
    assert data.left_out == {"services: articles whose text differs from that of another type": 1}


def test_it_is_imported_as_a_test_set(write, tmp_path) -> None:
    root = write("cmdline", [article()], [{"url": URL, "expected_items": ["whoami /all"]}])

    found = import_testset(open_store(str(tmp_path / "store")), "team", read_evaluation_data(root).articles, "ann")

    assert (found.articles, found.labelled_types) == (1, {"cmdline": 1})


@pytest.mark.parametrize("text", ["[1]", "{}", "", "[" * 100_000])
def test_files_of_another_kind_are_named(write, text) -> None:
    root = write("cmdline", [article()])
    (root / "cmdline" / "articles.json").write_text(text)

    with pytest.raises(DataError, match=r"articles\.json is no"):
        read_evaluation_data(root)


def test_another_folder_is_none(tmp_path) -> None:
    assert not is_evaluation_data(tmp_path)
    with pytest.raises(UsageError, match=r"holds no articles\.json"):
        read_evaluation_data(tmp_path)
