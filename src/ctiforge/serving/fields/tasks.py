r"""The rules of scheduled tasks: the item is a name, a path in the task folder (`\Microsoft\…`) or a file's path."""

import re

from ctiforge.serving.fields.invocations import CommandTool, Invocation, command_naming
from ctiforge.serving.fields.wording import done_behind, done_to, said_behind
from ctiforge.serving.placing import PlacedItem

_FOLDERS = re.compile(r"(?<![\w:%\\])\\(?:[\w.() -]{1,64}\\)*$")
_STORE = re.compile(r"(?:[A-Za-z]:\\Windows|%(?:windir|systemroot)%)\\(?:System32\\|SysWOW64\\)?Tasks\\", re.IGNORECASE)
_STORE_BEFORE = re.compile(rf"{_STORE.pattern}(?:[\w.() -]{{1,64}}\\)*$", re.IGNORECASE)
_ELEMENT = re.compile(r"\b(?:Logon|Boot|Calendar|Time|Event|Idle|Registration|SessionStateChange)Trigger\b")
_WHEN = re.compile(
    r"\b(?:(?:once )?every (?:\d+|one|two|three|four|five|six|ten|fifteen|thirty)? ?(?:minute|hour|day|week|month)s?"
    r"|(?:at|on|upon|during) (?:each |every |any |the )?(?:system |user |computer )?(?:start-?up|boot|log-?[oi]n)"
    r"|(?:when|whenever|each time|every time) (?:a|the|any) user logs? (?:on|in)"
    r"|(?:run|runs|ran|running|execut\w+|scheduled|trigger\w*|and|or) (?P<often>hourly|daily|weekly|monthly)"
    r"|On(?:Logon|Startup|Idle|Event))\b",
    re.IGNORECASE,
)
_RUNS = (
    r"(?:run|runs|ran|running|execut\w+|launch\w*|start(?:s|ed|ing)?|fires?|trigger\w*|scheduled|set|configured|with)"
)
# the item itself is what runs, right behind its name
_CLAUSE = re.compile(
    r"[\"'”’`]*\s*[,(]?\s*(?:(?:task|job)\b,?\s*)?(?:(?:that|which|and|it|to)\s+)?"
    r"(?:(?:is|was|will be|has been)\s+)?(?:(?:created|registered|configured|set|set up)\s+)?(?:to\s+)?"
    rf"(?P<said>(?:{_RUNS}\b|every\b|(?:at|on)\s+(?:\w+\s+)?(?:start|boot|log)).*)",
    re.IGNORECASE,
)
# where another clause begins, or what runs does something else
_CLAUSE_END = re.compile(
    r",(?!\s*(?:as|at|every|under)\b)|…|\s(?:that|which|who|whose|while|whereas|but|unlike|because|before|after|to|\w+ing"
    r"|(?:and|or)(?!\s(?:(?:runs? |executes? )?"
    r"(?:as|at|on|every|under|with|when|whenever|hourly|daily|weekly|monthly))\b))\s",
    re.IGNORECASE,
)
_ACCOUNT = r"(?:NT AUTHORITY\\\w+(?: SERVICE)?|(?:LOCAL |NETWORK )SERVICE|(?-i:SYSTEM)|LocalSystem|Administrators?)\b"
_NO_USER = r"(?!(?:input|interaction|profile|mode|account|context|session|privileges?|logon|login|rights?|name)\b)"
_PRINCIPAL = re.compile(
    rf"\s(?:(?:as|under) (?:the |a )?user {_NO_USER}(?P<user>[\w.$\\-]*[\w$])(?![\w:\\])"
    rf"|(?:as|under|with) (?:the |an? )?(?P<account>{_ACCOUNT})(?!['’-]))",
    re.IGNORECASE,
)
_HIGHEST = re.compile(r"\swith (?:the )?(?P<level>highest (?:available )?privileges)\b", re.IGNORECASE)
_SWITCHES = {"create": "created", "change": "modified", "delete": "deleted", "query": "queried", "run": "executed"}
_CMDLETS = {"register": "created", "set": "modified", "unregister": "deleted", "get": "queried", "start": "executed"}
_TOOLS = (
    CommandTool(
        re.compile(r"\bschtasks(?:\.exe)?[\"']?(?=\s)", re.IGNORECASE),
        re.compile(
            r"/(?P<name>create|change|delete|query|run|end|tn|tr|sc|mo|ru|rp|rl|st|et|sd|ed|ri|du|ec|xml|delay|fo"
            r"|enable|disable|it|np|hresult|v1|nh|[fvzksupdmi])(?![\w:/\\])",
            re.IGNORECASE,
        ),
        switches=frozenset(
            (*_SWITCHES, *("end", "enable", "disable", "it", "np", "hresult", "v1", "nh", "f", "v", "z", "k"))
        ),
        names=frozenset({"tn"}),
    ),
    CommandTool(
        re.compile(r"\b(?P<verb>Register|Set|Unregister|Get|Start)-ScheduledTask(?=\s)", re.IGNORECASE),
        re.compile(
            r"[-–](?P<name>TaskName|TaskPath|Action|Trigger|User|Password|Description|Settings|Principal|RunLevel|Xml"
            r"|InputObject|ErrorAction|Force|Confirm|AsJob)\b(?::\$\w+)?",
            re.IGNORECASE,
        ),
        switches=frozenset({"force", "confirm", "asjob"}),
        names=frozenset({"", "taskname"}),
    ),
)
_SCHEDULE = re.compile(r"(?:minute|hourly|daily|weekly|monthly|once|onstart|onlogon|onidle|onevent)$", re.IGNORECASE)
_TRIGGER_MADE = re.compile(
    r"\s*New-ScheduledTaskTrigger\s[^|;]*?-(?P<often>AtLogOn|AtStartup|Daily|Weekly|Once)\b", re.IGNORECASE
)
_IN_XML = re.compile(r"<URI>\s*\\?(?:[\w.() -]{1,64}\\)*$")
_XML_TRIGGER = re.compile(r"<(?P<kind>\w{1,40})Trigger\b[^>]{0,200}>(?s:.*?)</(?P=kind)Trigger>")
_XML_USER = re.compile(r"<UserId>\s*(?P<user>[^<\s][^<]{0,80}?)\s*</UserId>")
_VERBS = {
    "created": r"creat(?:es|ed|ing)|register(?:s|ed|ing)|add(?:s|ed|ing)",
    "modified": r"modif(?:ies|ied|ying)|chang(?:es|ed|ing)",
    "deleted": r"delet(?:es|ed|ing)|remov(?:es|ed|ing)",
    "queried": r"quer(?:ies|ied|ying)|enumerat(?:es|ed|ing)",
}
_UNDONE = {kind: _VERBS[kind] for kind in ("modified", "deleted")}
_NOUNS = "tasks?|jobs?"


