"""Addresses of articles as they may be published: those that anybody can open, without what is one person's in them."""

import re
from collections.abc import Collection
from ipaddress import IPv4Address
from urllib.parse import SplitResult, unquote, urlsplit

NOT_REAL = ".invalid"
"""The end of hosts that there are none of (RFC 2606): all of the demo's are called so."""
_NOT_PUBLIC = (
    *(NOT_REAL, ".test", ".example", ".localhost", ".localdomain", ".local", ".internal", ".intranet", ".private"),
    *(".lan", ".corp", ".home", ".arpa", ".onion", ".intra"),
)
# a top-level domain is of letters: `10.1`, `0x0a.0.0.5` and what else a browser takes for an IP address end in none
_NAME = re.compile(r"(?:[\w-]+\.)+(?:[a-z]{2,63}|xn--[a-z0-9-]+)")
# all that is kept of a query: what tells one article from another, by number
_PLAIN_PAIR = re.compile(
    r"(?:p|id|aid|nid|tid|article|articleid|article_id|post|postid|post_id|page|pageid|page_id|paged)=[0-9]{1,8}"
    r"|(?:lang|hl)=[a-z]{2}"
)
_PLAIN_SEGMENT = re.compile(r"@?[\w.,~'()!+ -]*")
# what is opened by whoever holds its address
_OF_HOLDERS = frozenset(
    (
        *("hook", "hooks", "webhook", "webhooks", "share", "shared", "shares", "share-link", "shared-link"),
        *("invite", "invites", "reset", "unsubscribe", "verify", "confirm", "preview", "draft", "drafts"),
        *("token", "tokens", "secret", "secrets", "session", "sessions", "key", "keys", "apikey"),
        *("api-key", "auth", "oauth", "password", "passwords", "passwd", "login", "signin", "magic"),
        *("magic-link", "magiclink", "private", "signed"),
    )
)
# hosts whose addresses are such, and those below which they are
_HOSTS_OF_HOLDERS = frozenset(
    (
        *("dropbox.com", "1drv.ms", "we.tl", "wetransfer.com", "onedrive.live.com", "drive.google.com"),
        *("docs.google.com", "mega.nz", "gofile.io", "file.io", "transfer.sh", "app.box.com"),
    )
)
_BELOW_ARE_HOLDERS = ("sharepoint.com", "dropboxusercontent.com", "translate.goog")
_KEY_START = re.compile(r"eyJ|AKIA|ASIA|gh[a-z]_|github_pat|xox[a-z]-|glpat|sk[-_]|[rp]k_")
_GUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)
_TURN = re.compile(r"(?=[a-z][A-Z0-9]|[0-9][A-Za-z])")
_IP = re.compile(r"(?<![0-9])(?:[0-9]{1,3}\.){3}[0-9]{1,3}(?![0-9])")
_HEX = re.compile(r"[0-9a-f]{,12}")
_SWITCH = re.compile(r"(?<=[0-9])(?=[^\W\d_])|(?<=[^\W\d_])(?=[0-9])")
_MOST_SWITCHES = 4
"""Changes between letters and digits at most in a word of one case: `log4j2rce` has as many."""
# a host, and no file of the same form
_HOST_IN_PATH = re.compile(
    r"(?:[\w-]+\.)+(?:com|net|org|io|gov|edu|mil|int|info|biz|dev|app|cloud|corp|(?!(?:md|py|sh|js|ts|go|rs|pl|rb|cs|vb"
    r"|ps|gz|7z|so|cc|hs|kt|db|ai|xz)$)[a-z]{2})",
    re.IGNORECASE,
)
_MAIL_IN_WORDS = re.compile(r"[(\[]at[)\]]|_at_\w+_dot_", re.IGNORECASE)
_MOST_TURNS = 3
"""Changes within the mixed-case words of a title at most (`Log4Shell` has two): what is random has more."""
_LONGEST_MIXED, _LONGEST_WORD = 15, 31
"""Characters of a word at most, with a digit and without one: article numbers of 12 hex digits are no keys."""


def public_address(url: str | None) -> str | None:
    """Return an article's address as it may be published.

    Args:
        url: The address as it was harvested; None where there is none.

    Returns:
        The address without user, parameters, fragment and whatever of its query is no plain number of an article; None
        where not everybody can open it, or where its path could hold a key, a mail address or another address.
    """
    parts = _split(url)
    host = host_of(url)
    if not parts or not is_open(url) or host.removeprefix("www.") in _HOSTS_OF_HOLDERS:
        return None
    if is_below(host, _BELOW_ARE_HOLDERS) or _holds_inner_ip(host.replace("-", ".")):
        return None
    path = "/".join(segment.partition(";")[0] for segment in parts.path.split("/"))
    if not all(_is_plain(segment) for segment in (*host.split("."), *decoded(path).split("/"))):
        return None
    query = "&".join(pair for pair in parts.query.split("&") if _PLAIN_PAIR.fullmatch(pair))
    place = parts.netloc.rpartition("@")[2]
    return parts._replace(netloc=place, path=path, query=query, fragment="").geturl()


def is_open(url: str | None) -> bool:
    """Tell whether an address is of a host that everybody can reach, by its looks."""
    parts = _split(url)
    return bool(parts and parts.scheme in ("http", "https") and _is_public(host_of(url)))


def host_of(url: str | None) -> str:
    """Return the host of an address in small letters; empty where it has none."""
    parts = _split(url)
    return (parts.hostname or "").rstrip(".") if parts else ""


def is_below(host: str, names: Collection[str]) -> bool:
    """Tell whether a host is one of these names, or below one."""
    return any(host == name or host.endswith(f".{name}") for name in names)


def decoded(text: str) -> str:
    """Decode what is written as %41, however often it was encoded."""
    while (once := unquote(text)) != text:
        text = once
    return text


def _split(url: str | None) -> SplitResult | None:
    # a browser takes a backslash for a slash, and so opens another host
    if "\\" in (url or ""):
        return None
    try:
        parts = urlsplit((url or "").strip())
        _ = parts.port  # raises where it is no number
        return parts
    except ValueError:
        return None


def _is_public(host: str) -> bool:
    try:
        return IPv4Address(host).is_global
    except ValueError:
        return bool(_NAME.fullmatch(host)) and not host.endswith(_NOT_PUBLIC)


def _is_plain(segment: str) -> bool:
    """Tell whether a part of an address can be no key, no mail address and no address of its own."""
    if not _PLAIN_SEGMENT.fullmatch(segment) or _GUID.search(segment) or _KEY_START.match(segment):
        return False
    if segment.casefold() in _OF_HOLDERS or segment.casefold().endswith(_NOT_PUBLIC) or _holds_inner_ip(segment):
        return False
    if _HOST_IN_PATH.fullmatch(segment) or _MAIL_IN_WORDS.search(segment):
        return False
    words = re.split(r"[\W_]+", segment)
    mixed = [word for word in words if word != word.lower() and word != word.upper()]
    if sum(len(_TURN.findall(word)) for word in mixed) > _MOST_TURNS:
        return False
    if any(len(_SWITCH.findall(word)) > _MOST_SWITCHES and not _HEX.fullmatch(word) for word in words):
        return False
    return all(len(word) <= (_LONGEST_WORD if word.isalpha() else _LONGEST_MIXED) for word in words)


def _holds_inner_ip(text: str) -> bool:
    return any(_is_inner_ip(found) for found in _IP.findall(text))


def _is_inner_ip(text: str) -> bool:
    try:
        return not IPv4Address(text).is_global
    except ValueError:
        return False
