"""The rules of Windows services: the item is a name, the path of a binary, or the command that makes a service."""

import re
from dataclasses import replace

from ctiforge.serving.fields.invocations import CommandTool, Invocation, command_naming
from ctiforge.serving.fields.wording import done_to, only, said_behind
from ctiforge.serving.placing import PlacedItem

_PATH = re.compile(
    r"[\"']?(?:(?:[A-Za-z]:|%\w+%|\\)\\|\\SystemRoot\\|[^\s\\]+\.(?:exe|dll|sys)[\"']?(?:\s|$))", re.IGNORECASE
)
_SC = r"\b(?:sc|sc\.exe)[\"']?\s+(?:\\\\\S+\s+)?"
_NET = r"\bnet1?(?:\.exe)?\s+"
_TOOLS = (
    CommandTool(
        # with the folder that it is written with, and the quotes around both
        re.compile(
            r"(?P<quote>[\"']?)(?<![\w%:.\\-])(?:[\w%:.\\-]+\\)?\bsc(?:\.exe)?(?P=quote)\s+(?:\\\\\S+\s+)?"
            r"(?P<verb>create|config|failure|description|sdset|delete|stop|start)(?=\s)",
            re.IGNORECASE,
        ),
        re.compile(
            r"(?P<name>binPath|start|type|error|group|tag|depend|obj|DisplayName|password|reset|actions|command|reboot)"
            r"=",
            re.IGNORECASE,
        ),
        switches=frozenset(),
        names=frozenset({""}),
    ),
    CommandTool(
        re.compile(rf"{_NET}(?P<verb>start|stop)(?=\s)", re.IGNORECASE),
        re.compile(r"/(?P<name>y)\b", re.IGNORECASE),
        switches=frozenset({"y"}),
        names=frozenset({""}),
    ),
    CommandTool(
        re.compile(r"\b(?P<verb>New|Set|Remove|Stop|Start)-Service(?=\s)", re.IGNORECASE),
        re.compile(
            r"[-–](?P<name>Name|BinaryPathName|DisplayName|Description|StartupType|Credential|DependsOn|Status"
            r"|ComputerName|ErrorAction|Force|PassThru|Confirm|WhatIf)\b(?::\$\w+)?",
            re.IGNORECASE,
        ),
        switches=frozenset({"force", "passthru", "confirm", "whatif"}),
        names=frozenset({"", "name"}),
    ),
)
_OPERATIONS = {
    **dict.fromkeys(("create", "new"), "created"),
    **dict.fromkeys(("config", "failure", "description", "sdset", "set"), "modified"),
    **dict.fromkeys(("delete", "remove"), "deleted"),
    "stop": "stopped",
    "start": "started",
}
_IS_COMMAND = re.compile(rf"\s*(?:\S*\\)?(?:{_SC}\w+\s|{_NET}st(?:art|op)\s|\w+-Service\s)", re.IGNORECASE)
_IS_CREATION = re.compile(rf"\s*(?:\S*\\)?(?:{_SC}create\s|New-Service\s)", re.IGNORECASE)
_STARTS = {
    "delayed-auto": re.compile(r"\bdelayed[- ]auto(?:-start|matic)?\b|\bAutomaticDelayedStart\b", re.IGNORECASE),
    "auto": re.compile(r"\bSERVICE_AUTO_START\b|(?<!delayed[- ])\bauto(?:matic(?:ally)?|[- ]start)?\b", re.IGNORECASE),
    "manual": re.compile(r"\bSERVICE_DEMAND_START\b|\bmanual\b|\bdemand(?:[- ]start)?\b", re.IGNORECASE),
    "disabled": re.compile(r"\bSERVICE_DISABLED\b|\bdisabled\b", re.IGNORECASE),
    "boot": re.compile(r"\bSERVICE_BOOT_START\b|\bboot(?:[- ]start)?\b", re.IGNORECASE),
    "system": re.compile(r"\bSERVICE_SYSTEM_START\b|\bsystem(?:[- ]start)?\b", re.IGNORECASE),
}
# what is said of the item at once, one fact behind the other: `with ImagePath C:\a.exe, start type: auto`
_FACTS_LEAD = re.compile(
    r"[\"'”’`)]*(?:,? (?:which |that )?(?:is|was|were) (?:\w+ ){0,2}?(?=with|\())?"
    r"[\s(,:–-]*(?:(?:with|and|having|has) )?",
    re.IGNORECASE,
)
_FACTS_JOINT = re.compile(r"[\"']?(?:\s*,)?\s*(?:and |with )*", re.IGNORECASE)
_FACT = re.compile(
    r"(?:(?:the|a|an|its) )?"
    r"(?:(?:ImagePath|(?:Service )?File Name|(?:image|binary) path)\b(?:\W{0,3}(?:is|was|set to|of)\b)?[\s:=]{1,4}"
    r"(?:\"(?P<quoted>[^\"\n]+)\"|“(?P<curly>[^”\n]+)”|(?P<path>(?:[A-Za-z]:|%\w+%)\\[^\s\"'”<>|*?,;)…]*[^\s\"'”<>|*?,;).…]))"
    r"|(?:service )?start(?:up)?[ _-]?(?:type|mode)\b(?:\W{0,3}(?:is|was|set to|of)\b)?[\s:=]{1,4}[\"'“]?"
    r"(?P<kind>[\w-]+(?: start)?))",
    re.IGNORECASE,
)
_FACTS_END = re.compile(r"[\"'”’`]?\s*(?:$|[.,;)](?:\s|$))")
_BLOCK_NAME = re.compile(r"(?:^|\n)[^\S\n]*Service Name[^\S\n]*[:=][^\S\n]*$", re.IGNORECASE)
_BLOCK_NAMES = re.compile(r"^[^\S\n]*Service Name[^\S\n]*[:=]", re.IGNORECASE | re.MULTILINE)
_BLOCK_LINE = re.compile(
    r"^[^\S\n]*Service (?P<label>File Name|Start Type)[^\S\n]*[:=][^\S\n]*(?P<said>\S[^\n]*?)\s*$",
    re.IGNORECASE | re.MULTILINE,
)
_VERBS = {
    "created": r"creat(?:es|ed|ing)|install(?:s|ed|ing)|register(?:s|ed|ing)",
    "modified": r"modif(?:ies|ied|ying)|reconfigur(?:es|ed|ing)",
    "deleted": r"delet(?:es|ed|ing)|remov(?:es|ed|ing)|uninstall(?:s|ed|ing)",
    "hijacked": r"hijack(?:s|ed|ing)",
    "stopped": r"stop(?:s|ped|ping)|terminat(?:es|ed|ing)",
    "started": r"start(?:s|ed|ing)(?! (?:auto|at|on|with|when))",
    "disabled": r"disabl(?:es|ed|ing)",
}
_KEY_BEFORE = re.compile(r"\\Services\\+$", re.IGNORECASE)
_DISPLAY_BEFORE = re.compile(r"\bdisplay ?name\W{0,4}(?:(?:of|is|was|as|to)\W{1,3})?$", re.IGNORECASE)
_EVENT = re.compile(r"\b(?:event(?: id)?s?|EID)\W{0,3}(?:7045|4697)\b", re.IGNORECASE)


