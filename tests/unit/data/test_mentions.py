import json

import pytest

from ctiforge.data.identity import content_hash, fold
from ctiforge.data.mentions import ArticleIdentity, read_values

TEXT = "They ran whoami."
HASH = content_hash(fold(TEXT))
KNOWN = ArticleIdentity("1974", frozenset({HASH}), frozenset({"x.invalid/a"}))


@pytest.mark.parametrize(
    "value",
    [
        {"id": "1974"},
        {"article_id": 1974, "title": "x"},
        [{"articles": [{"id": "5"}, {"id": "1974", "missed": []}]}],
        {"1974": {"observables": []}},
        {"1974": [{"summary": {}}]},
        {"id": "copy", "content_hash": HASH},
        {"id": "copy", "content": "They  RAN whoami."},
        {"id": "copy", "url": "https://x.invalid/a?utm_source=y"},
        {"leaked": [{"id": "7", "as": "1974"}]},
    ],
)
def test_an_article_is_known_by_id_text_and_page(value) -> None:
    assert KNOWN.is_in(value)


@pytest.mark.parametrize(
    "value",
    [
        {"id": "19740"},
        {"id": "7", "content": "They ran 1974 commands.", "url": "https://x.invalid/1974"},
        {"counts": {"1974": 3}},
        {"id": True, "url": None, "content": None, "content_hash": None},
        ["1974", 1974, None],
    ],
)
def test_what_only_looks_like_it_is_another(value) -> None:
    assert not KNOWN.is_in(value)


def test_texts_and_pages_are_learnt_from_what_has_its_id() -> None:
    found = ArticleIdentity("1974").with_texts_of(
        [{"id": "1974", "content": TEXT, "url": "https://X.invalid/a/"}, {"id": "2"}]
    )

    assert found == KNOWN
    assert found.texts_in({"id": "copy", "content": TEXT}) == [TEXT]
    assert ArticleIdentity("1974").texts_in({"article": {"id": "1974", "content": TEXT}}) == [TEXT]


def test_lines_that_are_no_json_hide_no_others(tmp_path) -> None:
    (tmp_path / "a.jsonl").write_text('{"id": 1}\nnot json\n\n' + json.dumps({"id": 2}) + "\n")
    (tmp_path / "a.json").write_text("{")

    assert [each["id"] for each in read_values(tmp_path / "a.jsonl")] == [1, 2]
    assert list(read_values(tmp_path / "a.json")) == []


def test_a_copy_is_known_by_its_id_where_nothing_more_is_said() -> None:
    known = KNOWN.with_copies_of(
        [{"id": 5, "content": TEXT}, {"id": "6", "content": "another"}, {"id": "7", "as": "1974"}]
    )

    assert known.copies == {"5"}
    assert known.is_in({"articles": [{"id": "5", "title": "T"}]})
    # another source may have an article of this id
    assert not known.is_in([{"id": "5", "content": "another"}, {"id": "6"}])


def test_tables_and_files_that_begin_with_a_mark_are_read(tmp_path) -> None:
    long = "x" * 200_000
    (tmp_path / "a.csv").write_text(f'\ufeffID;Content\r\n1;"{long}\n{long}"\r\n')
    (tmp_path / "a.tsv").write_text("id\tcontent\n2\ta, b\n")
    (tmp_path / "a.json").write_text('\ufeff{"id": 3}')
    (tmp_path / "lines").write_text('{"id": 4}\n{"id": 5, "n": ' + "9" * 5_000 + "}\n")

    assert list(read_values(tmp_path / "a.csv")) == [{"id": "1", "content": f"{long}\n{long}"}]
    assert list(read_values(tmp_path / "a.tsv")) == [{"id": "2", "content": "a, b"}]
    assert list(read_values(tmp_path / "a.json")) == [{"id": 3}]
    assert [each["id"] for each in read_values(tmp_path / "lines")] == [4, 5]


def test_what_is_nested_deeply_is_looked_through() -> None:
    value: object = {"id": "1974", "content_hash": ["no text"]}
    for _ in range(5_000):
        value = [value]

    assert KNOWN.is_in(value)
