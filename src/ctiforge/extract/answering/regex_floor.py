"""The rule floor: what regular expressions find that a detection engineer would write in an afternoon.

Every report shows it beside the models: a model that does not beat it is not worth its price.
"""

import re
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

from ctiforge.extract.answering.extraction import Extraction, Source, Tell, WindowSpan
from ctiforge.extract.models import REGEX
from ctiforge.observables.values import normalize
from ctiforge.records.observable import ARROW, TYPES, Observable

_LONGEST_COMMAND = 1500
_LONGEST_QUERY = 6000


class RegexFloor:
    """Finds observables of every known type by rule; an `Extractor`."""

    name = REGEX

    def extract(self, text: str, types: Sequence[str] | None = None, *, source_url: str | None = None) -> Extraction:
        """Find the observables of a text.

        Args:
            text: The text.
            types: The types to look for; None: all.
            source_url: The page that it comes from, for the summary.

        Returns:
            The observables in order of appearance, each value once.
        """
        started = time.monotonic()
        asked = tuple(types) if types else TYPES
        found: list[tuple[int, Observable]] = []
        for type_ in asked:
            for start, value in _FINDERS[type_](text) if type_ in _FINDERS else ():
                found.append((start, Observable(type=type_, value=value, platform=_platform(type_, value))))
        found.sort(key=lambda each: each[0])
        merged: dict[tuple[str, str], Observable] = {}
        for _, item in found:
            merged.setdefault((item.type, normalize(item.type, item.value)), item)
        return Extraction(
            observables=tuple(merged.values()),
            seconds=time.monotonic() - started,
            source_url=source_url,
            requested_types=asked,
        )

    def extract_many(self, sources: Sequence[Source], tell: Tell | None = None) -> Iterator[Extraction]:
        """Extract from many texts.

        Args:
            sources: The texts.
            tell: Is called after each.

        Yields:
            What was found in each, in order.
        """
        for source in sources:
            yield self.extract(source.text, source.types, source_url=source.source_url)
            if tell:
                tell()

    def plan(self, source: Source) -> list[WindowSpan]:
        """Plan to read a text whole.

        Args:
            source: Any text.

        Returns:
            All of it.
        """
        return [(0, len(source.text))]


_Found = Iterator[tuple[int, str]]

# --- command lines -----------------------------------------------------------------------------

