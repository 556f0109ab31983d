"""Reads what a team has checked by hand in the application: `config/eval_articles_data/<type>/`.

`articles.json` is a list of `{url, title, content, …}`; `ground_truth.json` beside it a list of
`{url, expected_items}`, where an empty list means that somebody looked and there is nothing. A folder without it knows
only how many items there should be, which labels nothing.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ctiforge.data.identity import canonical_url, content_hash, fold
from ctiforge.data.item_values import canonical_type, canonical_values, clean_text
from ctiforge.errors import DataError, UsageError
from ctiforge.records.article import ArticleRecord
from ctiforge.records.observable import TYPES, Observable

_ARTICLES, _TRUTH = "articles.json", "ground_truth.json"


@dataclass
class EvaluationData:
    """The articles of a folder of evaluation data, and what of it labels nothing."""

    articles: list[ArticleRecord] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    """Reason → articles, items or folders."""


def is_evaluation_data(path: Path) -> bool:
    """Tell whether a path is such a folder.

    Args:
        path: Any path.

    Returns:
        True for the folder of one type, and for one that holds those of several.
    """
    return path.is_dir() and bool(_type_folders(path))


def read_evaluation_data(path: Path) -> EvaluationData:
    """Read a folder of evaluation data: an article that several types were checked in is one article.

    Args:
        path: The folder of one type, or the one that holds those of several.

    Returns:
        The articles by URL, with the types that somebody checked, and what was left out.

    Raises:
        UsageError: There is no such folder.
        DataError: A file, which the text names, is no list of objects.
    """
    folders = _type_folders(path)
    if not folders:
        raise UsageError(f"{path} holds no {_ARTICLES}: name config/eval_articles_data of the application, or a part")
    data = EvaluationData()
    found: dict[str, dict[str, Any]] = {}
    for folder in folders:
        type_ = canonical_type(folder.name)
        if type_ not in TYPES:
            data.left_out[f"folder {folder.name}: no type of ours"] += 1
            continue
        _read_type(folder, type_, found, data.left_out)
    # without the counts of nothing
    data.left_out = +data.left_out
    data.articles = [_record(page, article) for page, article in sorted(found.items())]
    return data


def _type_folders(path: Path) -> list[Path]:
    if (path / _ARTICLES).is_file():
        return [path]
    return sorted(each.parent for each in path.glob(f"*/{_ARTICLES}"))


def _read_type(folder: Path, type_: str, found: dict[str, dict[str, Any]], left_out: Counter[str]) -> None:
    truth = folder / _TRUTH
    expected = (
        {canonical_url(_url(entry)): entry.get("expected_items") for entry in _entries(truth)}
        if truth.is_file()
        else {}
    )
    for entry in _entries(folder / _ARTICLES):
        url, content = _url(entry), clean_text(entry.get("content"))
        page = canonical_url(url)
        items = expected.pop(page, None)
        if not isinstance(items, list):
            left_out[f"{type_}: articles of which only a count is known"] += 1
            continue
        if not url or not content:
            left_out[f"{type_}: articles without {'content' if url else 'a URL'}"] += 1
            continue
        values = [canonical_values(type_, item) for item in items]
        left_out[f"{type_}: items that cannot be read"] += sum(not each for each in values)
        if items and not any(values):
            # not a list of nothing
            continue
        article = found.setdefault(
            page, {"url": url, "title": clean_text(entry.get("title")) or "", "content": content, "types": {}}
        )
        if content_hash(fold(article["content"])) != content_hash(fold(content)):
            left_out[f"{type_}: articles whose text differs from that of another type"] += 1
            continue
        article["types"][type_] = dict.fromkeys(value for each in values for value in each)
    left_out[f"{type_}: ground truth of articles that are not there"] += len(expected)


def _record(page: str, article: Mapping[str, Any]) -> ArticleRecord:
    types: dict[str, dict[str, None]] = article["types"]
    return ArticleRecord(
        id=f"eval-{hashlib.sha256(page.encode()).hexdigest()[:12]}",
        url=article["url"],
        title=article["title"],
        content=article["content"],
        content_hash=content_hash(fold(article["content"])),
        observables=tuple(Observable(type=type_, value=value) for type_, values in types.items() for value in values),
        labelled_types=tuple(types),
        labelled_by="human",
    )


def _entries(path: Path) -> list[dict[str, Any]]:
    try:
        entries = json.loads(path.read_text(encoding="utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} is not JSON: {error}") from None
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise DataError(f"{path} is no list of objects, as the application's evaluation data are")
    return entries


def _url(entry: Mapping[str, Any]) -> str:
    return clean_text(entry.get("url")) or ""
