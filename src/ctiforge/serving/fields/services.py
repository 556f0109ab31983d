"""The rules of Windows services: the item is a name, the path of a binary, or the command that makes a service."""

import re

from ctiforge.serving.fields.wording import command_of, only, option, quoted_or_word, words
from ctiforge.serving.placing import PlacedItem

_PATH = re.compile(r"[\"']?(?:[A-Za-z]:|%\w+%|\\)\\|[^\s\\]+\.(?:exe|dll|sys)[\"']?(?:\s|$)", re.IGNORECASE)
_SC = r"(?:\S*\\)?sc(?:\.exe)?\s+(?:\\\\\S+\s+)?"
_COMMAND = re.compile(rf"{_SC}\w+\s|New-Service\s|net1?(?:\.exe)?\s+(?:start|stop)\s", re.IGNORECASE)
_CREATION = rf"(?:cmd(?:\.exe)?\s+/c\s+)?(?:{_SC}create\s|New-Service\s)"
_DISPLAY = re.compile(option(r"\bDisplayName=\s*|\s-DisplayName\s+"), re.IGNORECASE)
_BINARY = re.compile(option(r"\bbinPath=\s*|\s-BinaryPathName\s+"), re.IGNORECASE)
_IMAGE_PATH = re.compile(
    rf"\b(?:ImagePath|Service File Name|binary path)\b\W{{0,4}}(?:(?:was |is )?(?:set )?to\W+)?{option('')}",
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
    option(r"\bstart=\s*|\s-StartupType\s+|\b(?:service )?start(?:up)?[ _-]?(?:type|mode)\W{1,4}(?:set to\W+)?"),
    re.IGNORECASE,
)
_START_CONSTANT = re.compile(r"\bSERVICE_(?:AUTO|DEMAND|BOOT|SYSTEM)_START\b|\bSERVICE_DISABLED\b")
_COMMANDS = {
    "created": re.compile(rf"{_SC}create\b|\bNew-Service\b", re.IGNORECASE),
    "modified": re.compile(rf"{_SC}(?:config|failure|description|sdset)\b|\bSet-Service\b", re.IGNORECASE),
    "deleted": re.compile(rf"{_SC}delete\b|\bRemove-Service\b", re.IGNORECASE),
    "stopped": re.compile(rf"{_SC}stop\b|\bnet1?(?:\.exe)?\s+stop\b|\bStop-Service\b", re.IGNORECASE),
    "started": re.compile(rf"{_SC}start\b|\bnet1?(?:\.exe)?\s+start\b|\bStart-Service\b", re.IGNORECASE),
}
_DISABLES = re.compile(r"\bstart=\s*disabled\b|-StartupType\s+Disabled\b", re.IGNORECASE)
_VERBS = {
    "created": words("creat(?:e|es|ed|ing)", "install(?:s|ed|ing)?", "register(?:s|ed|ing)?"),
    "modified": words("modif(?:y|ies|ied|ying)", "reconfigur(?:e|es|ed|ing)"),
    "deleted": words("delet(?:e|es|ed|ing)", "remov(?:e|es|ed|ing)", "uninstall(?:s|ed|ing)?"),
    "hijacked": words("hijack(?:s|ed|ing)?"),
    "stopped": words("stop(?:s|ped|ping)?", "terminat(?:e|es|ed|ing)"),
    "disabled": words("disabl(?:e|es|ed|ing)"),
}
_SOURCES = {
    "registry": re.compile(r"\\Services\\+$", re.IGNORECASE),
    "event log": words("event(?: id)?s? (?:7045|4697)", r"EID:? ?(?:7045|4697)"),
}


def service_name(item: PlacedItem) -> str | None:
    """Give the service's name where the item is one, not a path, a command or a name for display."""
    return item.value if _is_name(item) and _display_of(item) != item.value else None


def service_display_name(item: PlacedItem) -> str | None:
    """Give the name for display that the command with the service's name gives it."""
    return _display_of(item) if _is_name(item) else None


def service_binary_path(item: PlacedItem) -> str | None:
    """Give the binary: the item where it is a path, else what its line sets as `binPath` or `ImagePath`."""
    if _is_command(item):
        return None
    if _PATH.match(item.value):
        return item.value
    return quoted_or_word(_BINARY.search(item.line) or _IMAGE_PATH.search(item.line))


def service_start_type(item: PlacedItem) -> str | None:
    """Tell `auto`, `delayed-auto`, `manual`, `disabled`, `boot` or `system`, where the line names a start type."""
    named = {quoted_or_word(match) or "" for match in _START.finditer(item.line)}
    named |= set(_START_CONSTANT.findall(item.line))
    kinds = {only(_STARTS, each) for each in named}
    return kinds.pop() if len(kinds) == 1 else None


def service_creation_command(item: PlacedItem) -> str | None:
    """Give the command that makes the service: the item where it is one, else the line that holds it and is one."""
    return command_of(item.value, _CREATION) or command_of(item.line, _CREATION)


def service_operation(item: PlacedItem) -> str | None:
    """Tell `created`, `modified`, `deleted`, `hijacked`, `stopped`, `started` or `disabled`, by command or verb."""
    line = item.line if item.paragraph is not None else item.value
    command = only(_COMMANDS, line)
    if command == "modified" and _DISABLES.search(line):
        return "disabled"
    if any(each.search(line) for each in _COMMANDS.values()):
        return command
    return only(_VERBS, item.sentence.replace(item.value, " "))


def service_source_type(item: PlacedItem) -> str | None:
    """Tell where the item stands: in a `command`, a key of the `registry`, or an `event log` entry."""
    if any(each.search(item.line) for each in _COMMANDS.values()):
        return "command"
    if _SOURCES["registry"].search(item.around[0]):
        return "registry"
    return "event log" if _SOURCES["event log"].search(item.sentence) else None


def _is_command(item: PlacedItem) -> bool:
    return bool(_COMMAND.match(item.value))


def _is_name(item: PlacedItem) -> bool:
    return not _is_command(item) and not _PATH.match(item.value)


def _display_of(item: PlacedItem) -> str | None:
    return quoted_or_word(_DISPLAY.search(item.line))
