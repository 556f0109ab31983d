r"""The rules of scheduled tasks: the item is a name, a path in the task folder (`\Microsoft\…`) or a file's path."""

import re

from ctiforge.serving.fields.wording import done_to, only, said_behind
from ctiforge.serving.placing import PlacedItem

_FOLDERS = re.compile(r"(?<![\w:%\\])\\(?:[\w.() -]{1,64}\\)*$")
_STORE = re.compile(r"(?:[A-Za-z]:\\Windows|%(?:windir|systemroot)%)\\(?:System32\\|SysWOW64\\)?Tasks\\", re.IGNORECASE)
_STORE_BEFORE = re.compile(rf"{_STORE.pattern}(?:[\w.() -]{{1,64}}\\)*$", re.IGNORECASE)
_COMMAND_BEFORE = 300
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
    rf"\b(?:run|runs|running|execut\w+|launch\w*)\b[^.;,]{{0,40}}? (?:as|under|with) (?:the |an? )?"
    rf"(?P<who>{_ACCOUNT}(?: (?:account|privileges|user))?|highest (?:available )?privileges)"
    rf"|/ru\s+\"?(?P<option>{_ACCOUNT})",
    re.IGNORECASE,
)
_SWITCH = re.compile(
    r"\bschtasks(?:\.exe)?[\"']?\s(?:(?!\bschtasks\b)[^\n|&]){0,200}?/(?P<verb>create|change|delete|query|run)\b",
    re.IGNORECASE,
)
_SWITCHES = {"create": "created", "change": "modified", "delete": "deleted", "query": "queried", "run": "executed"}
_NAMED = re.compile(r"(?:/tn|-TaskName)\s+[\\\"'“]*(?:[\w.() -]{1,64}\\)*$", re.IGNORECASE)
_CMDLETS = {
    "created": re.compile(r"\bRegister-ScheduledTask\b[^\n|;]{0,200}$", re.IGNORECASE),
    "modified": re.compile(r"\bSet-ScheduledTask\b[^\n|;]{0,200}$", re.IGNORECASE),
    "deleted": re.compile(r"\bUnregister-ScheduledTask\b[^\n|;]{0,200}$", re.IGNORECASE),
    "queried": re.compile(r"\bGet-ScheduledTask\b[^\n|;]{0,200}$", re.IGNORECASE),
    "executed": re.compile(r"\bStart-ScheduledTask\b[^\n|;]{0,200}$", re.IGNORECASE),
}
_VERBS = {
    "created": r"creat(?:es|ed|ing)|register(?:s|ed|ing)|add(?:s|ed|ing)",
    "modified": r"modif(?:ies|ied|ying)|chang(?:es|ed|ing)",
    "deleted": r"delet(?:es|ed|ing)|remov(?:es|ed|ing)",
    "queried": r"quer(?:ies|ied|ying)|enumerat(?:es|ed|ing)",
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
    """Give the one trigger that the sentence names behind the task, in its own words; a command's options count not."""
    said = said_behind(item)
    found = {each.group() for each in _ELEMENT.finditer(said)}
    found |= {each["often"] or each.group() for each in _WHEN.finditer(said)}
    return found.pop() if len(found) == 1 else None


def task_principal(item: PlacedItem) -> str | None:
    """Give the one account or level of rights that is named behind the task, in the article's own words."""
    found = {each["who"] or each["option"] for each in _PRINCIPAL.finditer(said_behind(item))}
    return found.pop() if len(found) == 1 else None


def task_store_path(item: PlacedItem) -> str | None:
    r"""Give the file that holds the task, under `Windows\System32\Tasks`, where the item is it or ends it."""
    if _STORE.match(item.value):
        return item.value
    before = _STORE_BEFORE.search(item.around[0])
    return before[0] + item.around[1] if before else None


def task_operation(item: PlacedItem) -> str | None:
    """Tell `created`, `modified`, `deleted`, `queried` or `executed`: by the command that names it, else by a verb."""
    before = item.around[0][-_COMMAND_BEFORE:]
    if not _NAMED.search(before):
        return done_to(item, _VERBS, "tasks?|jobs?")
    switches = list(_SWITCH.finditer(before))
    return _SWITCHES[switches[-1]["verb"].lower()] if switches else only(_CMDLETS, before)
