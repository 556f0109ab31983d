"""Addresses of articles as they may be published: those that anybody can open, without what is one person's in them."""

import re
from collections.abc import Collection
from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit

NOT_REAL = ".invalid"
"""The end of hosts that there are none of (RFC 2606): all of the demo's are called so."""
_NOT_PUBLIC = (
    *(NOT_REAL, ".test", ".example", ".localhost", ".localdomain", ".local", ".internal", ".intranet", ".private"),
    *(".lan", ".corp", ".home", ".arpa", ".onion"),
)
# of a query only what can be no key, session or name: `p=1234`, `article=some-title`
_PLAIN_PAIR = re.compile(r"[\w-]{1,24}=[\w.-]{1,24}", re.ASCII)
_PERSONAL = re.compile(
    r"tok|key|sig|auth|pass|pwd|secret|sess|sid|code|cred|user|mail|name|account|login|utm_|clid", re.IGNORECASE
)


def public_address(url: str | None) -> str | None:
    """Return an article's address as it may be published.

    Args:
        url: The address as it was harvested; None where there is none.

    Returns:
        The address without user, fragment and whatever of its query is not plain; None where not everybody can open it.
    """
    parts = _split(url)
    host = host_of(url)
    if not parts or parts.scheme not in ("http", "https") or not host or not _is_public(host):
        return None
    query = "&".join(
        pair
        for pair in parts.query.split("&")
        if _PLAIN_PAIR.fullmatch(pair) and not _PERSONAL.search(pair.partition("=")[0])
    )
    place = parts.netloc.rpartition("@")[2]
    return parts._replace(netloc=place, query=query, fragment="").geturl()


def host_of(url: str | None) -> str:
    """Return the host of an address in small letters; empty where it has none."""
    parts = _split(url)
    return (parts.hostname or "").rstrip(".") if parts else ""


def is_below(host: str, names: Collection[str]) -> bool:
    """Tell whether a host is one of these names, or below one."""
    return any(host == name or host.endswith(f".{name}") for name in names)


def _split(url: str | None) -> SplitResult | None:
    try:
        parts = urlsplit((url or "").strip())
        _ = parts.port  # raises where it is no number
        return parts
    except ValueError:
        return None


def _is_public(host: str) -> bool:
    try:
        return ip_address(host).is_global
    except ValueError:
        return "." in host and not host.endswith(_NOT_PUBLIC)