# programs that are no English word: any argument makes a command
_PROGRAMS = (
    "cmd|powershell|pwsh|rundll32|regsvr32|mshta|certutil|bitsadmin|wmic|schtasks|nltest|vssadmin|bcdedit|wbadmin|"
    "wevtutil|netsh|whoami|ipconfig|systeminfo|tasklist|taskkill|nslookup|netstat|quser|curl|wget|msiexec|cscript|"
    "wscript|psexec(?:64)?|procdump(?:64)?|ntdsutil|adfind|esentutl|icacls|takeown|fsutil|xcopy|robocopy|mkdir|mklink|"
    "conhost|forfiles|findstr|dsquery|chmod|chown|bash|osascript|launchctl|crontab|systemctl|rclone|winrar|rar|7za?|"
    "msbuild|installutil|regasm|regsvcs|cmstp|hh|pcalua|odbcconf|csc|makecab|wusa|gpupdate|gpresult|cmdkey|auditpol"
)
# programs that are also words: only with what they are known to take
_WORDS = (
    r"net1?(?:\.exe)?\s+(?:user|group|localgroup|view|use|share|start|stop|config|accounts|time|session|computer)\b",
    r"reg(?:\.exe)?\s+(?:add|query|save|delete|export|import|load|copy)\b",
    r"sc(?:\.exe)?\s+(?:\\\\\S+\s+)?(?:create|config|start|stop|delete|query|qc|failure)\b",
    r"(?:cd|copy|type|del|ren|move|dir|echo|attrib|tar|python3?|sh|ping|arp|route|start|query|tree|sudo|nohup|wusa|expand)"
    r"(?=[ \t]+(?:[-/>+][\w/]|>|[\"%$\\]|[A-Za-z]:\\|[\w.*-]+\.\w{2,4}\b|\w+\s*>))",
)
_CMDLETS = r"(?-i:(?:Get|Set|New|Add|Remove|Invoke|Import|Export|Start|Stop|Expand|Enable|Disable)-[A-Z]\w+)"
_FOLDER = r"(?:(?:[A-Za-z]:|%\w+%|\\\\[\w.$-]+)?\\(?:[\w.$%~()-]+(?: [\w.$()-]+)*\\)*)"
_COMMAND_START = re.compile(
    rf"(?<![\w\\/.:-])\"?{_FOLDER}?(?:(?:{_PROGRAMS})(?:\.exe)?\"?(?=[ \t])|[\w.-]{{1,60}}\.exe\"?(?=[ \t]+[-/\"])"
    rf"|{'|'.join(_WORDS)}|{_CMDLETS}(?=[ \t]))",
    re.IGNORECASE,
)
_TOKEN = re.compile(r"\"(?:\\\"|[^\"\n])*\"[^\s\"]*|\S+")
_ARGUMENT = re.compile(r"[-/+][\w?]|.*[\\%$>|&=@\"']|https?:|hxxps?|\w[\w.*-]*\.\w{2,4}$|.*:\d", re.IGNORECASE)
# programs whose first argument may be a plain word
_TAKES_WORDS = re.compile(
    r"\b(?:wmic|netsh|nslookup|bitsadmin|mkdir|wevtutil|fsutil|systemctl|launchctl|winrar|rar|7za?|ntdsutil|powershell|"
    r"vssadmin|wbadmin|rclone|pwsh|crontab)\b|-[A-Z]",
    re.IGNORECASE,
)
_SUB_COMMAND = re.compile(
    r"\s(?:user|group|localgroup|view|use|share|start|stop|config|accounts|query|save|add|create)\b"
)
_HASH = re.compile(r"[0-9a-f]{32,}$")
_CAPTION = re.compile(r"(?:Table|Figure|Fig\.|Image|Screenshot|Listing)[ \t]+\d")
# an option that is written with nothing after its colon
_OPEN_OPTION = re.compile(r"/(?:dclist|dsget\w+|sc_\w+|server|node|format|output):$", re.IGNORECASE)
# a line, with those that it is continued on
_LINE = re.compile(r"(?:[^\n]*[ \t][\^`\\]\n)*[^\n]*")
_CONTINUED = re.compile(r"[\^`\\]\n")
_PROSE = re.compile(
    r"(?:an?|and|are|as|at|be|been|by|can|could|commands?|for|from|has|have|if|in|is|its?|of|on|or|that|the|their|then|"
    r"these|they|this|those|to|used|using|was|we|were|when|which|while|will|with|would|where|after|before|also|"
    r"observed|executed|process|files?|tool|utility|script)$",
    re.IGNORECASE,
)
# what takes a command after it; the `>` of `<url>` leads nowhere
_LED_IN = re.compile(
    r"(?:[|&;({=]|(?<!\S)[\"']|(?<![^\s\d])>+|/[ck]|-c(?:ommand)?|/tr|--headless|/b|\bmin|\bpowershell(?:\.exe)?|\bpwsh)\s*$",
    re.IGNORECASE,
)
_WRAPPERS = {"`": "`", "“": "”", "‘": "’", "'": "'"}
# a closing quote at the end of a word
_CLOSED = re.compile(r"[`”’](?=[.,;:)]*$)")


def _commands(text: str) -> _Found:
    position = 0
    while match := _COMMAND_START.search(text, position):
        command = _command_from(text, match)
        # where it went says little by itself, and ends the command before it
        if command and not command.startswith("cd "):
            yield match.start(), command
        position = match.start() + len(command) if command else match.end()


def _command_from(text: str, match: re.Match[str]) -> str | None:
    """Cut out the command that starts here, until prose, the line or its quotes end; None where it is only named."""
    start = match.start()
    line = _in_wrapper(text, start, next(_LINE.finditer(text[start : start + _LONGEST_COMMAND]))[0])
    head = match.end() - start
    end, known = head, bool(_SUB_COMMAND.search(match[0].lower()))
    arguments = known
    tokens = (token for token in _TOKEN.finditer(line, head) if not _CONTINUED.match(line, token.start()))
    for number, token in enumerate(tokens):
        last = _ends_sentence(line, token)
        word = token[0].rstrip(".,;:") if last else token[0]
        closed = _CLOSED.search(word)
        if closed and _opening(closed[0]) not in line[: token.start() + closed.start()]:
            word, last = word[: closed.start()], True
        is_argument = bool(_ARGUMENT.match(word))
        if number == 0 and not (is_argument or known or _TAKES_WORDS.search(match[0])):
            break
        if _is_prose(line, token) or (_COMMAND_START.match(line, token.start()) and not _LED_IN.search(line[:end])):
            break
        arguments = arguments or is_argument
        end = token.start() + len(word)
        if last:
            break
    command = line[:end].strip().rstrip(",;")
    command = command[:-1] if command.endswith(")") and "(" not in command else command
    return command if arguments and len(command) > 4 else None


