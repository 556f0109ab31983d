"""When two values are the same observable: the strict key, the normalized key, and the fold behind the latter."""

import html
import re
import unicodedata
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ctiforge.records.observable import ARROW

_ARROWS = re.compile(r"\s*(?:[-=|]+>|→|⟶|⇒|⟹|➜|➔|►|»)\s*|\s+[>›▶]\s+")
CASELESS_TYPES = frozenset({"registry", "services", "scheduled_tasks", "process_lineage", "network_indicators"})


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
    By type: case where Windows ignores it (in a command line save for base64 words and one-letter
    options, and not at all where it names a Unix path); the path and `.exe` of process names; the
    root backslash of a task; outer backslashes of a key, a trailing slash of an address.
    The key is for comparing only: it is not a command that runs.

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
        return _command_case(key)
    if type_ == "registry":
        return key.strip("\\ ")
    if type_ == "scheduled_tasks":
        return key.lstrip("\\")
    if type_ == "network_indicators":
        return key.rstrip("/")
    return key


def lineage_names(value: str) -> list[str]:
    """Split a process lineage into its names, whichever arrow joins them.

    Args:
        value: The lineage, as in `parent -> child`.

    Returns:
        The names without outer white space; one where there is no arrow, none where nothing is written.
    """
    return [name for name in (part.strip() for part in _ARROWS.split(value)) if name]


def process_stem(name: str) -> str:
    r"""Strip a process's name of its folder, its `.exe` and its case: `C:\Windows\CMD.EXE` is `cmd`."""
    folded = lower(unwrapped(fold(name).text))
    return re.split(r"[\\/]", folded)[-1].removesuffix(".exe").strip()


@dataclass(frozen=True)
class Folded:
    """A text with its spelling variants folded away, and where each character came from."""

    text: str
    starts: Sequence[int]
    """For each folded character, its first character in the original text."""
    ends: Sequence[int]
    """For each folded character, one past its last character in the original text."""


def fold(text: str) -> Folded:
    """Fold the variants that every type shares (see `normalize`); case is kept."""
    folded = Folded(text.translate(_LOOKALIKES), array("i", range(len(text))), array("i", range(1, len(text) + 1)))
    for pattern, replacement in _RULES:
        folded = _rewrite(folded, pattern, replacement)
    return folded


def lower(text: str) -> str:
    """Lower the case character for character: the result is as long as `text`."""
    return text.translate(_LONG_LOWER).lower().translate(_LONG_LOWER)


def unwrapped(folded: str) -> str:
    """Strip outer white space and one pair of quotes or backticks around the whole."""
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
    return match[1]


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


_UNIX = re.compile(r"(?:^|[\s\"'=|;&(])(?:~|\.{1,2})?/[\w.-]+/|^(?:sudo|chmod|chown|systemctl|launchctl|crontab|\./)")
_CASE_CARRIED = re.compile(r"(?<![\w-])-[A-Za-z](?!\w)|(?<![\w+/=])(?=[\w+/]*\d)[A-Za-z0-9+/]{24,}={0,2}(?![\w+/=])")


def _command_case(command: str) -> str:
    """Lower case, save for what carries meaning in its case."""
    if _UNIX.search(command):
        return command
    lowered = lower(command)
    for match in _CASE_CARRIED.finditer(command):
        first, last = match.span()
        lowered = lowered[:first] + match[0] + lowered[last:]
    return lowered
