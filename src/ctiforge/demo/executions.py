"""A record's observables written as an `extraction_result` of each of the application's five generations."""

import json
from collections.abc import Callable
from typing import Any

from ctiforge.records.article import ArticleRecord
from ctiforge.records.observable import ARROW, Observable

GENERATIONS = ("G1", "G2", "G3", "G4", "G5")

# the names of G4 and G5 sub-results
_SUB_RESULTS = {
    "cmdline": "cmdline",
    "registry": "registry_artifacts",
    "services": "windows_services",
    "scheduled_tasks": "scheduled_tasks",
    "process_lineage": "process_lineage",
    "hunt_queries": "hunt_queries",
    "network_indicators": "network_indicators",
}
_G3_SUB_RESULTS = _SUB_RESULTS | {"registry": "registry_keys", "hunt_queries": "sigma_queries"}


def extraction_result(record: ArticleRecord, generation: str, failed_type: str | None) -> dict[str, Any]:
    """Write what the application of `generation` would have stored for `record`.

    The sub-result of `failed_type` (from G3 on) holds an error in the place of its items.
    """
    if generation == "G1":
        return _g1(record)
    if generation == "G2":
        return _g2(record)
    writers: dict[str, Callable[[Observable], Any]] = {"G3": _g3_item, "G4": _g4_item, "G5": _g5_item}
    return _with_sub_results(record, generation, writers[generation], failed_type)


def parse_failure(record: ArticleRecord) -> dict[str, Any]:
    """Write a G2 result of a model that answered in prose: it looks like "nothing found"."""
    result = _g2(record.model_copy(update={"observables": ()}))
    return result | {"raw_response": "Sure! Here are the observables I found in the article: 1. a command"}


def _g1(record: ArticleRecord) -> dict[str, Any]:
    items = [{"type": o.type, "value": o.value, "context": "seen in the report"} for o in record.observables]
    return {
        "behavioral_observables": items,
        "observable_list": [o.value for o in record.observables],
        "discrete_huntables_count": len(items),
        "url": record.url,
        "content": record.content[:200],
        "raw_response": json.dumps({"behavioral_observables": items}),
    }


def _g2(record: ArticleRecord) -> dict[str, Any]:
    items = [
        {"type": o.type, "value": o.value, "platform": o.platform, "source_context": "seen in the report"}
        for o in record.observables
    ]
    platforms = sorted({o.platform for o in record.observables if o.platform})
    return {
        "observables": items,
        "summary": {"count": len(items), "source_url": record.url, "platforms_detected": platforms},
        "discrete_huntables_count": len(items),
        "raw_response": json.dumps({"observables": items}),
    }


def _with_sub_results(
    record: ArticleRecord, generation: str, write: Callable[[Observable], Any], failed_type: str | None
) -> dict[str, Any]:
    names = _G3_SUB_RESULTS if generation == "G3" else _SUB_RESULTS
    sub_results: dict[str, Any] = {}
    for type_ in record.labelled_types:
        items = [write(o) for o in record.observables if o.type == type_]
        sub_results[names.get(type_, type_)] = {"items": items, "count": len(items), "raw": {}}
    if failed_type:
        error = {"items": [], "count": 0, "error": "context length exceeded", "context_length_exceeded": True}
        sub_results[names.get(failed_type, failed_type)] = error
    observables = [
        {
            "type": names.get(o.type, o.type),
            "value": write(o),
            "original_data": write(o),
            "source": "supervisor_aggregation",
        }
        | _top_level(generation, o)
        for o in record.observables
    ]
    platforms = {o.platform for o in record.observables if o.platform}
    detected = sorted(p.lower() if generation == "G5" else p for p in platforms)
    return {
        "observables": observables,
        "summary": {"count": len(observables), "source_url": record.url, "platforms_detected": detected},
        "discrete_huntables_count": len(observables),
        "subresults": sub_results,
    }


def _top_level(generation: str, o: Observable) -> dict[str, Any]:
    if generation == "G3":
        return {}
    extra = {"source_evidence": o.value, "extraction_justification": "stands in the text", "confidence_score": 0.9}
    if generation == "G5":
        extra |= {"platform": (o.platform or "unknown").lower(), "platform_confidence": "high"}
        extra |= {"telemetry_category": "process_creation"}
    return extra


def _g3_item(o: Observable) -> Any:
    return o.value


def _g4_item(o: Observable) -> Any:
    """Take the value apart as the type's own agent stores it."""
    if o.type == "registry":
        hive, _, path = o.value.partition("\\")
        return {"registry_hive": hive, "registry_key_path": path, "operation": "set"}
    if o.type == "services":
        key = "image_path" if ":\\" in o.value else "service_name"
        return {key: o.value, "startup_mode": "auto"}
    if o.type == "scheduled_tasks":
        return {"task_name": o.value, "trigger": "unknown"}
    if o.type == "process_lineage" and ARROW in o.value:
        parent, _, child = o.value.partition(ARROW)
        return {"parent_image": parent, "child_image": child}
    if o.type == "hunt_queries":
        return {"query": o.value, "type": "unknown"}
    return {"value": o.value, "confidence_score": 0.9}


def _g5_item(o: Observable) -> Any:
    item = dict(_g4_item(o))
    aliases = {"image_path": "binary_path", "startup_mode": "start_type", "operation": "operation_type"}
    aliases |= {"parent_image": "parent", "child_image": "child"}
    return {aliases.get(key, key): value for key, value in item.items()}