def _in_wrapper(text: str, start: int, line: str) -> str:
    """Cut a line that stands in quotes where they close; a continuation's backtick closes nothing."""
    closing = _WRAPPERS.get(text[start - 1 : start])
    end = (
        next((m.start() for m in re.finditer(closing, line) if not _CONTINUED.match(line, m.start())), None)
        if closing
        else None
    )
    return line[:end]


def _opening(closing: str) -> str:
    return next(opening for opening, each in _WRAPPERS.items() if each == closing)


def _is_prose(line: str, token: re.Match[str]) -> bool:
    """Tell whether the command ended before this word: of English, of a heading or caption, a lone dash, a hash."""
    word = token[0].strip(".,;:)")
    if _PROSE.match(word) or word in ("", "-", "+", "/", "^", "`", "\\") or _HASH.match(word):
        return True
    if _CAPTION.match(line, token.start()):
        return True
    following = _TOKEN.search(line, token.end())
    heading = word[:1].isupper() and word.isalpha() and following and following[0].strip(".,;:").isalpha()
    return bool(heading) and not line.lower().startswith("wmic")


def _ends_sentence(line: str, token: re.Match[str]) -> bool:
    after = line[token.end() : token.end() + 3]
    if _OPEN_OPTION.match(token[0]):
        return False
    if token[0].endswith((".", ":")) and len(token[0]) > 2:
        return not after.strip() or after[:2].strip()[:1].isupper()
    return token[0].endswith((",", ";")) and bool(re.match(r" [a-z]+ ", line[token.end() : token.end() + 20]))


# --- registry, services, tasks -----------------------------------------------------------------

_KEY = re.compile(
    r"\b(?:HKEY_(?:LOCAL_MACHINE|CURRENT_USER|CLASSES_ROOT|USERS|CURRENT_CONFIG)|HK(?:LM|CU|CR|U|CC)):?"
    r"(?:\\{1,2}[\w{}().$%@&+<>-]+(?: [\w.()-]+){0,3}(?=\\))*\\{1,2}[\w{}.$%@<>-]+(?: (?:NT|Settings|Components)\b)?"
)
_REG = re.compile(
    r"(?:\breg(?:\.exe)?\"?\s+(?:add|delete|query)|ItemProperty(?:\s+-\w*Path)?)\s+[\"']?$", re.IGNORECASE
)
_VALUE_NAME = re.compile(
    r"[\"']?(?:[ \t]+/(?!v\b)\w+(?:[ \t]+[^\s/]\S*)?){0,4}[ \t]+(?:/v|-Name)[ \t]+"
    r"(?:\"([^\"\n]{1,120})\"|'([^'\n]{1,120})'|([^\s\"'`]{1,120}))",
    re.IGNORECASE,
)
_QUOTED = r"[\"'“‘`]([^\"'”’`\n]{2,80})[\"'”’`]"
_NAME_WORD = r"(\\?[A-Za-z][\w.$\\-]{2,80})"
# a word that is a name by its look: two capitals, a unit of systemd, or a path
_LOOKS_NAMED = r"((?-i:[A-Z][a-z0-9]+[A-Z]\w+)|[\w@-]+\.service\b|\\(?:\w+\\)*\w+|[A-Z]:\\[\w.\\-]+\.exe)"
_NAMED = r"(?: is| was)?(?: named| called|,? with the name| name:?)\s+"
_SERVICES = (
    re.compile(
        r"\bsc(?:\.exe)?\s+(?:\\\\\S+\s+)?(?:create|config|start|stop|delete)\s+\"?([\w.$-]{2,60})\"?", re.IGNORECASE
    ),
    re.compile(r"\bNew-Service\s+(?:[\"']([^\"'\n]{2,80})[\"']|([\w.$][\w.$-]{1,59}))", re.IGNORECASE),
    re.compile(
        r"\b(?:New|Start|Stop|Set|Get|Restart|Remove|Suspend)-Service\b[^\n|;]{0,200}?\s-Name\s+"
        r"(?:[\"']([^\"'\n]{2,80})[\"']|([\w.$-]{2,60}))",
        re.IGNORECASE,
    ),
    re.compile(rf"\bservices?{_NAMED}(?:{_QUOTED}|{_NAME_WORD})", re.IGNORECASE),
    re.compile(rf"\bservice(?: installed)?[:,]?\s+(?:{_QUOTED}|{_LOOKS_NAMED})", re.IGNORECASE),
    re.compile(rf"\b(?:install|register)s?\s+{_LOOKS_NAMED}\s+as an? (?:\w+ )?service\b", re.IGNORECASE),
    re.compile(rf"{_QUOTED}\s+(?:Windows |system )?service\b"),
    re.compile(r"\bsystemctl\s+(?:enable|start|stop|disable)\s+(?:--now\s+)?([\w@.-]{2,60})"),
)
_TASKS = (
    re.compile(r"/tn\s+(?:\\?[\"'“]([^\"'”\n]{2,120}?)\\?[\"'”]|([^\s\"]{2,120}))", re.IGNORECASE),
    re.compile(r"-TaskName\s+(?:[\"']([^\"'\n]{2,120})[\"']|([^\s\"']{2,120}))", re.IGNORECASE),
    re.compile(rf"\btasks?{_NAMED}(?:{_QUOTED}|{_NAME_WORD})", re.IGNORECASE),
    re.compile(rf"\btask[:,]?\s+(?:{_QUOTED}|{_LOOKS_NAMED})", re.IGNORECASE),
    re.compile(rf"{_QUOTED}\s+(?:scheduled )?task\b", re.IGNORECASE),
)


