"""`review.jsonl`: articles that a person judges, one a line, of either line's models; and labels that people gave.

A person corrects what is proposed and signs with `annotator`. Lines of before are upgraded as they are read: `label`
was the name of `os_label`, `truth` (type to values) that of `observables`.
"""

import csv
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ctiforge.errors import DataError, UsageError
from ctiforge.records.article import OS_LABELS, LabeledBy, OsLabel
from ctiforge.records.base import Record, explain
from ctiforge.records.observable import PLATFORMS, Observable

REVIEW_NAME = "review.jsonl"
"""What a review file is called where nobody names it."""
_LABEL_OF: dict[str, OsLabel] = {label.casefold(): label for label in OS_LABELS}
_PLATFORM_OF = {platform.casefold(): platform for platform in PLATFORMS}
_COLUMNS = ("id", "os_label", "label", "annotator")
_DELIMITERS = (",", ";", "\t")
_FOR_THE_EYE = ("title", "why", "labels", "flags", "evidence", "tags")


class Quote(Record):
    """A passage that speaks for a label."""

    label: OsLabel
    """The operating system it speaks for."""
    quote: str
    """The passage, white space folded."""


class ReviewItem(Observable):
    """An observable, and the place of the article where it stands."""

    evidence: str = ""
    """The text around it, white space folded."""


class ReviewLine(Record):
    """One article and what is proposed of it, or what a person said; a key that is left out says nothing."""

    id: str
    """The article's id."""
    title: str = ""
    """Its title, for the eye."""
    url: str | None = None
    """Where it was published."""
    why: str = ""
    """Why it is doubtful: `conflict`, `flagged`, `no label`; or why it is worth labeling, in words."""
    os_label: str | None = None
    """One of `OS_LABELS` in any spelling of its letters, as a person wrote it; see `judged_label`."""
    annotator: str | None
    """Who judged; empty: nobody yet, None: the file names nobody."""
    labels: dict[str, OsLabel] = {}
    """Labeler to its label."""
    flags: tuple[str, ...] = ()
    """What is odd about the article."""
    evidence: tuple[Quote, ...] = ()
    """Passages that speak for labels."""
    labelled_types: tuple[str, ...] = ()
    """Types of observables that were judged: one without an item is a true negative."""
    observables: tuple[ReviewItem, ...] = ()
    """The items of those types."""
    tags: dict[str, str] = {}
    """What the article was drawn for, such as its length."""
    labelled_by: LabeledBy = "human"
    """Whose labels they are."""
    generation: str | None = None
    """Of a record that is judged as it stands: the form of its stored result."""
    hunt_score: float | None = None
    """Of such a record: its threat hunting score, 0 to 100."""
    group: str = ""
    """Of such a record: what it shares with its near duplicates."""
    content: str | None = None
    """The article's text; None where the line labels an article that is elsewhere."""


def check_new_review(path: Path) -> None:
    """Refuse to overwrite a review file, which may hold somebody's corrections.

    Args:
        path: The file that is to be written.

    Raises:
        UsageError: It exists.
    """
    if path.exists():
        raise UsageError(f"{path} exists: name another file, so that no corrections are lost")