def service_name(item: PlacedItem) -> str | None:
    """Give the service's name: the item, where it is no path, no command and no name for display."""
    return item.value if _is_name(item) and not _is_display_name(item) else None


def service_display_name(item: PlacedItem) -> str | None:
    """Give the name for display: the item where the article says so, else what the command gives that names it."""
    if not _is_name(item):
        return None
    return item.value if _is_display_name(item) else _said_by(_command(item), "displayname")


def service_binary_path(item: PlacedItem) -> str | None:
    """Give the binary: the item where it is a path, else what the command or the words behind the name say."""
    if not _is_name(item):
        return item.value if _PATH.match(item.value) else None
    command = _command(item)
    return _said_by(command, "binpath", "binarypathname") if command else _facts(item).get("path")


def service_start_type(item: PlacedItem) -> str | None:
    """Tell `auto`, `delayed-auto`, `manual`, `disabled`, `boot` or `system`, by the command or the words behind."""
    command = _command(item)
    named = _said_by(command, "start", "startuptype") if command else _facts(item).get("kind")
    return only(_STARTS, named) if named else None


def service_creation_command(item: PlacedItem) -> str | None:
    """Give the whole command that makes the service: the item where it is one, else that which names it."""
    if _IS_CREATION.match(item.value):
        return item.value
    command = _command(item)
    is_creation = command and command.whole and _said_by(command, "binpath", "binarypathname")
    return command.text if command and is_creation and _done_by(command) == "created" else None


def service_operation(item: PlacedItem) -> str | None:
    """Tell `created`, `modified`, `deleted`, `hijacked`, `stopped`, `started` or `disabled`, by command or verb."""
    if _IS_CREATION.match(item.value):
        return "created"
    command = _command(item)
    if not command:
        return done_to(item, _VERBS, "services?|drivers?")
    operation = _done_by(command)
    return "disabled" if operation == "modified" and service_start_type(item) == "disabled" else operation


def service_source_type(item: PlacedItem) -> str | None:
    """Tell where the item stands: in a `command`, a key of the `registry`, or what says of an `event log` entry."""
    if _IS_COMMAND.match(item.value) or command_naming(replace(item, again=()), _TOOLS, _done_by):
        return "command"
    if _KEY_BEFORE.search(item.around[0]):
        return "registry"
    return "event log" if _EVENT.search("".join(item.sentence)) else None


def _command(item: PlacedItem) -> Invocation | None:
    return command_naming(item, _TOOLS, _done_by)


def _done_by(command: Invocation) -> str | None:
    return _OPERATIONS.get(command.verb)


def _said_by(command: Invocation | None, *options: str) -> str | None:
    return command.value(*options) if command else None


def _facts(item: PlacedItem) -> dict[str, str]:
    """Read the binary and the start type that are said of the item and of nothing else."""
    if _BLOCK_NAME.search(item.around[0]):
        return _block(item)
    text = said_behind(item)
    lead = _FACTS_LEAD.match(text)
    at, found = lead.end() if lead else 0, {}
    while fact := _FACT.match(text, at):
        joint = _FACTS_JOINT.match(text, fact.end())
        at = joint.end() if joint else len(text)
        # a path that goes on behind a space ends nowhere plainly
        if _FACTS_END.match(text, fact.end()) or _FACT.match(text, at):
            kind = fact["kind"]
            found["kind" if kind else "path"] = kind or fact["quoted"] or fact["curly"] or fact["path"]
    return found


def _block(item: PlacedItem) -> dict[str, str]:
    """Read the lines of an event of one service: `Service File Name: …`, `Service Start Type: …`."""
    text = item.paragraph or ""
    lines = list(_BLOCK_LINE.finditer(text))
    said = {"path" if line["label"].lower() == "file name" else "kind": line["said"] for line in lines}
    return said if len(_BLOCK_NAMES.findall(text)) == 1 and len(said) == len(lines) else {}


def _is_name(item: PlacedItem) -> bool:
    return not _IS_COMMAND.match(item.value) and not _PATH.match(item.value)


def _is_display_name(item: PlacedItem) -> bool:
    return bool(_DISPLAY_BEFORE.search(item.sentence[0]))