def _keys(text: str) -> _Found:
    for match in _KEY.finditer(text):
        if match[0].count("\\") >= 2:
            key = match[0].rstrip(".-")
            command = _REG.search(text, max(0, match.start() - 60), match.start())
            named = _VALUE_NAME.match(text, match.end()) if command else None
            yield match.start(), f"{key}\\{next(filter(None, named.groups())).rstrip('.,;')}" if named else key


def _named(patterns: Sequence[re.Pattern[str]]) -> Callable[[str], _Found]:
    def find(text: str) -> _Found:
        for pattern in patterns:
            for match in pattern.finditer(text):
                name = next(group for group in match.groups() if group).strip().rstrip(".,;\\")
                if len(name) > 1 and not _PROSE.match(name):
                    yield match.start(), name

    return find


# --- process lineage ---------------------------------------------------------------------------

_EXE = r"[\"'“‘`]?(?:[A-Za-z]:\\[^\s\":]{0,200}\\)?(?<![\w.-])([\w.-]{1,60}\.exe)[\"'”’`]?"
_VERBS = r"(?:spawn|launch|start|execut|creat|invok|run|initiat|dropp?ed and execut)(?:s|ed|es|ing|ning)?"
_FILLER = r"also|then|subsequently|went|on|to|a|an|the|new|another|child|process|instance|of|called|named"
_CHILD = rf"(?:\s+(?:{_FILLER})){{0,6}}"
_DOWN = re.compile(rf"{_EXE}(?:\s+process)?{_CHILD}\s+{_VERBS}{_CHILD}\s+{_EXE}", re.IGNORECASE)
_UP = re.compile(
    rf"{_EXE}(?:\s+process)?(?:\s+(?:was|is|has|been|being|be|as|a|child|process|then))*\s+"
    rf"(?:{_VERBS}\s+by|child\s+(?:process\s+)?of|of)(?:\s+(?:the|its|a|an|parent|process))*\s+{_EXE}",
    re.IGNORECASE,
)
_PARENT_OF = re.compile(rf"{_EXE}\s+(?:as|is|was)\s+(?:the |a )?parent(?: process)? of\s+{_EXE}", re.IGNORECASE)
_PARENT_CHILD = re.compile(
    rf"\bparent(?: process)?:?\s+{_EXE},?(?: and)?\s+child(?: process)?:?\s+{_EXE}", re.IGNORECASE
)
_ARROWS = re.compile(r"(?<![\w.-])[\w.-]{1,60}\.exe(?:\s*(?:→|-*>|=+>|⟶)\s*[\w.-]{1,60}\.exe)+", re.IGNORECASE)


def _lineages(text: str) -> _Found:
    for pattern in (_DOWN, _PARENT_OF, _PARENT_CHILD):
        for match in pattern.finditer(text):
            yield match.start(), match[1] + ARROW + match[2]
    for match in _UP.finditer(text):
        yield match.start(), match[2] + ARROW + match[1]
    for match in _ARROWS.finditer(text):
        names = re.findall(r"[\w.-]+\.exe", match[0], re.IGNORECASE)
        for parent, child in pairwise(names):
            yield match.start(), parent + ARROW + child


# --- hunt queries and network indicators -------------------------------------------------------

