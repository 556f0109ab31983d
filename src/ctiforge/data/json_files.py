"""Reads result files of earlier scripts: three JSON layouts, any of which may be damaged.

1. `*_extract_results_full.json`: `{"1974": {article_id, title, observables, …} | {"error": …}}`
2. `lmstudio_extract_*.json`: `{"1974": [{observables, behavioral_observables, …}, …]}`, a run per entry
3. a list of `{article_id, title, url, content, extraction_result}`
"""

import json
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from ctiforge.data.articles import Article, Execution, read_configuration
from ctiforge.data.generations import ReadResult, parse_result, read_result

FOUND_NAMES = ("*_extract_results_full.json", "lmstudio_extract_*.json", "*extraction_results*.json")
_SKIPPED_FOLDERS = ("node_modules", "venv", "site-packages", "__pycache__")
_RESULT_KEYS = ("observables", "behavioral_observables", "observable_list", "subresults")


@dataclass
class JsonProblems:
    """What could not be read in result files."""

    files: dict[str, str] = field(default_factory=dict)
    """File that could not be read → why."""
    entries: Counter[str] = field(default_factory=Counter)
    """Reason → entries of readable files that could not be read."""


def find_json_files(root: Path) -> list[Path]:
    """Find result files by their names (`FOUND_NAMES`).

    Args:
        root: The folder to search, with its subfolders; hidden and package folders are skipped.

    Returns:
        The files, sorted.
    """
    found: set[Path] = set()
    for folder, subfolders, names in os.walk(root):
        subfolders[:] = [name for name in subfolders if not name.startswith(".") and name not in _SKIPPED_FOLDERS]
        found.update(Path(folder) / name for name in names if any(Path(name).match(pattern) for pattern in FOUND_NAMES))
    return sorted(found)


def read_json_files(paths: Sequence[Path], problems: JsonProblems) -> Iterator[Article]:
    """Read the articles of result files; never raises.

    Args:
        paths: The files; each is read once, in the order of their paths.
        problems: Is filled with what cannot be read.

    Yields:
        Each entry's article with its executions; one article may come several times.
    """
    for path in sorted(set(paths)):
        try:
            value = json.loads(_decode(path.read_bytes()))
        except IsADirectoryError:
            problems.files[str(path)] = "is a folder"
        except OSError as error:
            problems.files[str(path)] = error.strerror or "cannot be read"
        except RecursionError:
            problems.files[str(path)] = "nested too deeply"
        except ValueError as error:
            problems.files[str(path)] = str(error) if isinstance(error, _Unreadable) else "not JSON, or cut off"
        else:
            entries = _entries(value)
            if entries is None:
                problems.files[str(path)] = "JSON of another layout"
                continue
            yield from _articles(entries, problems.entries)


class _Unreadable(ValueError):
    """Bytes that are no text."""


def with_contents(
    articles: Iterable[Article], articles_by_id: Callable[[Sequence[int]], Mapping[int, Article]]
) -> Iterator[Article]:
    """Complete articles without content from the database, a hundred at a time.

    Args:
        articles: The articles; those without content are changed in place.
        articles_by_id: Looks up the articles of the ids given, as `Database.articles_by_id` does.

    Yields:
        All articles, in their order; one that the database does not know stays without content.
    """
    stream = iter(articles)
    while batch := list(islice(stream, 100)):
        missing = [int(a.id) for a in batch if not a.content and a.id.isascii() and a.id.isdigit()]
        known = articles_by_id(missing) if missing else {}
        for article in batch:
            stored = known.get(int(article.id)) if not article.content and article.id.isdecimal() else None
            if stored:
                article.content, article.hunt_score = stored.content, stored.hunt_score
                article.url, article.title = article.url or stored.url, article.title or stored.title
            yield article


def _decode(data: bytes) -> str:
    """Decode UTF-8 with or without BOM, UTF-16 or UTF-32 with one; else Windows-1252, which old tools wrote."""
    if not data.strip():
        raise _Unreadable("empty file")
    for bom, encoding in ((b"\xff\xfe\0\0", "utf-32"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")):
        if data.startswith(bom):
            return data.decode(encoding)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        if b"\0" in data:
            raise _Unreadable("binary, no text") from None
        return data.decode("cp1252", "replace")


def _entries(value: Any) -> Iterator[tuple[str | None, Any]] | None:
    """Yield (article id, entry) of each of the layouts; None for another one."""
    if isinstance(value, list):
        return ((None, entry) for entry in value)
    if not isinstance(value, dict):
        return None
    if "extraction_result" in value or "article_id" in value:
        return iter([(None, value)])
    if any(key in value for key in _RESULT_KEYS) or not all(
        isinstance(entry, (dict, list)) for entry in value.values()
    ):
        return None
    return iter(value.items())


def _articles(entries: Iterator[tuple[str | None, Any]], problems: Counter[str]) -> Iterator[Article]:
    for id_, entry in entries:
        runs = entry if isinstance(entry, list) else [entry]
        good = [run for run in runs if isinstance(run, dict)]
        if len(good) < len(runs) or not runs:
            problems["entry is no object"] += max(1, len(runs) - len(good))
        if not good:
            continue
        article_id = _id(id_, good[0])
        if article_id is None:
            problems["entry without an article id"] += 1
            continue
        first = good[0]
        yield Article(
            id=article_id,
            url=_text(first.get("url")) or _text(first.get("canonical_url")),
            title=_text(first.get("title")) or "",
            content=_text(first.get("content")),
            hunt_score=None,
            executions=[_execution(run) for run in good],
        )


def _execution(run: dict[str, Any]) -> Execution:
    models, evaluation = read_configuration(run.get("config_snapshot"))
    return Execution(_text(run.get("status")) or "completed", _finished_at(run), _outcome(run), models, evaluation)


def _outcome(run: dict[str, Any]) -> ReadResult:
    if "extraction_result" in run:
        result = run["extraction_result"]
        # some exports hold the column as text
        return parse_result(result) if isinstance(result, str) else read_result(result)
    if not any(key in run for key in _RESULT_KEYS):
        if run.get("error"):
            return ReadResult(None, set_aside=Counter({"error in the result file": 1}))
        if isinstance(run.get("full_response"), dict):
            return read_result(run["full_response"])
    return read_result(run)


def _id(key: str | None, entry: dict[str, Any]) -> str | None:
    for value in (key, entry.get("article_id"), entry.get("id")):
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
        text = _text(value)
        if text and text.strip():
            return text.strip()
    return None


def _finished_at(run: dict[str, Any]) -> str:
    return _text(run.get("completed_at")) or _text(run.get("created_at")) or ""


def _text(value: Any) -> str | None:
    # a lone surrogate, which JSON can escape, is no text that can be written
    return value.encode("utf-8", "replace").decode() or None if isinstance(value, str) else None
