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
    assert ArticleIdentity("1974").texts_in({"article": {"id": "1974", "content": TEXT}}) == [TEXT]


def test_lines_that_are_no_json_hide_no_others(tmp_path) -> None:
    (tmp_path / "a.jsonl").write_text('{"id": 1}\nnot json\n\n' + json.dumps({"id": 2}) + "\n")
    (tmp_path / "a.json").write_text("{")

    assert [each["id"] for each in read_values(tmp_path / "a.jsonl")] == [1, 2]
    assert list(read_values(tmp_path / "a.json")) == []
