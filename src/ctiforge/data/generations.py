"""Reads one stored `extraction_result`, of any of the application's five generations, into typed observables.

G1 `behavioral_observables`; G2 `observables` and a `raw_response`; G3 adds `subresults` and an aggregated
list; G4 has objects as items; G5 adds a platform to each. What became of each type is told beside what was found.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ctiforge.data.item_values import canonical_platform, canonical_type, canonical_values, item_lists, item_model
from ctiforge.data.states import ExtractorState, TypeState, failure_of, sub_result_state
from ctiforge.records.observable import Observable

READER = 2
"""Rises when the same result is read as something else, so that nothing read before is taken for it."""
_ITEM_KEYS = ("observables", "behavioral_observables", "observable_list")
# what the one prompt of these generations asked for; it excluded or never named the other types
_ASKED = {"G1": ("cmdline", "registry", "services"), "G2": ("cmdline",)}
_QUERIES = "detection_queries"
_G5_KEYS = ("platform", "platform_confidence", "telemetry_category")
_G4_KEYS = ("source_evidence", "extraction_justification", "confidence_score")


@dataclass(frozen=True)
class ReadResult:
    """What one execution found."""

    generation: str | None
    """`G1` to `G5`; None where the result could not be read at all."""
    observables: tuple[Observable, ...] = ()
    """What it found of the types that are labeled, each value once."""
    states: dict[str, TypeState] = field(default_factory=dict)
    """Type → what became of it; a type that is not named was never asked for."""
    set_aside: Counter[str] = field(default_factory=Counter)
    """Reason → how many items (or whole results) could not be read."""

    @property
    def labelled_types(self) -> tuple[str, ...]:
        """The types that this execution says something about."""
        return tuple(type_ for type_, each in self.states.items() if each.state.labels)

    @property
    def unlabelled_types(self) -> dict[str, str]:
        """Type → why it is unlabeled."""
        return {type_: each.reason for type_, each in self.states.items() if not each.state.labels}


def read_result(result: Any) -> ReadResult:
    """Read what one execution found, in any of the five generations; never raises.

    Args:
        result: The `extraction_result`: any JSON value.

    Returns:
        What was found, and what became of each type; what cannot be read is counted in `set_aside`.
    """
    if not isinstance(result, dict):
        return ReadResult(None, set_aside=Counter({f"extraction_result is {_json_kind(result)}": 1}))
    if isinstance(result.get("subresults"), dict):
        return _read_sub_results(result, result["subresults"])
    present = [key for key in _ITEM_KEYS if key in result]
    # the first that holds something; else the first that is there
    for key in (*(key for key in present if result[key]), *present):
        return _read_single_prompt(result, result[key], "G2" if key == "observables" else "G1")
    why = "extraction_result is empty" if not result else "extraction_result has no observables"
    return ReadResult(None, set_aside=Counter({why: 1}))


def parse_result(text: str | None) -> ReadResult:
    """Read the JSON text of a result; None, invalid or too deeply nested JSON is counted, not raised."""
    if text is None:
        return ReadResult(None, set_aside=Counter({"extraction_result is null": 1}))
    try:
        return read_result(json.loads(text))
    except ValueError:
        reason = "extraction_result is not JSON"
    except RecursionError:
        reason = "extraction_result is nested too deeply"
    return ReadResult(None, set_aside=Counter({reason: 1}))


def _read_single_prompt(result: Mapping[str, Any], items: Any, generation: str) -> ReadResult:
    """Read G1 and G2: one prompt asked for some types, so it failed or succeeded for all of those."""
    set_aside: Counter[str] = Counter()
    typed = list(_typed_items(items, set_aside))
    asked = _ASKED[generation]
    if generation == "G1" and isinstance(result.get(_QUERIES), list):
        typed.extend(("hunt_queries", query) for query in result[_QUERIES])
        asked = (*asked, "hunt_queries")
    found = _observables(typed, set_aside)
    failure = failure_of(result)
    if not failure and not found and _is_prose(result.get("raw_response")):
        failure = "parse failure"
    if not failure and not isinstance(items, (list, dict)):
        failure = "observables are no list"
    if not failure and not found and set_aside:
        failure = "no readable item"
    if failure:
        return ReadResult(generation, (), dict.fromkeys(asked, TypeState(ExtractorState.FAILED, failure)), set_aside)
    found_types = {o.type for o in found}
    types = dict.fromkeys((*asked, *(o.type for o in found)))
    nothing, some = TypeState(ExtractorState.NOTHING), TypeState(ExtractorState.FOUND)
    states = {type_: some if type_ in found_types else nothing for type_ in types}
    return ReadResult(generation, found, states, set_aside)


def _read_sub_results(result: Mapping[str, Any], sub_results: Mapping[str, Any]) -> ReadResult:
    """Read G3 to G5: each type has its own sub-result; the aggregated list adds platforms and what only it holds."""
    set_aside: Counter[str] = Counter()
    items = list(_typed_items(result.get("observables") or [], set_aside))
    entries = {name: _entries(canonical_type(name), sub_result) for name, sub_result in sub_results.items()}
    for name, own in entries.items():
        items.extend((name, item) for item in own)
    found = _observables(items, set_aside)
    counts = Counter(o.type for o in found)
    states: dict[str, TypeState] = {}
    for name, sub_result in sub_results.items():
        type_ = canonical_type(name)
        if not type_:
            set_aside["sub-result without a type"] += 1
            continue
        state = sub_result_state(sub_result, counts[type_], len(entries[name]))
        # an older name beside today's: the one that says something counts
        if type_ not in states or not states[type_].state.labels:
            states[type_] = replace(state, model=_model(entries[name]))
    for type_ in counts:
        states.setdefault(type_, TypeState(ExtractorState.FOUND))
    kept = tuple(o for o in found if states[o.type].state.labels)
    return ReadResult(_sub_result_generation(result, items), kept, states, set_aside)


def _entries(type_: str, sub_result: Any) -> list[Any]:
    """List the items of a sub-result, under whichever of its names they are kept."""
    if not isinstance(sub_result, dict):
        return []
    lists = [sub_result[key] for key in item_lists(type_) if isinstance(sub_result.get(key), list)]
    return next((each for each in lists if each), [])


def _model(items: Iterable[Any]) -> str | None:
    return next((name for name in map(item_model, items) if name), None)


def _is_prose(raw_response: Any) -> bool:
    """Tell whether the model's raw answer is there and is no JSON: an empty list is then a parse failure."""
    if not isinstance(raw_response, str) or not raw_response.strip():
        return False
    text = raw_response.strip().removeprefix("```json").removeprefix("```").removesuffix("```").strip()
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return True
    return False


