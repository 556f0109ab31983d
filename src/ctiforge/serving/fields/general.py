"""The rules that need no word of a type's own: the words around an item, and what kind of query or address it is."""

import ipaddress
import re

from ctiforge.observables.values import fold, unwrapped
from ctiforge.serving.fields.wording import only
from ctiforge.serving.placing import PlacedItem

_LINES_BEFORE, _LONGEST_LINE = 3, 300
_SENTENCE_AT_MOST = 1000

_SIGMA_KEYS = (re.compile(r"\blogsource\s*:"), re.compile(r"\bdetection\s*:"))
_QUERIES = {
    "yara": re.compile(r"^\s*(?:private |global )*rule\s+\w+[^{]*\{(?s:.*)\bcondition\s*:"),
    "kql": re.compile(
        r"\b(?:Device|Identity|Email|Cloud(?:App|Process|Audit)|Alert|Url|AAD|Aad)\w*(?:Events|Info|Evidence)\b"
        r"|\b(?:SecurityEvent|SigninLogs|AuditLogs|OfficeActivity|CommonSecurityLog)\s*(?:\||$)",
    ),
    "spl": re.compile(r"\b(?:index|sourcetype)\s*=|\|\s*tstats\b|\bEndpoint\.(?:Processes|Registry|Filesystem)\b"),
    "logscale": re.compile(r"#(?:event_simpleName|Vendor|repo|event\.module|event\.dataset)\s*="),
    "falcon": re.compile(r"(?<![#\w])event_simpleName\s*=|^(?!.*#event_simpleName).*\bProcessRollup2\b"),
    "eql": re.compile(r"^\s*(?:sequence\b[^\[]*\[\s*)?(?:process|file|registry|network|library|any)\s+where\s+\w"),
    "elastic": re.compile(r"\blogs-endpoint\.|\b(?:process\.(?:command_line|name)|event\.(?:category|action))\s*:"),
    "xql": re.compile(r"\bdataset\s*=\s*xdr_data\b|\b(?:action|actor)_process_\w+"),
    "sentinelone_pq": re.compile(r"\b(?:src|tgt)\.process\.\w+"),
    "sentinelone_dv": re.compile(r"\bEventType\s*=\s*\"?(?:Process|Registry|PowerShell|ScheduledTask)"),
    "carbon_black": re.compile(r"\b(?:process_name|process_cmdline|childproc_name|filemod_name|netconn_domain)\s*:"),
}
_URL = re.compile(r"[a-z][a-z0-9+.-]{1,15}://\S+$", re.IGNORECASE)
_PORT = re.compile(r"(?<=[\w\]]):\d{1,5}$")
_DOMAIN = re.compile(r"(?:\*\.)?(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)+[a-z]{2,24}$", re.IGNORECASE)
_URI_PATH = re.compile(r"/[^\s/]\S*$")
_USER_AGENT = re.compile(r"user[- ]agent\b[^\w\n]{0,12}$", re.IGNORECASE)
_AGENT_NAME = re.compile(r"Mozilla/\d")
_FILES = (".exe", ".dll", ".ps1", ".bat", ".vbs", ".txt", ".zip", ".doc", ".docx", ".pdf", ".lnk", ".js", ".hta")


def sentence(item: PlacedItem) -> str | None:
    """Give the sentence that holds the item."""
    found = "".join(item.sentence).strip()
    return found if found and len(found) <= max(_SENTENCE_AT_MOST, len(item.value)) else None


def line_before(item: PlacedItem) -> str | None:
    """Give the last line before the item that says something, of the three before it in its paragraph."""
    before = item.around[0].rpartition("\n")[0].split("\n")[-_LINES_BEFORE:]
    said = next((line.strip() for line in reversed(before) if line.strip()), None)
    return said if said and len(said) <= _LONGEST_LINE else None


def query_type(item: PlacedItem) -> str | None:
    """Tell a query's language by words that only it has: `kql`, `spl`, `sigma`, `eql`, `logscale` and others."""
    # a rule of these holds words of any other
    if all(key.search(item.value) for key in _SIGMA_KEYS):
        return "sigma"
    for certain in ("yara", "eql"):
        if _QUERIES[certain].search(item.value):
            return certain
    return only(_QUERIES, item.value)


def indicator_type(item: PlacedItem) -> str | None:
    """Tell an indicator by its form: `url`, `ip`, `domain`, `uri_path` or `user_agent`."""
    value = unwrapped(fold(item.value).text)
    if _AGENT_NAME.match(value) or _USER_AGENT.search(item.around[0]):
        return "user_agent"
    if _URL.match(value):
        return "url"
    if _URI_PATH.match(value):
        return "uri_path"
    if _is_ip(value) or _is_ip(_PORT.sub("", value).strip("[]")):
        return "ip"
    named, _, path = value.partition("/")
    host = _PORT.sub("", named)
    if not _DOMAIN.match(host) or host.lower().endswith(_FILES):
        return None
    return "url" if path else "domain"


def _is_ip(value: str) -> bool:
    try:
        ipaddress.ip_network(value, strict=False)
    except ValueError:
        return False
    return "." in value or ":" in value
