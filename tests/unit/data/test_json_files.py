import json
from pathlib import Path

import pytest

from ctiforge.data.articles import Article
from ctiforge.data.json_files import JsonProblems, find_json_files, read_json_files, with_contents

RESULT = {"observables": [{"type": "cmdline", "value": "whoami"}], "summary": {"count": 1}, "raw_response": "{}"}


def read(*paths: Path):
    problems = JsonProblems()
    return list(read_json_files(paths, problems)), problems


def write(path: Path, value: object) -> Path:
    path.write_text(json.dumps(value))
    return path


def test_results_by_id(tmp_path) -> None:
    value = {"1974": {"article_id": 1974, "title": "T", "full_response": "…"} | RESULT, "2": {"error": "timeout"}}

    articles, problems = read(write(tmp_path / "a_extract_results_full.json", value))

    assert [a.id for a in articles] == ["1974", "2"]
    assert articles[0].executions[0].outcome.observables[0].value == "whoami"
    assert articles[1].executions[0].outcome.set_aside == {"error in the result file": 1}
    assert articles[0].content is None
    assert not problems.files


def test_several_runs_of_one_article(tmp_path) -> None:
    runs = [RESULT | {"behavioral_observables": [], "observable_list": []}, {"error": "x"}, 7]

    articles, problems = read(write(tmp_path / "lmstudio_extract_a.json", {"5": runs}))

    assert [len(a.executions) for a in articles] == [2]
    assert problems.entries == {"entry is no object": 1}


def test_a_list_with_contents(tmp_path) -> None:
    entry = {"article_id": 3, "title": "T", "url": "https://x.invalid", "content": "text", "extraction_result": RESULT}

    articles, _ = read(write(tmp_path / "a.json", [entry, "no object", {"title": "no id"}]))

    assert [(a.id, a.content, a.url) for a in articles] == [("3", "text", "https://x.invalid")]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty file"),
        (b"  \n", "empty file"),
        (b'{"1": {"observables": [', "not JSON, or cut off"),
        (b"hello", "not JSON, or cut off"),
        (b"\x89PNG\r\n\x00\xff\xfe", "binary, no text"),
        (b"[" * 100_000, "nested too deeply"),
        (b"7", "JSON of another layout"),
        (b'{"a": 1}', "JSON of another layout"),
    ],
)
def test_damaged_files_are_set_aside_and_the_others_read(tmp_path, data: bytes, reason: str) -> None:
    (tmp_path / "bad.json").write_bytes(data)
    good = write(tmp_path / "good.json", {"1": RESULT})

    articles, problems = read(tmp_path / "bad.json", good)

    assert [a.id for a in articles] == ["1"]
    assert problems.files == {str(tmp_path / "bad.json"): reason}


def test_a_folder_and_a_missing_file_are_set_aside(tmp_path) -> None:
    articles, problems = read(tmp_path, tmp_path / "missing.json")

    assert articles == []
    assert problems.files == {str(tmp_path): "is a folder", str(tmp_path / "missing.json"): "No such file or directory"}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "cp1252"])
def test_mixed_encodings(tmp_path, encoding: str) -> None:
    text = json.dumps([{"article_id": 1, "content": "naïve “quote”", "extraction_result": RESULT}], ensure_ascii=False)
    (tmp_path / "a.json").write_bytes(text.encode(encoding))

    articles, problems = read(tmp_path / "a.json")

    assert articles[0].content == "naïve “quote”"
    assert not problems.files


def test_nan_and_lone_surrogates_are_read(tmp_path) -> None:
    (tmp_path / "a.json").write_text('[{"article_id": 1, "content": "a\\ud800", "extraction_result": NaN}]')

    articles, _ = read(tmp_path / "a.json")

    assert articles[0].content == "a?"
    assert articles[0].executions[0].outcome.set_aside == {"extraction_result is a number": 1}


def test_result_files_are_found_by_name(tmp_path) -> None:
    for name in (
        "x/a_extract_results_full.json",
        "lmstudio_extract_b.json",
        "other.json",
        ".git/lmstudio_extract_c.json",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).write_text("{}")

    found = [path.relative_to(tmp_path).as_posix() for path in find_json_files(tmp_path)]

    assert found == ["lmstudio_extract_b.json", "x/a_extract_results_full.json"]


def test_missing_contents_come_from_the_database() -> None:
    stored = {7: Article("7", "https://x.invalid", "Stored", "stored text", 80.0)}
    articles = [
        Article("7", None, "", None, None),
        Article("no number", None, "", None, None),
        Article("8", None, "", "own", None),
    ]

    filled = list(with_contents(articles, lambda ids: {n: stored[n] for n in ids if n in stored}))

    assert [a.content for a in filled] == ["stored text", None, "own"]
    assert filled[0].title == "Stored"
