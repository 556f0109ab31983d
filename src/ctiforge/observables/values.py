"""When two values are the same observable: the strict key, the normalized key, and the fold behind the latter."""

import html
import re
import unicodedata
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ctiforge.records.observable import ARROW

_DASHES = "-=|~‐‑‒–—―−"
_ARROWS = re.compile(rf"(?<![{_DASHES}])[{_DASHES}]++\\?(?:>|&gt;)|[→⟶⇒⟹➜➔►▶»›]")
# it redirects a command's output as well: an arrow only where no other is, and never before a file of text
_WEAK_ARROWS = re.compile(
    r"(?:(?<=\s)(?:>|&gt;)\s|(?<=\w)(?:>|&gt;)(?=[\w\"'%\\/]))"
    r"(?!nul\b|\S{1,260}\.(?:txt|log|tmp|csv|dat|out|json|xml|html?)\b)",
    re.IGNORECASE,
)
CASELESS_TYPES = frozenset({"registry", "services", "scheduled_tasks", "process_lineage"})


def strict(type_: str, value: str) -> str:
    """Return the key of the exact tier: only outer white space is trimmed.

    Args:
        type_: The observable's type; every type has the same key.
        value: The value as somebody wrote it.

    Returns:
        A key that is equal for the same value.
    """
    return value.strip()


def normalize(type_: str, value: str) -> str:
    r"""Return the key of the normalized tier: equal for two spellings of one observable.

    Folded away for every type: runs of white space (and any beside `> | & ; , = ( ) { } [ ]`),
    zero-width characters, smart quotes and dashes, HTML entities, JSON and vendor escapes
    (`\\`, `\"`, `\-`), defanging (`hxxp`, `[.]`, `[:]`), `<url>` brackets, registry hive aliases
    and the drive colon (`HKCU:\` = `HKEY_CURRENT_USER\`), quotes around the whole value.
    By type: case where Windows ignores it (in a command line save for base64 words, one-letter
    options and what follows a URL's host, and not at all where it names a Unix path); the case of
    every URL's host; arguments, path and `.exe` of process names; the root backslash of a task; outer
    backslashes of a key, `(Default)`, and `reg add KEY /v NAME` around what is `KEY\NAME`; a trailing
    slash of an address. The key is for comparing only: it is not a command that runs.

    Args:
        type_: The observable's type, one of `TYPES`; of another one only the spelling is folded.
        value: The value as somebody wrote it.

    Returns:
        The key.
    """
    if type_ == "process_lineage":
        return ARROW.join(process_stem(name) for name in lineage_names(value))
    key = unwrapped(fold(value).text)
    if type_ in CASELESS_TYPES:
        key = lower(key)
    if type_ == "cmdline":
        return _lower_hosts(_command_case(key))
    if type_ == "hunt_queries":
        return _lower_hosts(key)
    if type_ == "registry":
        return _registry_path(key)
    if type_ == "scheduled_tasks":
        return key.lstrip("\\")
    if type_ == "network_indicators":
        host = _HOST.match(key)
        return (lower(host[0]) + key[host.end() :] if host else lower(key)).rstrip("/")
    return key


def lineage_names(value: str) -> list[str]:
    """Split a process lineage into its names, whichever arrow joins them.

    Args:
        value: The lineage, as in `parent -> child`.

    Returns:
        The names without outer white space; one where there is no arrow, none where nothing is written.
    """
    arrows = _ARROWS if _ARROWS.search(value) else _WEAK_ARROWS
    return [name for name in (part.strip() for part in arrows.split(value)) if name]


def process_stem(name: str) -> str:
    r"""Strip a process of its arguments, folder, `.exe` and case: `C:\Windows\CMD.EXE /c whoami` is `cmd`.

    Args:
        name: The process as somebody wrote it.

    Returns:
        What is left of its name.
    """
    folded = lower(unwrapped(fold(name).text))
    program = next((match[1] for each in _PROGRAMS if (match := each.match(folded))), folded)
    return re.split(r"[\\/]", program.strip("\"'` "))[-1].removesuffix(".exe").strip()


@dataclass(frozen=True)
class Folded:
    """A text with its spelling variants folded away, and where each character came from."""

    text: str
    starts: Sequence[int]
    """For each folded character, its first character in the original text."""
    ends: Sequence[int]
    """For each folded character, one past its last character in the original text."""


def fold(text: str) -> Folded:
    """Fold the variants that every type shares (see `normalize`); case is kept.

    Args:
        text: A value, or a whole article.

    Returns:
        The folded text, and where each of its characters came from.
    """
    folded = Folded(text.translate(_LOOKALIKES), array("i", range(len(text))), array("i", range(1, len(text) + 1)))
    for pattern, replacement in _RULES:
        folded = _rewrite(folded, pattern, replacement)
    return folded


def lower(text: str) -> str:
    """Lower the case character for character.

    Args:
        text: Any text.

    Returns:
        A text of the same length.
    """
    return text.translate(_LONG_LOWER).lower().translate(_LONG_LOWER)


