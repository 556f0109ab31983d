r"""The rules of registry keys and values.

Our reader joins key and value name: a name is only ever the end of the item. What a command writes into a value
of the item's key is left out with the value's name.
"""

import re

from ctiforge.observables.values import fold, lower, unwrapped
from ctiforge.serving.fields.invocations import CommandTool, Invocation, command_naming
from ctiforge.serving.fields.wording import done_behind, done_to, is_denied
from ctiforge.serving.placing import PlacedItem

# keys under which nothing but values counts, and names that nothing but a value has
_VALUES_IN = re.compile(r"\\currentversion\\(?:run|runonce|runonceex|runservices|runservicesonce)$")
_VALUE_NAMES = frozenset(
    {
        *("uselogoncredential", "localaccounttokenfilterpolicy", "fdenytsconnections", "enablelua", "appinit_dlls"),
        *("disableantispyware", "disablerealtimemonitoring", "disablebehaviormonitoring", "disableregistrytools"),
        *("disabletaskmgr", "imagepath", "servicedll", "userinit", "runasppl", "disablerestrictedadmin"),
        *("consentpromptbehavioradmin", "scriptblocklogging", "enablescriptblocklogging"),
    }
)
_TOOLS = (
    CommandTool(
        re.compile(r"\breg(?:\.exe)?[\"']?\s+(?P<verb>add|delete|query)(?=\s)", re.IGNORECASE),
        re.compile(r"/(?P<name>ve|va|v|t|d|f|reg:32|reg:64)(?![\w:/\\])", re.IGNORECASE),
        switches=frozenset({"ve", "va", "f", "reg:32", "reg:64"}),
        names=frozenset({"", "v"}),
    ),
    CommandTool(
        re.compile(r"\b(?P<verb>New|Set|Remove|Get)-Item(?:Property(?:Value)?)?(?=\s)", re.IGNORECASE),
        re.compile(
            r"[-–](?P<name>Path|LiteralPath|Name|Value|Type|PropertyType|ItemType|ErrorAction|Force|Confirm|WhatIf"
            r"|PassThru|Recurse)\b(?::\$\w+)?",
            re.IGNORECASE,
        ),
        switches=frozenset({"force", "confirm", "whatif", "passthru", "recurse"}),
        names=frozenset({"", "path", "literalpath", "name"}),
    ),
)
_OPERATIONS = {
    **dict.fromkeys(("add", "new"), "created"),
    "set": "modified",
    **dict.fromkeys(("delete", "remove"), "deleted"),
    **dict.fromkeys(("query", "get"), "queried"),
}
_SETS = r"sets?(?! of)|(?<!the )(?<!this )(?<!that )(?<!registry )setting(?! of)"
_VERBS = {
    "created": r"creat(?:es|ed|ing)|add(?:s|ed|ing)|writes|wrote|writing",
    "modified": rf"modif(?:ies|ied|ying)|chang(?:es|ed|ing)|{_SETS}|overwr(?:ites|ote|itten|iting)",
    "deleted": r"delet(?:es|ed|ing)|remov(?:es|ed|ing)",
    "queried": r"quer(?:ies|ied|ying)|reads|reading|enumerat(?:es|ed|ing)|check(?:s|ed|ing)",
}
_NOUNS = r"keys?|values?|registry|entry|subkeys?"
_SET_TO = re.compile(
    r"[\"'`\])]*(?:\s+(?:(?:registry )?(?:value|key) )?(?:(?:is|was|being) )?(?:set )?to (?:a value of )?|\s*=\s*)"
    r"(?:\"(?P<quoted>[^\"\n]+)\"|(?P<number>0x[0-9a-f]+|\d+))"
    r"(?=[\"'”’`]?(?:\s*(?:$|[,;)(\n]|\.(?:\s|$))|\s(?:and(?! \d)|to|which|by|via|using|with|on|so)\b))",
    re.IGNORECASE,
)
# a line of a .reg file, in which quotes and backslashes are escaped
_REG_LINE = re.compile(r"\"=\"(?P<data>(?:\\[\\\"]|[^\"\\\n])+)\"[^\S\n]*(?:\r?\n|$)")
_TYPE = re.compile(r"REG_(?:SZ|DWORD|QWORD|BINARY|EXPAND_SZ|MULTI_SZ|NONE)$")
_TOOL_OPTION = re.compile(r"\s(?:/v|-name)\s", re.IGNORECASE)


def registry_key(item: PlacedItem) -> str | None:
    """Give the key: the item without the name of a value where that is known."""
    return _parted(item)[0]


def registry_value_name(item: PlacedItem) -> str | None:
    r"""Give the value's name: of an item under a Run key, one written apart from its key, or a name no key has."""
    return _parted(item)[1]


def registry_value_data(item: PlacedItem) -> str | None:
    """Give what a value that has a name is set to: by the command, or right behind it by `=` or `set to`."""
    if _parted(item)[1] is None:
        return None
    if command := _command(item):
        return _said_by(item, command, "d", "value")
    if done_behind(item, _VERBS, _NOUNS):
        return None
    if line := _REG_LINE.match(item.around[2]):
        return re.sub(r"\\(.)", r"\1", line["data"])
    said = None if is_denied(item.sentence[0]) or is_denied(item.sentence[2]) else _SET_TO.match(item.around[2])
    # a quote that was escaped ends no text
    return (said["quoted"] or said["number"]) if said and not (said["quoted"] or "").endswith("\\") else None


def registry_value_type(item: PlacedItem) -> str | None:
    """Give the type of a value that has a name, which the command says: `REG_SZ`, `REG_DWORD`."""
    command = _command(item) if _parted(item)[1] is not None else None
    named = _said_by(item, command, "t") if command else None
    return named if named and _TYPE.match(named) else None


def registry_operation(item: PlacedItem) -> str | None:
    """Tell `created`, `modified`, `deleted` or `queried`: by the command, else by the verb that speaks of it."""
    command = _command(item)
    return _done_by(item, command) if command else done_to(item, _VERBS, _NOUNS)


def _command(item: PlacedItem) -> Invocation | None:
    return command_naming(item, _TOOLS, lambda command: _done_by(item, command))


def _done_by(item: PlacedItem, command: Invocation) -> str | None:
    """Tell what a command does to an item: to its key, where it writes or deletes a value of that, is a change."""
    done = _OPERATIONS.get(command.verb)
    return "modified" if done in ("created", "deleted") and _is_of_another(item, command) else done


def _is_of_another(item: PlacedItem, command: Invocation) -> bool:
    """Tell whether a command names a value of the item's key that the item leaves out."""
    return len(item.parts) == 1 and not command.words.keys().isdisjoint(("v", "ve", "va", "name"))


def _said_by(item: PlacedItem, command: Invocation, *options: str) -> str | None:
    """Give what a command says of the item, and nothing of a value of the item's key that the item leaves out."""
    return None if _is_of_another(item, command) else command.value(*options)


def _parted(item: PlacedItem) -> tuple[str | None, str | None]:
    """Part an item into its key and the name of a value; what a tool's options name is left whole."""
    key, slash, name = item.value.rpartition("\\")
    whole = item.value, None
    if not slash or not key.strip("\\ ") or not name.strip() or _TOOL_OPTION.search(item.value):
        return whole
    folded = lower(unwrapped(fold(key).text)).rstrip("\\ ")
    is_value = len(item.parts) == 2 or bool(_VALUES_IN.search(folded)) or lower(name.strip("\"'`")) in _VALUE_NAMES
    return (key.rstrip("\\"), name) if is_value else whole
