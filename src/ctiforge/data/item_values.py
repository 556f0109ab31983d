"""Turns a stored item (a string, or an object under many key names) into canonical type, values and platform."""

import ast
import math
import re
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

from ctiforge.observables.values import lineage_names
from ctiforge.records.observable import ARROW, PLATFORMS

_TYPE_ALIASES = {
    "cmdline": ("command", "commands", "command_line", "command_lines", "cmdlines", "cmdline_items", "process_cmdline"),
    "registry": (
        "registry_artifact",
        "registry_artifacts",
        "registry_key",
        "registry_keys",
        "registry_items",
        "registry_pattern",
        "registry_patterns",
    ),
    "services": (
        "service",
        "windows_service",
        "windows_services",
        "service_items",
        "service_command",
        "service_commands",
    ),
    "scheduled_tasks": ("scheduled_task", "task", "tasks", "scheduled_task_items"),
    "process_lineage": ("process_tree", "process_trees", "process_lineages", "process_relationship", "parent_child"),
    "hunt_queries": (
        "hunt_query",
        "query",
        "queries",
        "sigma_query",
        "sigma_queries",
        "detection_query",
        "detection_queries",
    ),
    "network_indicators": (
        "network_indicator",
        "network",
        "network_items",
        "network_connection",
        "network_connections",
    ),
}
_TYPES_BY_ALIAS = {alias: type_ for type_, aliases in _TYPE_ALIASES.items() for alias in aliases}

# the first of these keys that holds a text is the value
_VALUE_KEYS = {
    "cmdline": ("value", "command", "command_line", "commandline", "cmdline", "full_command"),
    "registry": ("registry_path", "registry_key", "full_path", "value"),
    "services": ("service_name", "name", "display_name", "image_path", "binary_path", "value"),
    "scheduled_tasks": ("task_name", "name", "task_path", "store_path", "value"),
    "process_lineage": ("lineage", "chain", "process_chain", "value"),
    "hunt_queries": ("query", "query_text", "yaml", "rule", "sigma", "value"),
    "network_indicators": ("value", "indicator", "domain", "ip", "url", "address"),
}
_PARENTS = ("parent", "parent_image", "parent_process", "parent_process_name")
_CHILDREN = ("child", "child_image", "child_process", "child_process_name")
_PROCESS_NAMES = ("name", "image", "process_name", "image_name", "executable", "path", "value")
_HIVES = ("registry_hive", "hive")
_KEYS = ("registry_key_path", "key_path", "registry_key", "key", "path")
_VALUE_NAMES = ("registry_value_name", "value_name")
# models write these where a field has nothing to hold
_PLACEHOLDERS = frozenset({"n/a", "na", "null", "none", "unknown", "unspecified", "not specified", "-"})
_DEFAULT_VALUE = frozenset({"(default)", "default", "@"})
_HIVE_PREFIX = re.compile(r"(?i)^(hk[a-z]{1,4}|hkey_[a-z_]+|registry)(:?\\|$)")
_PLATFORMS = {name.lower(): name for name in PLATFORMS} | dict.fromkeys(("mac", "osx", "mac os"), "MacOS")


def canonical_type(name: str) -> str:
    """Find the type that a name is an alias of.

    Args:
        name: The name, in any spelling.

    Returns:
        One of `TYPES`; an unknown name as it is, trimmed and fit to be written.
    """
    if name in _TYPE_ALIASES:
        return name
    text = clean_text(name) or ""
    key = text.lower().replace(" ", "_").replace("-", "_")
    if key in _TYPE_ALIASES:
        return key
    return _TYPES_BY_ALIAS.get(key, text)


def item_lists(type_: str) -> tuple[str, ...]:
    """Name the keys under which an extractor of `type_` has kept its items, the usual one first."""
    return ("items", *_TYPE_ALIASES.get(type_, ()))


def canonical_values(type_: str, item: Any) -> tuple[str, ...]:
    """Write the canonical values of an item of `type_`.

    Args:
        type_: The item's canonical type.
        item: A text, or an object under any of the application's key names.

    Returns:
        The values: several for a lineage of more than two processes, none where nothing can be read.
    """
    for holder in _holders(item):
        values = _from_object(type_, holder) if isinstance(holder, dict) else _tidy(type_, clean_text(holder))
        if values:
            return values
    return ()