def unwrapped(folded: str) -> str:
    """Strip outer white space and one pair of quotes or backticks around the whole.

    Args:
        folded: A folded text.

    Returns:
        What is left of it.
    """
    value = folded.strip()
    if len(value) > 2 and value[0] == value[-1] and value[0] in "\"'`" and value[0] not in value[1:-1]:
        return value[1:-1].strip()
    return value


# one character for one: positions do not move
_LOOKALIKES = str.maketrans(
    {chr(wide): chr(wide - 0xFEE0) for wide in range(0xFF01, 0xFF5F)}
    | dict.fromkeys("“”„‟″", '"')
    | dict.fromkeys("‘’‚‛′", "'")
    | dict.fromkeys("‐‑‒–—―−﹣", "-")
)
_LONG_LOWER = str.maketrans({"İ": "i", "Σ": "σ", "ς": "σ"})
_DEFANGED = {"dot": ".", "at": "@"}
_HIVES = {
    "hkey_local_machine": "hklm",
    "registry\\machine": "hklm",
    "hkey_current_user": "hkcu",
    "hkey_classes_root": "hkcr",
    "hkey_users": "hku",
    "registry\\user": "hku",
    "hkey_current_config": "hkcc",
}
_HIVE_NAMES = r"HK(?:LM|CU|CR|U|CC)|HKEY_[A-Z_]+|registry\\(?:machine|user)"
_KEEP_GROUP = None
_LONGEST_PATH = 260
_FOLDER = r"\\[\w.()~$*?%@{}<>-]+(?: [\w.()~$-]+){0,2}"
_PATH_BEFORE = re.compile(rf"(?:\b[a-z]:|\b(?:{_HIVE_NAMES}):?)(?:{_FOLDER})*\Z", re.IGNORECASE)
_VARIABLE_BEFORE = re.compile(r"(?:%\w+%|\$(?:env:)?\w+)(?:\\[\w.~$-]+)*\Z", re.IGNORECASE)


def _entity(match: re.Match[str]) -> str:
    """Read a character's entity, however often its `&` was escaped again; what is none stays as it is."""
    read = html.unescape(f"&{match[1] or 'amp'};")
    return match[0] if len(read) > 1 and read.startswith("&") else read.translate(_LOOKALIKES)


def _json_escape(match: re.Match[str]) -> str:
    return chr(int(match[1], 16)).translate(_LOOKALIKES)


def _composed(match: re.Match[str]) -> str:
    return unicodedata.normalize("NFKC", match[0])


def _refang(match: re.Match[str]) -> str:
    return _DEFANGED.get(match[1].lower(), match[1])


def _hive(match: re.Match[str]) -> str:
    name = match[1].lower()
    return _HIVES.get(name, name)


def _escaped(match: re.Match[str]) -> str:
    r"""Drop the backslash of an escape, keep that of a path: `C:\temp\*.log`, `HKLM\Tasks\{id}`."""
    if match[1] not in "*?{<%$@.":
        return match[1]
    before = match.string[max(0, match.start() - _LONGEST_PATH) : match.start()]
    after = match.string[match.end() : match.end() + 1]
    in_path = _PATH_BEFORE.search(before) or (_VARIABLE_BEFORE.search(before) and after not in ("%", "\\"))
    return "\\" + match[1] if in_path else match[1]


_Replacement = str | Callable[[re.Match[str]], str] | None
# applied in this order; None keeps the match's first group with its own positions; each is linear in the text
_RULES: tuple[tuple[re.Pattern[str], _Replacement], ...] = (
    (re.compile("[\u00ad\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]+"), ""),
    (re.compile("[^\u0300-\u036f][\u0300-\u036f]+|[\ufb00-\ufb06\u2026]"), _composed),
    (re.compile(r"&(?:amp;)*+(#\d{1,7}|#x[0-9a-f]{1,6}|[a-z]\w{1,30});|&(?:amp;)+", re.IGNORECASE), _entity),
    (re.compile(r"(?<!\\)\\++u((?!d[89a-f])[0-9a-f]{4})", re.IGNORECASE), _json_escape),
    (re.compile(r"[\[({] ?(\.|:|://|/|@|dot|at) ?[\])}]", re.IGNORECASE), _refang),
    (re.compile(r"(?<=\w)(?:\[\.(?=\w)|\.\](?=\w))"), "."),
    (re.compile(r"\b(?:hxxp|h\[tt\]p|meow(?=s?://))", re.IGNORECASE), "http"),
    (re.compile(r"\bfxp(?=s?://)", re.IGNORECASE), "ftp"),
    (re.compile(r"<((?:https?|ftp)://[^\s<>]*)>", re.IGNORECASE), _KEEP_GROUP),
    (re.compile(r"(?<!\\)\\++\s*+(?=\w)"), "\\"),
    (re.compile(r"(?<!\\)\\++([^\w\s])"), _escaped),
    (re.compile(r"(?<!\\)\\++(?=\s|$)"), ""),
    (re.compile(rf"\b(?:registry::|computer\\)?({_HIVE_NAMES})\b(?::(?=\\))?", re.IGNORECASE), _hive),
    (re.compile(r"[^\S ]\s*| \s+"), " "),
    (re.compile(r" (?=[>|&;,=(){}\[\]])|(?<=[>|&;,=(){}\[\]]) "), ""),
)


