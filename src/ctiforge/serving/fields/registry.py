"""The rules of registry keys and values."""

import re

from ctiforge.observables.values import fold, lower, unwrapped
from ctiforge.serving.fields.wording import only, option, quoted_or_word, words
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
_COMMANDS = {
    "created": re.compile(r"\breg(?:\.exe)?\"?\s+add\b|\bNew-Item(?:Property)?\b", re.IGNORECASE),
    "modified": re.compile(r"\bSet-Item(?:Property)?\b", re.IGNORECASE),
    "deleted": re.compile(r"\breg(?:\.exe)?\"?\s+delete\b|\bRemove-Item(?:Property)?\b", re.IGNORECASE),
    "queried": re.compile(r"\breg(?:\.exe)?\"?\s+query\b|\bGet-Item(?:Property)?\b", re.IGNORECASE),
}
_VERBS = {
    "created": words("creat(?:e|es|ed|ing)", "adds?", "added", "adding"),
    "modified": words("modif(?:y|ies|ied|ying)", "chang(?:e|es|ed|ing)", "sets?", "setting", "overwr(?:ites?|ote|itten)"),
    "deleted": words("delet(?:e|es|ed|ing)", "remov(?:e|es|ed|ing)"),
    "queried": words("quer(?:y|ies|ied|ying)", "reads?", "reading", "enumerat(?:e|es|ed|ing)", "checks?", "checked"),
}
_DATA = re.compile(rf"\s{option(r'/d\s+|-Value\s+')}", re.IGNORECASE)
_SET_TO = re.compile(
    r"^[\"'`\])]*\s+(?:(?:registry )?(?:value|key) )?(?:(?:is|was|being) )?(?:set )?to (?:a value of )?"
    r"(?:\"(?P<value_quoted>[^\"\n]+)\"|(?P<value_word>0x[0-9a-f]+|\d+)(?![\w.]))",
    re.IGNORECASE,
)
_EQUALS = re.compile(r"^[\"'`\])]*\s*=\s*(?:\"(?P<value_quoted>[^\"\n]+)\"|(?P<value_word>0x[0-9a-f]+|\d+)(?![\w.]))")
_TYPE = re.compile(r"\bREG_(?:SZ|DWORD|QWORD|BINARY|EXPAND_SZ|MULTI_SZ|NONE)\b")
_TOOL_OPTION = re.compile(r"\s(?:/v|-name)\s", re.IGNORECASE)


def registry_key(item: PlacedItem) -> str | None:
    """Give the key: the item without the name of a value where that is known."""
    return _parted(item)[0]


def registry_value_name(item: PlacedItem) -> str | None:
    r"""Give the value's name: of an item under a Run key, one written apart from its key, or a name no key has."""
    return _parted(item)[1]


def registry_value_data(item: PlacedItem) -> str | None:
    """Give what is written into the value: after `/d`, `-Value` or `=`, or what it is set to."""
    behind = item.around[2].partition("\n")[0]
    if _command(item) in ("created", "modified"):
        return quoted_or_word(_DATA.search(behind))
    return quoted_or_word(_SET_TO.match(behind) or _EQUALS.match(behind))


def registry_value_type(item: PlacedItem) -> str | None:
    """Give the value's type: the one `REG_…` in the item's line."""
    found = set(_TYPE.findall(item.line))
    return found.pop() if len(found) == 1 else None


def registry_operation(item: PlacedItem) -> str | None:
    """Tell `created`, `modified`, `deleted` or `queried`: by the command, else by the verbs of the sentence."""
    return _command(item) or only(_VERBS, item.sentence.replace(item.value, " "))


def _command(item: PlacedItem) -> str | None:
    return only(_COMMANDS, item.around[0].rpartition("\n")[2])


def _parted(item: PlacedItem) -> tuple[str | None, str | None]:
    """Part an item into its key and the name of a value; what a tool's options name is left whole."""
    key, slash, name = item.value.rpartition("\\")
    whole = item.value, None
    if not slash or not key.strip("\\ ") or not name.strip() or _TOOL_OPTION.search(item.value):
        return whole
    folded = lower(unwrapped(fold(key).text)).rstrip("\\ ")
    is_value = len(item.parts) == 2 or bool(_VALUES_IN.search(folded)) or lower(name.strip("\"'`")) in _VALUE_NAMES
    return (key.rstrip("\\"), name) if is_value else whole
