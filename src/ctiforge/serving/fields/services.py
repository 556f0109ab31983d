"""The rules of Windows services: the item is a name, the path of a binary, or the command that makes a service."""

import re

from ctiforge.serving.fields.wording import command_end, done_to, only, options_behind, said_behind
from ctiforge.serving.placing import PlacedItem

_PATH = re.compile(
    r"[\"']?(?:(?:[A-Za-z]:|%\w+%|\\)\\|\\SystemRoot\\|[^\s\\]+\.(?:exe|dll|sys)[\"']?(?:\s|$))", re.IGNORECASE
)
_SC = r"\b(?:sc|sc\.exe)[\"']?\s+(?:\\\\\S+\s+)?"
_NET = r"\bnet1?(?:\.exe)?\s+"
_LEADS = r"\s+(?:-Name\s+)?[\"'“]?$"
_COMMANDS = {
    "created": re.compile(rf"(?:{_SC}create|\bNew-Service){_LEADS}", re.IGNORECASE),
    "modified": re.compile(rf"(?:{_SC}(?:config|failure|description|sdset)|\bSet-Service){_LEADS}", re.IGNORECASE),
    "deleted": re.compile(rf"(?:{_SC}delete|\bRemove-Service){_LEADS}", re.IGNORECASE),
    "stopped": re.compile(rf"(?:{_SC}stop|{_NET}stop|\bStop-Service){_LEADS}", re.IGNORECASE),
    "started": re.compile(rf"(?:{_SC}start|{_NET}start|\bStart-Service){_LEADS}", re.IGNORECASE),
}
_IS_COMMAND = re.compile(rf"\s*(?:\S*\\)?(?:{_SC}\w+\s|{_NET}st(?:art|op)\s|\w+-Service\s)", re.IGNORECASE)
_IS_CREATION = re.compile(rf"\s*(?:\S*\\)?(?:{_SC}create\s|New-Service\s)", re.IGNORECASE)
_IMAGE_PATH = re.compile(
    r"\b(?:ImagePath|Service File Name|binary path)\b\W{1,4}(?:(?:was |is )?(?:set )?to\W+)?"
    r"(?P<path>(?:[A-Za-z]:|%\w+%)\\[^\s\"'<>|*?,;]+)",
    re.IGNORECASE,
)
_STARTS = {
    "delayed-auto": re.compile(r"\bdelayed[- ]auto(?:-start|matic)?\b|\bAutomaticDelayedStart\b", re.IGNORECASE),
    "auto": re.compile(r"\bSERVICE_AUTO_START\b|(?<!delayed[- ])\bauto(?:matic(?:ally)?|[- ]start)?\b", re.IGNORECASE),
    "manual": re.compile(r"\bSERVICE_DEMAND_START\b|\bmanual\b|\bdemand(?:[- ]start)?\b", re.IGNORECASE),
    "disabled": re.compile(r"\bSERVICE_DISABLED\b|\bdisabled\b", re.IGNORECASE),
    "boot": re.compile(r"\bSERVICE_BOOT_START\b|\bboot(?:[- ]start)?\b", re.IGNORECASE),
    "system": re.compile(r"\bSERVICE_SYSTEM_START\b|\bsystem(?:[- ]start)?\b", re.IGNORECASE),
}
_START = re.compile(
    r"\b(?:service )?start(?:up)?[ _-]?(?:type|mode)\W{1,4}(?:set to\W+)?(?P<kind>\w+(?:[ -]start)?)"
    r"|\b(?P<constant>SERVICE_(?:AUTO_START|DEMAND_START|BOOT_START|SYSTEM_START|DISABLED))\b",
    re.IGNORECASE,
)
_VERBS = {
    "created": r"creat(?:es|ed|ing)|install(?:s|ed|ing)|register(?:s|ed|ing)",
    "modified": r"modif(?:ies|ied|ying)|reconfigur(?:es|ed|ing)",
    "deleted": r"delet(?:es|ed|ing)|remov(?:es|ed|ing)|uninstall(?:s|ed|ing)",
    "hijacked": r"hijack(?:s|ed|ing)",
    "stopped": r"stop(?:s|ped|ping)|terminat(?:es|ed|ing)",
    "disabled": r"disabl(?:es|ed|ing)",
}
_KEY_BEFORE = re.compile(r"\\Services\\+$", re.IGNORECASE)
_EVENT = re.compile(r"\b(?:event(?: id)?s?|EID)\W{0,3}(?:7045|4697)\b", re.IGNORECASE)


def service_name(item: PlacedItem) -> str | None:
    """Give the service's name: the item, where it is no path and no command."""
    return item.value if _is_name(item) else None


def service_display_name(item: PlacedItem) -> str | None:
    """Give the name for display that the command with the service's name gives it."""
    return options_behind(_in_command(item)).get("displayname") or None if _is_name(item) else None


def service_binary_path(item: PlacedItem) -> str | None:
    """Give the binary: the item where it is a path, else what the command or the words behind the name say."""
    if not _is_name(item):
        return item.value if _PATH.match(item.value) else None
    options = options_behind(_in_command(item))
    said = _IMAGE_PATH.search(said_behind(item))
    path = options.get("binpath") or options.get("binarypathname") or (said["path"].rstrip(".") if said else None)
    # a quote that was escaped ends no path
    return path if path and not path.endswith("\\") else None


def service_start_type(item: PlacedItem) -> str | None:
    """Tell `auto`, `delayed-auto`, `manual`, `disabled`, `boot` or `system`, by the command or the words behind."""
    options = options_behind(_in_command(item))
    named = options.get("start") or options.get("startuptype")
    if named:
        return only(_STARTS, named)
    kinds = {only(_STARTS, each["kind"] or each["constant"]) for each in _START.finditer(said_behind(item))}
    return kinds.pop() if len(kinds) == 1 else None


def service_creation_command(item: PlacedItem) -> str | None:
    """Give the command that makes the service: the item where it is one, else that in which the name stands."""
    if _IS_CREATION.match(item.value):
        return item.value
    before, name, behind = _in_command(item).around
    leading = _COMMANDS["created"].search(before)
    end = command_end(behind)
    return before[leading.start() :] + name + behind[:end] if leading and end else None


def service_operation(item: PlacedItem) -> str | None:
    """Tell `created`, `modified`, `deleted`, `hijacked`, `stopped`, `started` or `disabled`, by command or verb."""
    if _IS_CREATION.match(item.value):
        return "created"
    command = only(_COMMANDS, _in_command(item).around[0])
    is_disabled = command == "modified" and service_start_type(item) == "disabled"
    return "disabled" if is_disabled else command or done_to(item, _VERBS, "services?|drivers?")


def service_source_type(item: PlacedItem) -> str | None:
    """Tell where the item stands: in a `command`, a key of the `registry`, or what says of an `event log` entry."""
    if _IS_COMMAND.match(item.value) or only(_COMMANDS, item.around[0]):
        return "command"
    if _KEY_BEFORE.search(item.around[0]):
        return "registry"
    return "event log" if _EVENT.search("".join(item.sentence)) else None


def _in_command(item: PlacedItem) -> PlacedItem:
    """Give the item at the first place of its paragraph where a command names it; the item itself where none does."""
    return next((each for each in item.mentions if only(_COMMANDS, each.around[0])), item)


def _is_name(item: PlacedItem) -> bool:
    return not _IS_COMMAND.match(item.value) and not _PATH.match(item.value)