def _rewrite(source: Folded, pattern: re.Pattern[str], replacement: _Replacement) -> Folded:
    parts: list[str] = []
    starts, ends = array("i"), array("i")
    at = 0

    def copy(first: int, last: int) -> None:
        parts.append(source.text[first:last])
        starts.extend(source.starts[first:last])
        ends.extend(source.ends[first:last])

    for match in pattern.finditer(source.text):
        first, last = match.span()
        copy(at, first)
        at = last
        if replacement is _KEEP_GROUP:
            copy(*match.span(1))
            continue
        new = replacement if isinstance(replacement, str) else replacement(match)
        parts.append(new)
        starts.extend([source.starts[first]] * len(new))
        ends.extend([source.ends[last - 1]] * len(new))
    if not at:
        return source
    copy(at, len(source.text))
    return Folded("".join(parts), starts, ends)


# what names a process, its arguments left out; the first that fits
_PROGRAMS = (
    re.compile(r"[\"']([^\"']+)[\"']"),
    re.compile(r"([^\"']*?\.(?:exe|app))(?![\w.\\/-])"),
    re.compile(r"(.+?)(?= [-/(\"'<])"),
    re.compile(r"([^\s\\/]+)(?= \S*[.\\/%$])"),
)
_REG_COMMAND = re.compile(
    r"(?P<tool>(?:\S*\\)?reg(?:\.exe)? (?:add|delete|query) |(?:set|new|get|remove)-itemproperty (?:-path )?)?"
    r"(?:([\"'])(?P<quoted>.+?)\2|(?P<plain>.+?))(?P<options>(?: [-/]\w.*)?)$"
)
_REG_VALUE = re.compile(r" (?:/v|-name) (?:\"([^\"]+)\"|'([^']+)'|(\S+))")
_URL_STOP = r"\s\"'`<>|;,(){}\[\]"
# a host, and what follows it; one without its scheme only where a path follows, so that it is no file's name
_HOST = re.compile(rf"(?:[a-z][a-z0-9+.-]{{0,15}}://)?[^/?#{_URL_STOP}]+(?=[/?#])", re.IGNORECASE)
_SCHEME_HOST = re.compile(rf"\b[a-z][a-z0-9+.-]{{0,15}}://[^/?#{_URL_STOP}]+", re.IGNORECASE)
_ADDRESS = (
    rf"(?<=://)[^/?#{_URL_STOP}]+|(?<![\w.])(?:\d+\.){{3}}\d+(?::\d+)?"
    r"|(?<![\w./\\@%-])(?:[\w-]+\.)+[a-z]{2,}(?<!\.exe)(?::\d+)?"
)
_URL_CARRIED = re.compile(rf"(?:{_ADDRESS})([/?#](?:[^&{_URL_STOP}]|&(?=[\w.%-]+=))*)", re.IGNORECASE)
_UNIX = re.compile(r"(?:^|[\s\"'=|;&(])(?:~|\.{1,2})?/[\w.-]+/|^(?:sudo|chmod|chown|systemctl|launchctl|crontab|\./)")
_CASE_CARRIED = re.compile(r"(?<![\w-])-[A-Za-z](?!\w)|(?<![\w+/=])(?=[\w+/]*\d)[A-Za-z0-9+/]{24,}={0,2}(?![\w+/=])")


def _command_case(command: str) -> str:
    """Lower case, save for what carries meaning in its case."""
    if _UNIX.search(command):
        return command
    lowered = lower(command)
    carried = [match.span() for match in _CASE_CARRIED.finditer(command)]
    carried += [match.span(1) for match in _URL_CARRIED.finditer(command)]
    for first, last in carried:
        lowered = lowered[:first] + command[first:last] + lowered[last:]
    return lowered


def _lower_hosts(text: str) -> str:
    return _SCHEME_HOST.sub(lambda host: lower(host[0]), text)


def _registry_path(key: str) -> str:
    r"""Read `reg add KEY /v NAME`, `[KEY]` and `KEY\(Default)` as the path that they name."""
    command = _REG_COMMAND.match(key)
    named = _REG_VALUE.search(command["options"]) if command else None
    path = key
    if command and (command["tool"] or named):
        path = (command["quoted"] or command["plain"]).strip("\\ ")
    if named:
        path += "\\" + next(filter(None, named.groups()))
    path = path.strip("\\ ")
    if path.startswith("[") and path.endswith("]"):
        path = path[1:-1]
    if "\\" not in path:
        path = path.replace("/", "\\")
    return path.removesuffix("(default)").strip("\\ ")
