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
    rf"(?P<who>{_ACCOUNT}(?: (?:account|privileges|user))?|highest (?:available )?privileges)",
    re.IGNORECASE,
)
_SWITCH = re.compile(
    r"\bschtasks(?:\.exe)?[\"']?\s(?:(?!\bschtasks\b)[^\n|&]){0,200}?/(?P<verb>create|change|delete|query|run)\b",
    re.IGNORECASE,
)
_SWITCHES = {"create": "created", "change": "modified", "delete": "deleted", "query": "queried", "run": "executed"}
_NAMED = re.compile(r"(?:/tn|-TaskName)\s+[\\\"'“]*(?:[\w.() -]{1,64}\\)*$", re.IGNORECASE)
_COMMAND_END = re.compile(r"\n|&|\|\||\bschtasks\b")
_SCHEDULE = re.compile(r"/sc\s+\"?(?P<often>[a-z]+)", re.IGNORECASE)
_EVERY = re.compile(r"/mo\s+\"?(?P<number>\w+)", re.IGNORECASE)
_RUN_AS = re.compile(r"/ru\s+(?:\"(?P<quoted>[^\"\n]{1,80})\"|(?P<word>[^\s\"/]\S*))", re.IGNORECASE)
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
    """Give the one trigger: what `/sc` and `/mo` of the command say that names the task, else the words behind it."""
    options = _options(item)
    if often := _SCHEDULE.search(options):
        every = _EVERY.search(options)
        return f"{often['often']} /mo {every['number']}" if every else often["often"]
    said = said_behind(item)
    found = {each.group() for each in _ELEMENT.finditer(said)}
    found |= {each["often"] or each.group() for each in _WHEN.finditer(said)}
    return found.pop() if len(found) == 1 else None


def task_principal(item: PlacedItem) -> str | None:
    """Give the one account: `/ru` of the command that names the task, else what the words behind it say."""
    if account := _RUN_AS.search(_options(item)):
        return account["quoted"] or account["word"]
    found = {each["who"] for each in _PRINCIPAL.finditer(said_behind(item))}
    return found.pop() if len(found) == 1 else None


def task_store_path(item: PlacedItem) -> str | None:
    r"""Give the file that holds the task, under `Windows\System32\Tasks`, where the item is it or ends it."""
    if _STORE.match(item.value):
        return item.value
    before = _STORE_BEFORE.search(item.around[0])
    return before[0] + item.around[1] if before else None


def task_operation(item: PlacedItem) -> str | None:
    """Tell `created`, `modified`, `deleted`, `queried` or `executed`: by the command that names it, else by a verb."""
    before = _in_command(item).around[0][-_COMMAND_BEFORE:]
    if not _NAMED.search(before):
        return done_to(item, _VERBS, "tasks?|jobs?")
    switches = list(_SWITCH.finditer(before))
    return _SWITCHES[switches[-1]["verb"].lower()] if switches else only(_CMDLETS, before)


def _in_command(item: PlacedItem) -> PlacedItem:
    """Give the item at the first place of its paragraph where a command names it; the item itself where none does."""
    return next((each for each in item.mentions if _NAMED.search(each.around[0][-_COMMAND_BEFORE:])), item)


def _options(item: PlacedItem) -> str:
    """Give the line of the schtasks command that makes or changes the task; empty where none does."""
    before, name, behind = _in_command(item).around
    before = before[-_COMMAND_BEFORE:]
    switches = list(_SWITCH.finditer(before)) if _NAMED.search(before) else []
    if not switches or switches[-1]["verb"].lower() not in ("create", "change"):
        return ""
    return before[switches[-1].start() :] + name + _COMMAND_END.split(behind, maxsplit=1)[0]