def _typed_items(items: Any, set_aside: Counter[str]) -> Iterator[tuple[Any, Any]]:
    """Yield (type, item) of a list of items, or of a dict from type to items."""
    if isinstance(items, dict):
        for type_, entries in items.items():
            if not isinstance(entries, list):
                set_aside[f"observables of one type are {_json_kind(entries)}"] += 1
                continue
            for entry in entries:
                yield type_, entry
        return
    if not isinstance(items, list):
        if items is not None:
            set_aside[f"observables are {_json_kind(items)}"] += 1
        return
    for item in items:
        if not isinstance(item, dict):
            set_aside[f"item is {_json_kind(item)}"] += 1
            continue
        yield item.get("type"), item


def _observables(items: Iterable[tuple[Any, Any]], set_aside: Counter[str]) -> tuple[Observable, ...]:
    """Collect each (type, value) once, in order, with the first platform that any of its items names."""
    platforms: dict[tuple[str, str], str | None] = {}
    for type_name, item in items:
        if not isinstance(type_name, str) or not type_name.strip():
            set_aside["item without a type"] += 1
            continue
        type_ = canonical_type(type_name)
        values = canonical_values(type_, item) if type_ else ()
        if not values:
            set_aside["item without a readable value" if type_ else "item without a type"] += 1
        for value in values:
            if platforms.get((type_, value)) is None:
                platforms[type_, value] = canonical_platform(item)
    return tuple(Observable.model_construct(type=t, value=v, platform=p) for (t, v), p in platforms.items())


def _sub_result_generation(result: Mapping[str, Any], items: list[tuple[Any, Any]]) -> str:
    keys = set(result)
    objects = False
    for _, item in items[:50]:
        if isinstance(item, dict):
            keys.update(k for k in item if isinstance(k, str))
            inner = item.get("value")
            objects = objects or isinstance(inner, dict) or "value" not in item
    if any(key in keys for key in _G5_KEYS):
        return "G5"
    summary = result.get("summary")
    platforms = summary.get("platforms_detected") if isinstance(summary, dict) else None
    if isinstance(platforms, list) and platforms and all(isinstance(p, str) and p == p.lower() for p in platforms):
        return "G5"
    return "G4" if objects or any(key in keys for key in _G4_KEYS) else "G3"


def _json_kind(value: Any) -> str:
    kinds = {type(None): "null", bool: "a boolean", str: "a string", list: "a list", dict: "an object"}
    return kinds.get(type(value), "a number")
