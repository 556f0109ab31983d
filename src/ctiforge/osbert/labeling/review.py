"""Labels that people give: read from CSV or JSON lines, and the file in which they are asked for."""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ctiforge.errors import DataError, UsageError
from ctiforge.records.article import OS_LABELS, OsLabel
from ctiforge.records.os_article import Evidence

UNNAMED = "unnamed"
"""The annotator in a file that names none."""
_LABEL_OF: dict[str, OsLabel] = {label.casefold(): label for label in OS_LABELS}


@dataclass(frozen=True, slots=True)
class HumanLabel:
    """What a person says an article is about."""

    label: OsLabel
    annotator: str = UNNAMED


@dataclass(frozen=True, slots=True)
class Reviewed:
    """The labels of a file by article id, and how many of its lines nobody has signed yet."""

    labels: dict[str, HumanLabel]
    unsigned: int


@dataclass(frozen=True, slots=True)
class ReviewRow:
    """An article that a person is asked about."""

    id: str
    title: str
    url: str | None
    why: str
    """`conflict`, `flagged`, `no label`; empty where nothing is doubtful."""
    label: OsLabel | None
    """Proposed, to be corrected; None: to be filled in."""
    labels: Mapping[str, OsLabel] = field(default_factory=dict)
    """Labeler → its label."""
    evidence: tuple[Evidence, ...] = ()
    flags: tuple[str, ...] = ()


def write_review(path: Path, rows: Iterable[ReviewRow]) -> int:
    """Write the review file, one article a line, each still without annotator; returns its articles.

    Raises UsageError where the file exists, so that nobody's corrections are overwritten.
    """
    lines = [_review_line(row) for row in rows]
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("x", encoding="utf-8", errors="replace") as file:
            file.writelines(lines)
    except FileExistsError:
        raise UsageError(f"{path} exists: name another file, so that no corrections are lost") from None
    return len(lines)


def read_human_labels(path: Path) -> dict[str, HumanLabel]:
    """Read, by article id, what a person says, as in `read_reviewed`."""
    return read_reviewed(path).labels


def read_reviewed(path: Path) -> Reviewed:
    """Read the labels of a CSV (`id,label[,annotator]`) or of JSON lines (`id`, `label` or `os_label`, `annotator`).

    A line whose annotator is empty is not a person's yet: it is left out and counted. Raises UsageError
    for no file and for missing columns; DataError naming the line whose label is none, or whose id
    has another label before.
    """
    if not path.is_file():
        raise UsageError(f"{path}: there is no such file; give the labels as CSV or JSON lines")
    labels: dict[str, HumanLabel] = {}
    first_line: dict[str, int] = {}
    unsigned = 0
    for number, row in _csv_rows(path) if path.suffix.lower() == ".csv" else _json_rows(path):
        where = f"{path}, line {number}"
        annotator = _text(row.get("annotator", UNNAMED))
        if not annotator:
            unsigned += 1
            continue
        article_id = _text(row.get("id"))
        if not article_id:
            raise DataError(f"{where}: no id; give the article's")
        label = HumanLabel(_label_of(row, where), annotator)
        before = labels.setdefault(article_id, label)
        if before.label != label.label:
            raise DataError(
                f"{where}: {article_id} is {label.label} here and {before.label} in line {first_line[article_id]}: "
                "keep one"
            )
        first_line.setdefault(article_id, number)
    return Reviewed(labels, unsigned)


def _review_line(row: ReviewRow) -> str:
    line: dict[str, Any] = {
        "id": row.id,
        "label": row.label or "",
        "annotator": "",
        "why": row.why,
        "labels": dict(row.labels),
        "flags": row.flags,
        "title": row.title,
        "url": row.url,
        "evidence": [{"label": each.label, "quote": " ".join(each.quote.split())} for each in row.evidence],
    }
    return json.dumps(line, ensure_ascii=False) + "\n"


def _csv_rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    reader = csv.DictReader(io.StringIO(_read(path)), restkey="more", restval="", skipinitialspace=True)
    try:
        reader.fieldnames = [name.strip().lower() for name in reader.fieldnames or ()]
        missing = [name for name in ("id", "label") if name not in reader.fieldnames]
        if missing:
            raise UsageError(f"{path}: no column {' or '.join(missing)}; its first line is to be id,label,annotator")
        for row in reader:
            if "more" in row:
                raise DataError(f"{path}, line {reader.line_num}: more fields than columns; quote what holds a comma")
            yield reader.line_num, row
    except csv.Error as error:
        raise DataError(f"{path}, line {reader.line_num + 1}: {error}") from None


def _json_rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(_read(path).split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            raise DataError(f"{path}, line {number}: not JSON; mend the line and read it again") from None
        if not isinstance(row, dict) or not ("label" in row or "os_label" in row):
            raise DataError(f"{path}, line {number}: a line is an object with id and label")
        yield number, row


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 (byte {error.start}): save it as UTF-8") from None


def _label_of(row: Mapping[str, Any], where: str) -> OsLabel:
    given = _text(row["label"] if "label" in row else row["os_label"])
    label = _LABEL_OF.get(given.casefold())
    if label is None:
        raise DataError(f"{where}: {given[:40]!r} is no label: use {', '.join(OS_LABELS)}")
    return label


def _text(value: Any) -> str:
    """Read a cell as a person meant it: ids may be numbers, and what is missing is empty."""
    return "" if value is None else str(value).strip()
