"""Reads a window's raw answer: judged as it is, then as much of it saved as can be."""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from ctiforge.extract.prompts.thoughts import answer_span
from ctiforge.records.observable import PLATFORMS, Observable

MOST_ITEMS = 64
"""Items of one answer at most, where an answer's form is enforced."""
_LIST_START = re.compile(r'"observables"\s*:\s*\[')


@dataclass(frozen=True)
class ParsedAnswer:
    """What one answer holds; `json_parsed` and `schema_valid` are about the raw text, before any repair."""

    observables: tuple[Observable, ...]
    json_parsed: bool
    schema_valid: bool
    duplicates: int


def answer_schema(types: Sequence[str], *, least: int = 0) -> dict[str, Any]:
    """Write the JSON Schema (2020-12) of an answer that was asked for `types`: what `schema_valid` means.

    The number of items is bounded, so that a model that repeats itself comes to an end; `least` of them there must be.
    """
    item = {
        "type": "object",
        "properties": {
            "type": {"enum": list(types)},
            "value": {"type": "string", "pattern": r"^\S"},
            "platform": {"enum": list(PLATFORMS)},
        },
        "required": ["type", "value"],
        "additionalProperties": False,
    }
    observables: dict[str, Any] = {"type": "array", "items": item, "maxItems": MOST_ITEMS}
    if least:
        observables["minItems"] = least
    return {
        "type": "object",
        "properties": {"observables": observables},
        "required": ["observables"],
        "additionalProperties": False,
    }


def parse_answer(raw: str, types: Sequence[str]) -> ParsedAnswer:
    """Parse an answer that was asked for `types`; items of other types are not the model's to give and are left out.

    What a model thought before it is not part of it. An answer that is no JSON still yields the items that are
    complete, as after a stop by length.
    """
    start, end = answer_span(raw)
    raw = raw[start:end]
    try:
        whole = json.loads(raw)
    except (ValueError, RecursionError):
        return _parsed(_complete_items(raw), types, json_parsed=False, schema_valid=False)
    items = whole.get("observables") if isinstance(whole, dict) else None
    if not isinstance(items, list):
        return _parsed([], types, json_parsed=True, schema_valid=False)
    valid = set(whole) == {"observables"} and all(_follows_schema(item, types) for item in items)
    return _parsed(items, types, json_parsed=True, schema_valid=valid)


def item_spans(raw: str) -> list[tuple[int, int]]:
    """Find where the whole items of an answer's list stand in its text, first and one past the last character."""
    after, until = answer_span(raw)
    return [(after + start, after + end) for _, start, end in _leading_items(raw[after:until])]


def _parsed(items: Sequence[Any], types: Sequence[str], *, json_parsed: bool, schema_valid: bool) -> ParsedAnswer:
    observables = [item for item in map(_observable, items) if item is not None and item.type in types]
    distinct = tuple(dict.fromkeys(observables))
    return ParsedAnswer(distinct, json_parsed, schema_valid, len(observables) - len(distinct))


def _observable(item: Any) -> Observable | None:
    try:
        found = Observable.model_validate(item, extra="ignore")
    except ValidationError:
        return None
    return found if found.value.strip() else None


def _follows_schema(item: Any, types: Sequence[str]) -> bool:
    return (
        isinstance(item, dict)
        and set(item) <= {"type", "value", "platform"}
        and _observable(item) is not None
        and item["type"] in types
    )


def _complete_items(raw: str) -> list[Any]:
    return [item for item, _, _ in _leading_items(raw)]


def _leading_items(raw: str) -> Iterator[tuple[Any, int, int]]:
    """Parse the leading objects of the list that are whole, each with where it begins and ends."""
    found = _LIST_START.search(raw)
    if not found:
        return
    decoder = json.JSONDecoder()
    position = found.end()
    while position < len(raw):
        if raw[position] in ", \n\t":
            position += 1
            continue
        try:
            item, end = decoder.raw_decode(raw, position)
        except (ValueError, RecursionError):
            return
        yield item, position, end
        position = end