def write_review(path: Path, lines: Iterable[ReviewLine]) -> int:
    """Write a review file; every line holds what was given for it, and nothing else.

    Args:
        path: The file, in a folder that need not be there.
        lines: The articles.

    Returns:
        How many they are.

    Raises:
        UsageError: The file exists.
    """
    texts = [json.dumps(line.model_dump(mode="json", exclude_unset=True), ensure_ascii=False) + "\n" for line in lines]
    check_new_review(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("x", encoding="utf-8") as file:
        try:
            file.writelines(texts)
            file.flush()
        except BaseException:
            # half a file would be taken for somebody's corrections
            path.unlink()
            raise
    return len(texts)


def read_review(path: Path) -> Iterator[tuple[int, ReviewLine]]:
    """Read a review file, or labels as CSV (`id,os_label[,annotator]`), upgraded where they are older.

    Args:
        path: JSON lines, or a CSV by its suffix, in UTF-8; commas, semicolons or tabs part its columns, as in its first
            line, and every row is one line.

    Yields:
        The number of a line, and what it says. Nobody has looked yet whether its label is one: see `judged_label`.

    Raises:
        UsageError: There is no such file, or a column is missing or there twice.
        DataError: The file is not UTF-8, or a line is none; it is named.
    """
    if not path.is_file():
        raise UsageError(f"{path}: there is no such file; give a review file, or labels as CSV or JSON lines")
    for number, row in _csv_rows(path) if path.suffix.lower() in (".csv", ".tsv") else _json_rows(path):
        where = f"{path}, line {number}"
        fields = _upgraded(row, where)
        if not fields["id"]:
            raise DataError(f"{where}: no id; give the article's")
        try:
            # read as JSON, its errors are in the words of JSON
            yield number, ReviewLine.model_validate_json(json.dumps(fields), extra="ignore")
        except ValidationError as error:
            raise DataError(f"{where}: {explain(error, 'the line')}") from None
        except RecursionError:
            raise DataError(f"{where}: nested too deeply; mend the line and read it again") from None


def judged_label(line: ReviewLine, where: str) -> OsLabel | None:
    """Read the operating system that a line says.

    Args:
        line: The line.
        where: What names it in errors.

    Returns:
        The label; None where the line says none.

    Raises:
        DataError: It says something that is no label.
    """
    given = (line.os_label or "").strip()
    label = _LABEL_OF.get(given.casefold())
    if given and label is None:
        raise DataError(f"{where}: {_no_label(given)}")
    return label


def _upgraded(row: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Give a line of any age as one of today: `label` and `truth` by their names, ids as text, nothing where null."""
    for name in ("id", "annotator"):
        if isinstance(row.get(name), bool | list | dict):
            raise DataError(f"{where}: {name} is one text, and no list, object, true or false")
    fields = {name: value for name, value in row.items() if value is not None or name not in _FOR_THE_EYE}
    fields |= {"id": _text(row.get("id")), "annotator": _text(row["annotator"]) if "annotator" in row else None}
    label = row.get("os_label")
    if "label" in row and (label is None or label == ""):
        label = row["label"]
    fields["os_label"] = label
    if not isinstance(fields["os_label"], str | None):
        raise DataError(f"{where}: {_no_label(fields['os_label'])}")
    if "truth" in row:
        fields["observables"] = _observables_of(row["truth"], where)
    if isinstance(fields.get("observables"), list):
        fields["observables"] = [_item(each, where) for each in fields["observables"]]
    if not _text(row.get("labeler", "human")).startswith("human"):
        # a part to train on, whose labels are a program's
        fields["labelled_by"] = "model"
    return fields


def _observables_of(truth: Any, where: str) -> list[dict[str, str]]:
    if not isinstance(truth, dict) or not all(isinstance(values, list) for values in truth.values()):
        raise DataError(f"{where}: truth is an object from type to a list of values")
    pairs = [(type_, value) for type_, values in truth.items() for value in values]
    if not all(isinstance(value, str) for _, value in pairs):
        raise DataError(f"{where}: a value in truth is a text")
    return [{"type": type_, "value": value} for type_, value in pairs]


def _item(item: Any, where: str) -> Any:
    """Give an item its platform as `PLATFORMS` has it: one in other letters would never be found right."""
    if not isinstance(item, dict) or not isinstance(item.get("platform"), str):
        return item
    given = item["platform"].strip()
    if given and given.casefold() not in _PLATFORM_OF:
        raise DataError(
            f"{where}: platform is one of {', '.join(PLATFORMS)}, or null where nobody said; {given[:40]!r} is none"
        )
    return item | {"platform": _PLATFORM_OF.get(given.casefold())}


def _csv_rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Read every row from a line of its own: a quote that nobody closed takes no further rows with it."""
    lines = _read(path).split("\n")
    delimiter, names = _header(path, lines[0])
    for number, line in enumerate(lines[1:], start=2):
        fields = _fields(line, delimiter, f"{path}, line {number}")
        if len(fields) > len(names):
            raise DataError(f"{path}, line {number}: more fields than columns; quote what holds a {delimiter!r}")
        if any(field.strip() for field in fields):
            row = dict(zip_longest(names, fields, fillvalue=""))
            yield number, {name: row[name] for name in _COLUMNS if name in row}


def _header(path: Path, line: str) -> tuple[str, list[str]]:
    """Find what parts the columns, and their names."""
    delimiter = next((each for each in _DELIMITERS if _is_header(line.split(each))), ",")
    names = [name.strip().lower() for name in _fields(line, delimiter, f"{path}, line 1")]
    there = {"id": "id" in names, "os_label": "os_label" in names or "label" in names}
    if not all(there.values()):
        missing = " or ".join(name for name, is_there in there.items() if not is_there)
        raise UsageError(f"{path}: no column {missing}; its first line is to be id,os_label,annotator")
    twice = next((name for name in _COLUMNS if names.count(name) > 1), None)
    if twice:
        raise UsageError(f"{path}: there are two columns {twice}; take out or rename the one that does not count")
    return delimiter, names


def _is_header(parts: Sequence[str]) -> bool:
    return not {"id", "os_label", "label"}.isdisjoint(part.strip(' "').lower() for part in parts)


def _fields(line: str, delimiter: str, where: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=delimiter, skipinitialspace=True, strict=True), [])
    except csv.Error as error:
        # strict: the only way in which a line ends too soon
        unclosed = "a quote opens here and is not closed on this line; close it, and put no line breaks into a field"
        raise DataError(f"{where}: {unclosed if 'unexpected end' in str(error) else error}") from None


def _json_rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(_read(path).split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            if "\\ud" in line.lower():
                # a lone surrogate is no text that can be written: it becomes what a harvest makes of it
                row = json.loads(json.dumps(row, ensure_ascii=False).encode("utf-8", "replace"))
        except (ValueError, RecursionError):
            raise DataError(f"{path}, line {number}: not JSON; mend the line and read it again") from None
        if not isinstance(row, dict):
            raise DataError(f"{path}, line {number}: a line is an object with id, annotator and what was judged")
        yield number, row


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 (byte {error.start}): save it as UTF-8") from None


def _no_label(given: object) -> str:
    return f"os_label is one of {', '.join(OS_LABELS)}, or null where nobody judged; {str(given)[:40]!r} is none"


def _text(value: Any) -> str:
    """As a person meant it: ids may be numbers, and what is missing is empty."""
    return "" if value is None else str(value).strip()
