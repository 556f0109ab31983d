"""What makes two articles the same one: the same page, or the same text in another layout."""

import hashlib
import re

_LOWER = bytes.maketrans(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ", b"abcdefghijklmnopqrstuvwxyz")
_WHITE_SPACE = b" \t\r\n\v\f"
_PORT = re.compile(r":\d*$")
_TRACKING = ("utm_", "fbclid", "gclid", "mc_cid", "mc_eid")


def fold(content: str) -> bytes:
    """Fold a text for comparing: UTF-8 without ASCII white space, ASCII letters in lower case.

    Args:
        content: The text; lone surrogates become `?`.

    Returns:
        The folded bytes.
    """
    return content.encode("utf-8", "replace").translate(_LOWER, _WHITE_SPACE)


def content_hash(folded: bytes) -> str:
    """Hash a folded text: the same for copies that differ in layout and case only.

    Args:
        folded: The text as `fold` gives it.

    Returns:
        SHA-256 in hex digits.
    """
    return hashlib.sha256(folded).hexdigest()


def canonical_url(url: str) -> str:
    """Strip a URL of what names no other page: scheme, `www.`, port, fragment, tracking, last slash, host case.

    Args:
        url: The address of a page.

    Returns:
        Host, path and query: a key for comparing, no address to open.
    """
    page, _, query = url.strip().partition("#")[0].partition("?")
    host, slash, path = page.rpartition("://")[2].partition("/")
    host = _PORT.sub("", host.rpartition("@")[2].lower()).removeprefix("www.")
    query = query and "&".join(part for part in query.split("&") if not part.startswith(_TRACKING))
    return f"{host}{slash}{path}".rstrip("/") + (f"?{query}" if query else "")