_SIGMA = re.compile(
    rf"\btitle:\s(?:(?!\btitle:\s)[\s\S]){{20,{_LONGEST_QUERY}}}?\bcondition:[^\n]*?(?=\s*(?:$|\n\n|falsepositives:|level:|tags:))"
    r"(?:\s*falsepositives:(?:\s*-\s*[^\n]*?(?=\s+level:|\s+-\s|\n))*)?(?:\s*level:\s*\w+)?(?:\s*tags:(?:\s*-\s*[\w.]+)+)?"
)
_TABLE = (
    r"(?:Device\w+Events|Cloud\w+Events|Email\w*Events|Identity\w+Events|SecurityEvent|SigninLogs|Syslog|"
    r"CommonSecurityLog|AuditLogs|Event|_?[iI]m_?[A-Z]\w+|_?ASim_?\w+)(?:\([^|\n]{0,200}\))?"
)
# comments and `let` statements before the table, which may be one of theirs
_BEFORE_TABLE = r"(?:(?:^[ \t]*//[^\n]{0,300}\n|\blet\s+\w{1,60}\s*=[^;]{1,1500};)\s*){1,9}"
_TABLE_QUERY = re.compile(
    rf"(?:{_BEFORE_TABLE}\w{{1,60}}(?:\([^|\n]{{0,200}}\))?|\b{_TABLE})"
    r"\s*\|\s*(?:where|project|summarize|extend|join|union|distinct)\b",
    re.MULTILINE,
)
_SEARCH_QUERY = re.compile(
    r"(?:\bindex\s*=\s*\S+|\bsourcetype\s*=\s*\S+|\bevent_platform=\w+|#?\bevent_simpleName=\w+|`sysmon`)"
)
_QUERY_END = re.compile(
    r"\n\s*\n|\n(?!\s*(?:\||and\b|or\b|\)|where\b|by\b|//|\"))|(?<=[\])\w\"])\s(?=[A-Z][a-z]+ [a-z]+ [a-z]+ )|$"
)
_HOST = r"(?<![\w.\]-])(?:[\w-]{1,63}\.){0,8}[\w-]{1,63}\[\.\](?:[\w-]{1,63}(?:\[\.\]|\.)){0,8}[\w-]{1,63}"
_NETWORK = re.compile(rf"\bhxxps?(?:\[:\]|:)//[^\s\"'<>)]+|{_HOST}(?:/[^\s\"'<>),]*)?", re.IGNORECASE)


def _queries(text: str) -> _Found:
    for match in _SIGMA.finditer(text):
        if "detection:" in match[0]:
            yield match.start(), match[0].strip()
    position = 0
    while start := _first(text, position, _TABLE_QUERY, _SEARCH_QUERY):
        end = _QUERY_END.search(text, start.end(), start.start() + _LONGEST_QUERY)
        query = _unquoted(text, start.start(), text[start.start() : end.start() if end else start.end()]).strip()
        if "|" in query or query.count("=") >= 2:
            yield start.start(), query
        position = start.start() + max(len(query), 1)


def _unquoted(text: str, start: int, query: str) -> str:
    """Cut a query that stands in quotes where they close: before a blank, a sign of a sentence, or its end."""
    closing = _WRAPPERS.get(text[start - 1 : start])
    closed = re.search(rf"{closing}(?=[\s.,;:)]|$)", query) if closing else None
    return query[: closed.start()] if closed else query


def _first(text: str, position: int, *patterns: re.Pattern[str]) -> re.Match[str] | None:
    matches = [match for pattern in patterns if (match := pattern.search(text, position))]
    return min(matches, key=lambda match: match.start(), default=None)


def _addresses(text: str) -> _Found:
    for match in _NETWORK.finditer(text):
        yield match.start(), match[0].rstrip(".,;:")


_FINDERS: dict[str, Callable[[str], _Found]] = {
    "cmdline": _commands,
    "registry": _keys,
    "services": _named(_SERVICES),
    "scheduled_tasks": _named(_TASKS),
    "process_lineage": _lineages,
    "hunt_queries": _queries,
    "network_indicators": _addresses,
}

_MAC = re.compile(r"\bosascript\b|\blaunchctl\b|/Library/|event_platform=Mac|\bdscl\b|\bxattr\b|/Applications/")
_LINUX = re.compile(
    r"(?:^|\s)(?:sudo|chmod|chown|bash|systemctl|crontab|nohup|sh)\s|(?:^|[\s\"'])/(?:tmp|etc|var|usr|home|opt|bin)/"
    r"|product: linux|\.service$"
)


def _platform(type_: str, value: str) -> str | None:
    if type_ == "network_indicators":
        return None
    if _MAC.search(value):
        return "MacOS"
    return "Linux" if _LINUX.search(value) else "Windows"
