"""The rules that need no word of a type's own: the words around an item, and what kind of query or address it is."""

import ipaddress
import re

from ctiforge.observables.values import fold, unwrapped
from ctiforge.serving.fields.wording import only
from ctiforge.serving.placing import PlacedItem

_LINES_BEFORE, _LONGEST_LINE = 3, 300
_SENTENCE_AT_MOST = 1000

_SIGMA_KEYS = (re.compile(r"\blogsource\s*:"), re.compile(r"\bdetection\s*:"))
_YARA_L = re.compile(r"^\s*rule\s+\w+[^{]*\{(?s:.*)\bevents\s*:(?s:.*)\bcondition\s*:")
_QUERIES = {
    "yara": re.compile(r"^\s*(?:import\s+\"\w+\"\s*)*(?:private |global )*rule\s+\w+[^{]*\{(?s:.*)\bcondition\s*:"),
    "kql": re.compile(
        r"\b(?:Device|Identity|Email|Cloud(?:App|Process|Audit)|Alert|Url|AAD|Aad)\w*(?:Events|Info|Evidence)\b"
        r"|\b(?:SecurityEvent|SigninLogs|AuditLogs|OfficeActivity|CommonSecurityLog)\s*(?:\||$)"
        r"|^\s*(?:(?:Sysmon|Syslog)\s*\|\s*(?:where|project|extend|summarize)\b|_Im_\w+\s*(?:\(|\||$))",
    ),
    "spl": re.compile(
        r"(?<![\w?&.])(?:index|sourcetype)\s*=|\|\s*tstats\b|\bEndpoint\.(?:Processes|Registry|Filesystem)\b"
        r"|^\s*`\w+`\s+EventCode\s*="
    ),
    "logscale": re.compile(r"#(?:event_simpleName|Vendor|repo|event\.module|event\.dataset)\s*="),
    "falcon": re.compile(r"(?<![#\w])event_simpleName\s*=|^(?!.*#event_simpleName).*\bProcessRollup2\b"),
    "eql": re.compile(r"^\s*(?:sequence\b[^\[]*\[\s*)?(?:process|file|registry|network|library|any)\s+where\s+\w"),
    "elastic": re.compile(r"\blogs-endpoint\.|\b(?:process\.(?:command_line|name)|event\.(?:category|action))\s*:"),
    "xql": re.compile(r"\bdataset\s*=\s*xdr_data\b|\b(?:action|actor)_process_\w+"),
    "sentinelone_pq": re.compile(r"\b(?:src|tgt)\.process\.\w+"),
    "sentinelone_dv": re.compile(r"\bEventType\s*=\s*\"?(?:Process|Registry|PowerShell|ScheduledTask)"),
    "suricata": re.compile(
        r"^\s*(?:alert|drop|reject|pass)\s+(?:http2?|tls|dns|smb|ssh|ftp|smtp|krb5|quic)\s[^\n(]{1,400}\(.*\bsid\s*:\s*\d"
    ),
    "osquery": re.compile(
        r"^\s*select\s[^;]{1,400}?\sfrom\s+(?:processes|process_events|process_open_sockets|listening_ports|launchd"
        r"|scheduled_tasks|startup_items|autoexec)\b",
        re.IGNORECASE,
    ),
    "carbon_black": re.compile(r"\b(?:process_name|process_cmdline|childproc_name|filemod_name|netconn_domain)\s*:"),
}
_URL = re.compile(r"[a-z][a-z0-9+.-]{1,15}://\S+$", re.IGNORECASE)
_PORT = re.compile(r"(?<=[\w\]]):\d{1,5}$")
_DOMAIN = re.compile(
    r"(?:\*\.)?(?:[^\W.](?:[\w-]{0,61}[^\W.])?\.)+(?:[^\W\d_]{2,24}|xn--[a-z0-9-]{2,59})$", re.IGNORECASE
)
_URI_PATH = re.compile(r"/(?=\S*[^\W\d])[^\s/]\S*$")
_LETTER = re.compile(r"[^\W\d]")
_USER_AGENT = re.compile(r"user[- ]agent\b[^\w\n]{0,12}$", re.IGNORECASE)
_AGENT_NAME = re.compile(
    r"Mozilla/\d|(?:curl|wget|python-requests|python-urllib|go-http-client|libwww-perl|okhttp)/\d", re.IGNORECASE
)
# a name's ending that no domain has, and one that a domain may have
_FILE = re.compile(
    r"\.(?:exe|dll|ps1|bat|cmd|vbs|vbe|js|jse|hta|lnk|txt|log|json|xml|csv|yml|yaml|ini|cfg|conf|docx?|docm|xlsx?|xlsm"
    r"|pptx?|rtf|pdf|rar|7z|iso|img|msi|jar|class|php|aspx?|jsp|html?|png|jpe?g|gif|bin|dat|tmp|sys|scr|bak|elf|dmg|pkg|apk|deb"
    r"|rpm|vhdx?|msc|chm|cpl|ocx|dylib|ps[dm]1|wsf|sct|inf|reg|evtx|pcap|sqlite|db|plist|xll|jspx?|ashx|svg|ico)$",
    re.IGNORECASE,
)
_FILE_OR_DOMAIN = re.compile(r"\.(?:zip|mov|one|py|sh|pl|rs|md|so|ps|cab|app|java|cpp|cc|gz|tar)$", re.IGNORECASE)
# names of code and of detections that are written as a domain is
_NAMESPACE = re.compile(
    r"(?:(?-i:System|Microsoft|Windows)\.[A-Z]|(?-i:ASP|ADO|VB|ML)\.NET$|(?:Win(?:32|64)|MSIL|Trojan|Backdoor|HEUR|Linux|OSX"
    r"|Ransom|Android|Exploit|HackTool|not-a-virus)\.(?-i:[A-Z])"
    # an object's member in a script or an event, a name that begins with its owner's domain, a function of a library
    r"|(?:window|document|process|event|file|host|user|registry|this|self|os|sys)\.(?!com$|net$|org$|io$)[a-z_]+$"
    r"|command\.com$"
    r"|(?:com|org|net|edu|gov)\.(?:[\w-]+\.)+(?!com$|net$|org$|info$)[a-z]{4,}$"
    r"|[\w.-]+\.(?-i:[A-Z]*[a-z]+[A-Z])\w*$)",
    re.IGNORECASE,
)
_DEFANGED_END = re.compile(r"[\[({]\s*(?:\.|dot)\s*[\])}]\w+$", re.IGNORECASE)


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
    # YARA-L has rules like YARA's, over events
    if _YARA_L.search(item.value):
        return None
    for certain in ("yara", "eql", "suricata"):
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
    if _is_ip(host):
        return "url" if _LETTER.search(path) else None
    if not _DOMAIN.match(host) or _FILE.search(host) or (_NAMESPACE.match(host) and not _is_defanged(item)):
        return None
    if _FILE_OR_DOMAIN.search(host) and not _is_defanged(item):
        return None
    return "url" if path else "domain"


def _is_defanged(item: PlacedItem) -> bool:
    return bool(_DEFANGED_END.search(item.value.strip().partition("/")[0]))


def _is_ip(value: str) -> bool:
    try:
        ipaddress.ip_network(value, strict=False)
    except ValueError:
        return False
    return "." in value or ":" in value
