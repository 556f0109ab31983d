"""What makes two articles the same one: the same page, or the same text in another layout."""

import hashlib
import re

_LOWER = bytes.maketrans(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ", b"abcdefghijklmnopqrstuvwxyz")
_WHITE_SPACE = b" \t\r\n\v\f"
_PORT = re.compile(r":\d*$")
_TRACKING = ("utm_", "fbclid", "gclid", "mc_cid", "mc_eid")


def fold(content: str) -> bytes:
    """Give the text as UTF-8 without white space, ASCII letters in lower case; lone surrogates become `?`."""
    return content.encode("utf-8", "replace").translate(_LOWER, _WHITE_SPACE)


def content_hash(folded: bytes) -> str:
    """SHA-256 (hex) of a folded text: the same for copies that differ in layout and case only."""
    return hashlib.sha256(folded).hexdigest()


def canonical_url(url: str) -> str:
    """Strip a URL of what names no other page: scheme, `www.`, port, fragment, tracking, last slash, host case."""
    page, _, query = url.strip().partition("#")[0].partition("?")
    host, slash, path = page.rpartition("://")[2].partition("/")
    host = _PORT.sub("", host.rpartition("@")[2].lower()).removeprefix("www.")
    query = query and "&".join(part for part in query.split("&") if not part.startswith(_TRACKING))
    return f"{host}{slash}{path}".rstrip("/") + (f"?{query}" if query else "")