def task_name(item: PlacedItem) -> str | None:
    """Give the task's name: the item, unless it is a path in the task folder or of the task's file."""
    return None if item.value.startswith("\\") or _STORE.match(item.value) else item.value


def task_path(item: PlacedItem) -> str | None:
    r"""Give the path in the task folder: the item where it begins with `\`, else with the folders right before it."""
    if item.value.startswith("\\"):
        return item.value
    folders = None if _STORE_BEFORE.search(item.around[0]) else _FOLDERS.search(item.around[0])
    return folders[0] + item.around[1] if folders else None


def task_trigger(item: PlacedItem) -> str | None:
    """Give the one trigger: what the command or the XML says that names the task, else the words behind it."""
    if command := _command(item):
        return _scheduled(command)
    found = {each.group() for each in _ELEMENT.finditer(_xml(item))}
    if not found:
        said = _said(item)
        found = {each.group() for each in _ELEMENT.finditer(said)}
        found |= {each["often"] or each.group() for each in _WHEN.finditer(said)}
    return found.pop() if len(found) == 1 else None


def task_principal(item: PlacedItem) -> str | None:
    """Give the one account: what the command or the XML says that names the task, else the words behind it."""
    if command := _command(item):
        account = command.value("ru", "user")
        return None if account and account.startswith("$") else account
    if xml := _xml(item):
        found = {each["user"] for each in _XML_USER.finditer(_XML_TRIGGER.sub("", xml))}
    else:
        said = _said(item)
        found = {each["user"] or each["account"] for each in _PRINCIPAL.finditer(said)}
        found = found or {each["level"] for each in _HIGHEST.finditer(said)}
    return found.pop() if len(found) == 1 else None


def task_store_path(item: PlacedItem) -> str | None:
    r"""Give the file that holds the task, under `Windows\System32\Tasks`, where the item is it or ends it."""
    if _STORE.match(item.value):
        return item.value
    before = _STORE_BEFORE.search(item.around[0])
    return before[0] + item.around[1] if before else None


def task_operation(item: PlacedItem) -> str | None:
    """Tell `created`, `modified`, `deleted`, `queried` or `executed`: by the command that names it, else by a verb."""
    command = _command(item)
    if not command:
        return done_to(item, _VERBS, _NOUNS)
    return _done_by(command)


def _command(item: PlacedItem) -> Invocation | None:
    return command_naming(item, _TOOLS, _done_by)


def _done_by(command: Invocation) -> str | None:
    if command.verb:
        return _CMDLETS[command.verb]
    told = [kind for switch, kind in _SWITCHES.items() if switch in command.words]
    return told[0] if len(told) == 1 else None


def _scheduled(command: Invocation) -> str | None:
    """Give when a command that was read to its end has the task run."""
    trigger = _TRIGGER_MADE.match(command.value("trigger") or "")
    often, every = command.value("sc"), command.value("mo")
    if trigger or not often or not _SCHEDULE.match(often) or not command.whole:
        return trigger["often"] if trigger else None
    is_cut = "mo" in command.words and not every
    return None if is_cut else f"{often} /mo {every}" if every else often


def _xml(item: PlacedItem) -> str:
    """Give the paragraph where it is the XML of this task alone; else nothing."""
    text = item.paragraph or ""
    return text if _IN_XML.search(item.around[0]) and text.count("<URI>") == 1 else ""


def _said(item: PlacedItem) -> str:
    """Give the clause right behind an item that says when and as whom it runs."""
    if done_behind(item, _UNDONE, _NOUNS):
        return ""
    clause = _CLAUSE.match(said_behind(item))
    return _CLAUSE_END.split(f" {clause['said']} ", maxsplit=1)[0] if clause else ""
