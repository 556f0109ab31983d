"""Turns a stored item (a string, or an object under many key names) into a canonical type, value and platform."""

import math
import re
from collections.abc import Mapping
from typing import Any

from ctiforge.observables.values import lineage_names
from ctiforge.records.observable import ARROW, PLATFORMS

_TYPE_ALIASES = {
    "cmdline": ("command", "commands", "command_line", "command_lines", "cmdlines", "cmdline_items", "process_cmdline"),
    "registry": ("registry_artifact", "registry_artifacts", "registry_key", "registry_keys", "registry_items"),
    "services": ("service", "windows_service", "windows_services", "service_items"),
    "scheduled_tasks": ("scheduled_task", "task", "tasks", "scheduled_task_items"),
    "process_lineage": ("process_tree", "process_trees", "process_lineages", "process_relationship", "parent_child"),
    "hunt_queries": ("hunt_query", "query", "queries", "sigma_query", "sigma_queries", "detection_queries"),
    "network_indicators": ("network_indicator", "network", "network_items"),
}
_TYPES_BY_ALIAS = {alias: type_ for type_, aliases in _TYPE_ALIASES.items() for alias in aliases}

# the first of these keys that holds a text is the value
_VALUE_KEYS = {
    "cmdline": ("command", "command_line", "commandline", "cmdline", "full_command"),
    "registry": ("registry_path", "registry_key", "full_path"),
    "services": ("service_name", "name", "display_name", "image_path", "binary_path"),
    "scheduled_tasks": ("task_name", "name", "task_path"),
    "process_lineage": ("lineage", "chain"),
    "hunt_queries": ("query", "query_text", "rule", "sigma"),
    "network_indicators": ("indicator", "domain", "ip", "url", "address"),
}
_PARENTS = ("parent", "parent_image", "parent_process", "parent_process_name")
_CHILDREN = ("child", "child_image", "child_process", "child_process_name")
_HIVES = ("registry_hive", "hive")
_KEYS = ("registry_key_path", "key_path", "registry_key", "key", "path")
_VALUE_NAMES = ("registry_value_name", "value_name")
_HIVE_PREFIX = re.compile(r"(?i)^(hk[a-z]{1,4}|hkey_[a-z_]+|registry)(:?\\|$)")
_PLATFORMS = {name.lower(): name for name in PLATFORMS} | dict.fromkeys(("mac", "osx", "mac os"), "MacOS")


def canonical_type(name: str) -> str:
    """Find the type that `name` is an alias of; an unknown one as it is, trimmed."""
    if name in _TYPE_ALIASES:
        return name
    key = name.strip().lower().replace(" ", "_").replace("-", "_")
    if key in _TYPE_ALIASES:
        return key
    return _TYPES_BY_ALIAS.get(key, name.strip())


def canonical_value(type_: str, item: Any) -> str | None:
    """Write the canonical value of an item of `type_`, None when it holds none."""
    if not isinstance(item, dict):
        return _tidy(type_, _text(item))
    inner = item.get("value")
    if isinstance(inner, dict):
        return _from_object(type_, inner) or _from_object(type_, item)
    return _from_object(type_, item) or _from_original(type_, item)


def canonical_platform(item: Any) -> str | None:
    """Read the platform: Windows, Linux or MacOS where the item (or the object inside it) names one, in any case."""
    if not isinstance(item, dict):
        return None
    for holder in (item, item.get("value"), item.get("original_data")):
        name = holder.get("platform") if isinstance(holder, dict) else None
        if isinstance(name, str) and name.strip().lower() in _PLATFORMS:
            return _PLATFORMS[name.strip().lower()]
    return None


def _from_object(type_: str, item: Mapping[str, Any]) -> str | None:
    if type_ == "process_lineage":
        parent, child = _first(item, _PARENTS), _first(item, _CHILDREN)
        if parent and child:
            return parent + ARROW + child
    if type_ == "registry":
        joined = _registry(item)
        if joined:
            return joined
    value = _text(item.get("value")) or _first(item, _VALUE_KEYS.get(type_, ()))
    return _tidy(type_, value)


def _from_original(type_: str, item: Mapping[str, Any]) -> str | None:
    original = item.get("original_data")
    return _from_object(type_, original) if isinstance(original, dict) else _tidy(type_, _text(original))


def _registry(item: Mapping[str, Any]) -> str | None:
    r"""Write `KEY[\value name]` of an object that holds hive, key and value name apart."""
    key = _first(item, _KEYS)
    if key is None:
        return None
    hive = _first(item, _HIVES)
    if hive and not _HIVE_PREFIX.match(key):
        key = hive.rstrip("\\:") + "\\" + key.lstrip("\\")
    name = _first(item, _VALUE_NAMES)
    return key.rstrip("\\") + "\\" + name if name and not key.endswith("\\" + name) else key


def _tidy(type_: str, value: str | None) -> str | None:
    if value and type_ == "process_lineage":
        return ARROW.join(lineage_names(value)) or None
    return value


def _first(item: Mapping[str, Any], keys: tuple[str, ...]) -> str | None:
    for key in keys:
        text = _text(item.get(key))
        if text:
            return text
    return None


def _text(value: Any) -> str | None:
    """Read a value as text, or None for what is empty or no scalar (NaN and infinities too)."""
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