def canonical_platform(item: Any) -> str | None:
    """Read the platform that an item (or the object inside it) names.

    Args:
        item: Any JSON value.

    Returns:
        Windows, Linux or MacOS, in whatever case it is named; None where none is, and where the application only took
        it over from the article (`platform_confidence` other than high).
    """
    if not isinstance(item, dict):
        return None
    for holder in (item, item.get("value"), item.get("original_data")):
        if not isinstance(holder, dict) or holder.get("platform_confidence", "high") != "high":
            continue
        platform = fold_platform(holder.get("platform"))
        if platform:
            return platform
    return None


def fold_platform(name: Any) -> str | None:
    """Find the one of `PLATFORMS` that a name spells, in any case.

    Args:
        name: Any JSON value.

    Returns:
        The platform; None for a name of something else, and for what is no name.
    """
    return _PLATFORMS.get(name.strip().lower()) if isinstance(name, str) else None


def item_model(item: Any) -> str | None:
    """Read the model that an item says it comes from."""
    for holder in (item, item.get("original_data")) if isinstance(item, dict) else ():
        name = clean_text(holder.get("model_version")) if isinstance(holder, dict) else None
        if name:
            return name
    return None


def clean_text(value: Any) -> str | None:
    """Read a value as a text that can be written.

    Args:
        value: Any JSON value.

    Returns:
        The text, trimmed; None for what is empty or no scalar (NaN and infinities too).
    """
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, (int, float)):
        return str(value) if isinstance(value, int) or math.isfinite(value) else None
    if not isinstance(value, str):
        return None
    if not value.isascii():
        # lone surrogates cannot be written as UTF-8
        value = value.encode("utf-8", "replace").decode()
    return value.replace("\x00", "").strip() or None


def _holders(item: Any) -> Iterator[Any]:
    """Yield what may hold the value, the most telling first: the extractor's own item before what was made of it."""
    if not isinstance(item, dict):
        yield _repr_object(item) if isinstance(item, str) and _is_repr(item) else item
        return
    original, value = item.get("original_data"), item.get("value")
    yield from (holder for holder in (original, value) if isinstance(holder, dict))
    yield item
    if isinstance(value, str) and _is_repr(value):
        yield _repr_object(value)
    yield original


def _from_object(type_: str, item: Mapping[str, Any]) -> tuple[str, ...]:
    if "role" in item and "content" in item:
        # a message of the prompt, stored in the place of an item
        return ()
    if type_ == "process_lineage":
        parent, child = _process(item, _PARENTS), _process(item, _CHILDREN)
        if parent and child:
            return (parent + ARROW + child,)
    if type_ == "registry":
        joined = _registry(item)
        if joined:
            return (joined,)
    return _tidy(type_, _first(item, _VALUE_KEYS.get(type_, ("value",))))


def _process(item: Mapping[str, Any], keys: tuple[str, ...]) -> str | None:
    """Read the name of a process: a text, or an object that holds one."""
    for key in keys:
        inner = item.get(key)
        name = _first(inner, _PROCESS_NAMES) if isinstance(inner, dict) else _named(inner)
        if name:
            return name
    return None


def _registry(item: Mapping[str, Any]) -> str | None:
    r"""Write `KEY[\value name]` of an object that holds hive, key and value name apart."""
    key = _first(item, _KEYS)
    if key is None:
        return None
    hive = _first(item, _HIVES)
    if hive and not _HIVE_PREFIX.match(key):
        key = hive.rstrip("\\:") + "\\" + key.lstrip("\\")
    name = _first(item, _VALUE_NAMES)
    if not name or name.lower() in _DEFAULT_VALUE or key.endswith("\\" + name):
        return key
    return key.rstrip("\\") + "\\" + name


def _tidy(type_: str, value: str | None) -> tuple[str, ...]:
    if not value:
        return ()
    if type_ != "process_lineage":
        return (value,)
    names = lineage_names(value)
    return tuple(parent + ARROW + child for parent, child in pairwise(names)) or tuple(names)


def _first(item: Mapping[str, Any], keys: tuple[str, ...]) -> str | None:
    return next((text for text in (_named(item.get(key)) for key in keys) if text), None)


def _named(value: Any) -> str | None:
    """Read a text that is neither a placeholder nor an object that was written as one."""
    text = clean_text(value)
    return None if text and (text.lower() in _PLACEHOLDERS or _is_repr(text)) else text


def _is_repr(text: str) -> bool:
    """Tell whether a text is how Python writes an object: the application filled in a missing `value` with that."""
    return text.startswith("{'") and text.endswith("}") and _repr_object(text) is not None


def _repr_object(text: str) -> dict[str, Any] | None:
    try:
        read = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None
    return read if isinstance(read, dict) else None
