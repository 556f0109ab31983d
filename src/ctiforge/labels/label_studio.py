"""Reads exports of Label Studio: spans and choices that people set in a text.

A task of the JSON export is `{"data": {"text": …}, "annotations": [{"completed_by", "result": […]}]}`; of a result,
`{"type": "labels", "value": {"start", "end", "text", "labels": […]}}` marks a span, `{"type": "choices", …}` says
something of the whole text, and `{"type": "relation", "from_id", "to_id"}` ties two spans. JSON-MIN has the values of a
result under the name of their control, beside the data. Offsets count UTF-16 units in some versions: where a span
quotes its text, the quote decides. (labelstud.io/guide/export)
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from ctiforge.data.item_values import canonical_type, clean_text
from ctiforge.data.labels import UNNAMED
from ctiforge.data.os_verdicts import label_of
from ctiforge.labels.reading import LINEAGE, GatheredLabel, Quotes, ReadLabels, observables_of
from ctiforge.records.article import OS_LABELS, OsLabel
from ctiforge.records.observable import ARROW, TYPES, Observable

SOURCE = "Label Studio"
_TEXTS = ("text", "content", "article", "body")
_OS_LABELS: dict[str, OsLabel] = {label.casefold(): label for label in OS_LABELS}
_NO_CONTROLS = (*_TEXTS, "title", "url", "id")
_PROCESSES = (LINEAGE, "cmdline")
"""Types whose spans may be an end of a lineage, beside those that are no type of ours."""


def is_label_studio(value: Any) -> bool:
    """Tell whether a JSON document is an export: a list of tasks, whole or in short.

    Args:
        value: Any JSON value.

    Returns:
        True for a list of which an object holds annotations, or an annotator beside labels.
    """
    return isinstance(value, list) and any(isinstance(each, dict) and _is_task(each) for each in value)


def read_label_studio(tasks: Iterable[Any], looked_at: Collection[str], annotator: str | None) -> ReadLabels:
    """Read the tasks of an export.

    Args:
        tasks: The tasks of the export.
        looked_at: Types that its people looked for in all of every text; the export does not say.
        annotator: Who labeled what names nobody; None: `UNNAMED`.

    Returns:
        One label for each person and text.
    """
    read = ReadLabels()
    for number, task in enumerate(tasks, start=1):
        if not isinstance(task, dict):
            read.left_out["entries that are no task"] += 1
            continue
        data = task["data"] if isinstance(task.get("data"), dict) else task
        content, as_it_came = _content(data)
        if not content:
            read.left_out["tasks without a text"] += 1
            continue
        id_ = clean_text(data.get("id")) or clean_text(task.get("id")) or str(number)
        quotes = Quotes(content, as_it_came)
        for results, who in _annotations(task, read.left_out):
            gathered = GatheredLabel(
                id_,
                who or annotator or UNNAMED,
                content,
                clean_text(data.get("url")),
                clean_text(data.get("title")) or "",
            )
            gathered.looked_at = list(looked_at)
            _gather(results, gathered, quotes, read.left_out)
            label = gathered.label(SOURCE)
            if label:
                read.labels.append(label)
            else:
                read.left_out["annotations without a label of ours"] += 1
    return read


def _is_task(value: Mapping[str, Any]) -> bool:
    return "annotations" in value or "completions" in value or {"annotation_id", "annotator"} <= value.keys()


def _content(data: Mapping[str, Any]) -> tuple[str, str]:
    """Read the text, and the text as it came, in which places are counted."""
    texts = [(clean_text(data.get(name)), str(data.get(name))) for name in _TEXTS]
    return next(((text, as_it_came) for text, as_it_came in texts if text), ("", ""))


def _annotations(task: Mapping[str, Any], left_out: Counter[str]) -> Iterator[tuple[list[Any], str | None]]:
    """Yield the results of each annotation, and who made it."""
    whole = task.get("annotations", task.get("completions"))
    if whole is None:
        # in short: every control is a key of its own
        yield list(_results_in_short(task)), _person(task.get("annotator"))
        return
    if not whole:
        left_out["tasks that nobody annotated"] += 1
    for each in whole if isinstance(whole, list) else ():
        results = each.get("result") if isinstance(each, dict) else None
        if not isinstance(results, list):
            left_out["annotations without a result"] += 1
        elif each.get("was_cancelled"):
            left_out["annotations that were skipped"] += 1
        else:
            yield results, _person(each.get("completed_by"))


def _results_in_short(task: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for name, value in task.items():
        if name in _NO_CONTROLS:
            continue
        if isinstance(value, list):
            yield from ({"type": "labels", "value": each} for each in value if isinstance(each, dict))
        elif isinstance(value, dict) and isinstance(value.get("choices"), list):
            yield {"type": "choices", "value": value}
        elif isinstance(value, str) and value.strip().casefold() in _OS_LABELS:
            yield {"type": "choices", "value": {"choices": [value]}}


def _person(who: Any) -> str | None:
    if isinstance(who, dict):
        who = who.get("email") or who.get("username") or who.get("id")
    name = clean_text(who)
    return f"{SOURCE} user {name}" if name and name.isdigit() else name


def _gather(results: Iterable[Any], gathered: GatheredLabel, quotes: Quotes, left_out: Counter[str]) -> None:
    spans: dict[str, str] = {}
    chosen: list[OsLabel] = []
    for result in results:
        value = result.get("value") if isinstance(result, dict) else None
        if isinstance(value, dict) and isinstance(value.get("choices"), list):
            chosen += _systems(value["choices"], left_out)
        elif isinstance(value, dict):
            _mark(result, value, spans, gathered, quotes, left_out)
    # several systems are what `multiple` says
    gathered.os_label = "multiple" if "multiple" in chosen else label_of(chosen) or next(iter(chosen), None)
    for result in results:
        if isinstance(result, dict) and result.get("type") == "relation":
            _tie(result, spans, gathered, left_out)


def _systems(choices: Iterable[Any], left_out: Counter[str]) -> Iterator[OsLabel]:
    for choice in choices:
        label = _OS_LABELS.get((clean_text(choice) or "").casefold())
        if label is None:
            left_out["choices that are no operating system"] += 1
        else:
            yield label


def _mark(
    result: Mapping[str, Any],
    value: Mapping[str, Any],
    spans: dict[str, str],
    gathered: GatheredLabel,
    quotes: Quotes,
    left_out: Counter[str],
) -> None:
    """Take a span; one that is not of a type of ours may still be an end of a lineage."""
    names = value.get("labels") or value.get("hypertextlabels")
    types = [canonical_type(name) for name in names if isinstance(name, str)] if isinstance(names, list) else []
    ours = [each for each in dict.fromkeys(types) if each in TYPES]
    type_ = next(iter(ours), None)
    passage = quotes.find(type_ or "", clean_text(value.get("text")), _offset(value, "start"), _offset(value, "end"))
    if passage is None:
        left_out[f"{type_ or 'other'}: spans that stand nowhere in the text"] += 1
        return
    id_ = clean_text(result.get("id"))
    if id_ and (not ours or any(each in _PROCESSES for each in ours)):
        spans[id_] = passage
    if not ours:
        shown = ", ".join(types)[:40] or "no label"
        left_out[f"spans of no type of ours ({shown})"] += 1
    for each in ours:
        found = observables_of(each, passage)
        gathered.observables += found
        if not found and not id_:
            left_out["process_lineage: single processes, which are no pair"] += 1


def _tie(
    relation: Mapping[str, Any], spans: Mapping[str, str], gathered: GatheredLabel, left_out: Counter[str]
) -> None:
    ends = [spans.get(clean_text(relation.get(name)) or "") for name in ("from_id", "to_id")]
    if relation.get("direction") == "left":
        ends.reverse()
    parent, child = ends
    if parent and child:
        gathered.observables.append(Observable(type=LINEAGE, value=f"{parent}{ARROW}{child}"))
    else:
        left_out["relations of which an end is missing, or no process"] += 1


def _offset(value: Mapping[str, Any], name: str) -> int | None:
    """Read a place in the text; offsets of hypertext are paths with another count beside them."""
    found = value.get(name)
    return found if isinstance(found, int) and not isinstance(found, bool) else None
