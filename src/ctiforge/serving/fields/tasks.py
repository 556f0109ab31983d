r"""The rules of scheduled tasks: the item is a name, a path in the task folder (`\Microsoft\…`) or a file's path."""

import re

from ctiforge.serving.fields.wording import only, words
from ctiforge.serving.placing import PlacedItem

_FOLDERS = re.compile(r"(?<![\w:%\\])\\(?:[\w.() -]{1,64}\\)*$")
_STORE = re.compile(r"(?:[A-Za-z]:\\Windows|%(?:windir|systemroot)%)\\(?:System32\\|SysWOW64\\)?Tasks\\", re.IGNORECASE)
_STORE_BEFORE = re.compile(rf"{_STORE.pattern}(?:[\w.() -]{{1,64}}\\)*$", re.IGNORECASE)
_ELEMENT = re.compile(r"\b(?:Logon|Boot|Calendar|Time|Event|Idle|Registration|SessionStateChange)Trigger\b")
_WHEN = re.compile(
    r"\b(?:(?:once )?every (?:\d+|one|two|three|four|five|six|ten|fifteen|thirty)? ?(?:minute|hour|day|week|month)s?"
    r"|(?:at|on|upon|during) (?:each |every |any |the )?(?:system |user |computer )?(?:start-?up|boot|log-?[oi]n)"
    r"|(?:when|whenever|each time|every time) (?:a|the|any) user logs? (?:on|in)"
    r"|(?:run|runs|ran|running|execut\w+|scheduled|trigger\w*) (?P<often>hourly|daily|weekly|monthly)"
    r"|On(?:Logon|Startup|Idle|Event))\b",
    re.IGNORECASE,
)
_ACCOUNT = r"(?:NT AUTHORITY\\\w+(?: SERVICE)?|(?:LOCAL |NETWORK )SERVICE|SYSTEM|LocalSystem|Administrators?)"
_PRINCIPAL = re.compile(
    rf"\b(?:run|runs|running|execut\w+|launch\w*) (?:as|under|with) (?:the |an? )?"
    rf"(?P<who>{_ACCOUNT}(?: (?:account|privileges|user))?|highest (?:available )?privileges)"
    rf"|<UserId>(?P<user>[^<\n]+)</UserId>|/ru\s+\"?(?P<option>{_ACCOUNT})",
    re.IGNORECASE,
)
_COMMANDS = {
    "created": re.compile(r"\bschtasks(?:\.exe)?\"?\s[^\n|&]*?/create\b|\bRegister-ScheduledTask\b", re.IGNORECASE),
    "modified": re.compile(r"\bschtasks(?:\.exe)?\"?\s[^\n|&]*?/change\b|\bSet-ScheduledTask\b", re.IGNORECASE),
    "deleted": re.compile(r"\bschtasks(?:\.exe)?\"?\s[^\n|&]*?/delete\b|\bUnregister-ScheduledTask\b", re.IGNORECASE),
    "queried": re.compile(r"\bschtasks(?:\.exe)?\"?\s[^\n|&]*?/query\b|\bGet-ScheduledTask\b", re.IGNORECASE),
    "executed": re.compile(r"\bschtasks(?:\.exe)?\"?\s[^\n|&]*?/run\b|\bStart-ScheduledTask\b", re.IGNORECASE),
}
_VERBS = {
    "created": words("creat(?:e|es|ed|ing)", "register(?:s|ed|ing)?", "add(?:s|ed|ing)?", "set up", "sets up"),
    "modified": words("modif(?:y|ies|ied|ying)", "chang(?:e|es|ed|ing)"),
    "deleted": words("delet(?:e|es|ed|ing)", "remov(?:e|es|ed|ing)"),
    "queried": words("quer(?:y|ies|ied|ying)", "enumerat(?:e|es|ed|ing)"),
}


def task_name(item: PlacedItem) -> str | None:
    """Give the task's name: the item, unless it is a path in the task folder."""
    return None if item.value.startswith("\\") else item.value


def task_path(item: PlacedItem) -> str | None:
    r"""Give the path in the task folder: the item where it begins with `\`, else with the folders right before it."""
    if item.value.startswith("\\"):
        return item.value
    folders = None if _STORE_BEFORE.search(item.around[0]) else _FOLDERS.search(item.around[0])
    return folders[0] + item.around[1] if folders else None


def task_trigger(item: PlacedItem) -> str | None:
    """Give the one trigger that the sentence names, in its own words; what only a command's options say counts not."""
    said = item.sentence.replace(item.value, " ")
    found = {each.group() for each in _ELEMENT.finditer(said)}
    found |= {each["often"] or each.group() for each in _WHEN.finditer(said)}
    return found.pop() if len(found) == 1 else None


def task_principal(item: PlacedItem) -> str | None:
    """Give the one account or level of rights that the line says the task runs with, in its own words."""
    found = {each["who"] or each["user"] or each["option"] for each in _PRINCIPAL.finditer(item.line)}
    return found.pop() if len(found) == 1 else None


def task_store_path(item: PlacedItem) -> str | None:
    r"""Give the file that holds the task, under `Windows\System32\Tasks`, where the item is it or ends it."""
    if _STORE.match(item.value):
        return item.value
    before = _STORE_BEFORE.search(item.around[0])
    return before[0] + item.around[1] if before else None


def task_operation(item: PlacedItem) -> str | None:
    """Tell `created`, `modified`, `deleted`, `queried` or `executed`: by the command, else by the sentence's verbs."""
    if any(each.search(item.line) for each in _COMMANDS.values()):
        return only(_COMMANDS, item.line)
    return only(_VERBS, item.sentence.replace(item.value, " "))
