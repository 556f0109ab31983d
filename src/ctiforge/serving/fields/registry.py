r"""The rules of registry keys and values.

Our reader joins key and value name: a name is only ever the end of the item. What a command writes into a value
of the item's key is left out with the value's name.
"""

import re

from ctiforge.observables.values import fold, lower, unwrapped
from ctiforge.serving.fields.wording import done_to, only, options_behind
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
_LEADS = r"\s+(?:-(?:Literal)?Path\s+)?[\"'“]?$"
_COMMANDS = {
    "created": re.compile(rf"(?:\breg(?:\.exe)?[\"']?\s+add|\bNew-Item(?:Property)?){_LEADS}", re.IGNORECASE),
    "modified": re.compile(rf"\bSet-Item(?:Property)?{_LEADS}", re.IGNORECASE),
    "deleted": re.compile(rf"(?:\breg(?:\.exe)?[\"']?\s+delete|\bRemove-Item(?:Property)?){_LEADS}", re.IGNORECASE),
    "queried": re.compile(rf"(?:\breg(?:\.exe)?[\"']?\s+query|\bGet-Item(?:Property)?){_LEADS}", re.IGNORECASE),
}
_VERBS = {
    "created": r"creat(?:es|ed|ing)|add(?:s|ed|ing)|writes|wrote|writing",
    "modified": r"modif(?:ies|ied|ying)|chang(?:es|ed|ing)|set(?:s|ting)?(?! of)|overwr(?:ites|ote|itten|iting)",
    "deleted": r"delet(?:es|ed|ing)|remov(?:es|ed|ing)",
    "queried": r"quer(?:ies|ied|ying)|reads|reading|enumerat(?:es|ed|ing)|check(?:s|ed|ing)",
}
_NOUNS = r"keys?|values?|registry|entry|subkeys?"
_SET_TO = re.compile(
    r"^[\"'`\])]*(?:\s+(?:(?:registry )?(?:value|key) )?(?:(?:is|was|being) )?(?:set )?to (?:a value of )?|\s*=\s*)"
    r"(?:\"(?P<quoted>[^\"\n]+)\"|(?P<number>0x[0-9a-f]+|\d+)(?!\w|\.\w))",
    re.IGNORECASE,
)
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
    options = options_behind(item)
    said = _SET_TO.match(item.around[2])
    data = options.get("d") or options.get("value") or (said and (said["quoted"] or said["number"]))
    # a quote that was escaped ends no text
    return data if data and not data.endswith("\\") else None


def registry_value_type(item: PlacedItem) -> str | None:
    """Give the type of a value that has a name, which the command says: `REG_SZ`, `REG_DWORD`."""
    named = options_behind(item).get("t", "") if _parted(item)[1] is not None else ""
    return named if _TYPE.match(named) else None


def registry_operation(item: PlacedItem) -> str | None:
    """Tell `created`, `modified`, `deleted` or `queried`: by the command, else by the verb that speaks of it."""
    return only(_COMMANDS, item.around[0]) or done_to(item, _VERBS, _NOUNS)


def _parted(item: PlacedItem) -> tuple[str | None, str | None]:
    """Part an item into its key and the name of a value; what a tool's options name is left whole."""
    key, slash, name = item.value.rpartition("\\")
    whole = item.value, None
    if not slash or not key.strip("\\ ") or not name.strip() or _TOOL_OPTION.search(item.value):
        return whole
    folded = lower(unwrapped(fold(key).text)).rstrip("\\ ")
    is_value = len(item.parts) == 2 or bool(_VALUES_IN.search(folded)) or lower(name.strip("\"'`")) in _VALUE_NAMES
    return (key.rstrip("\\"), name) if is_value else whole
