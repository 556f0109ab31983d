"""What is an address of an OpenAI-compatible endpoint, and what the statuses of its answers mean.

Whoever asks one judges by this: one answer may be refused, the endpoint may be busy, or nothing more is to be asked.
"""

import re
from dataclasses import dataclass

from ctiforge.errors import CannotGoOnError, CtiforgeError, UsageError
from ctiforge.settings import API_KEY

RETRIES = 3
"""Of one request, with the library's growing pauses or the endpoint's own Retry-After."""
UNREACHED = 5
"""Requests in a row that nobody answered: then nobody is there."""
QUOTA_OVER = "insufficient_quota"
"""The code of a 429 that no pause mends."""
_BUSY = (408, 409, 429)


@dataclass(frozen=True)
class Meaning:
    """What a status that is no success says about the work."""

    words: str
    ends: type[CtiforgeError] | None = None
    """The error that ends all asking at once; None: another request may fare better."""
    may_pass: bool = False
    """Whether the same request is tried again, and `UNREACHED` of them in a row end all asking."""


def check_address(url: str) -> None:
    """Refuse what is no address of an endpoint.

    Args:
        url: The address that a person gave.

    Raises:
        UsageError: The text does not begin with http:// or https:// and a host, or ends with parameters.
    """
    if not re.match(r"https?://[^/]", url):
        raise UsageError(f"{url!r} is no endpoint: give its address, like http://localhost:1234/v1")
    if re.search(r"[?#]", url):
        # which may be a key, and is not told
        raise UsageError(
            f"{re.split('[?#]', url)[0]!r} goes on with `?` or `#`: leave that out, paths are put behind it"
        )


def meaning_of(status: int, said: str, *, model: str, is_quota_over: bool = False) -> Meaning:
    """Tell what a status means.

    Args:
        status: The HTTP status, 400 or more.
        said: The endpoint's own words, on one line.
        model: The model that was asked for.
        is_quota_over: Whether the answer names the code `QUOTA_OVER`.

    Returns:
        What to say, and whether to go on.
    """
    if status in (401, 403):
        return Meaning(f"the key is refused ({status}): check {API_KEY}", ends=UsageError)
    if status == 402:
        return Meaning("the account's limit is over (402): raise it, or name another endpoint", ends=CannotGoOnError)
    if status == 404:
        words = f"model {model!r} or the address is not known there (404): check both; an address usually ends in /v1"
        return Meaning(words, ends=UsageError)
    if status == 429 and is_quota_over:
        return Meaning(f"the account's quota is over (429 {QUOTA_OVER}): raise it, or wait", ends=CannotGoOnError)
    return Meaning(f"{status}: {said}", may_pass=status in _BUSY or status >= 500)


def names_quota(status: int, body: bytes) -> bool:
    """Tell whether an answer says that the account's quota is over, which the library would ask again about.

    Args:
        status: The HTTP status.
        body: The answer's body.

    Returns:
        True for a 429 that names the code `QUOTA_OVER`.
    """
    return status == 429 and QUOTA_OVER.encode() in body


def unreached_words(why: str) -> str:
    """Word the message for when nobody has answered `UNREACHED` requests in a row.

    Args:
        why: What the last request met, as in `Connection refused`.

    Returns:
        The message, to follow the endpoint's address.
    """
    return f"it could not be reached {UNREACHED} times in a row ({why}); check that the server is up"


def own_words(error: Exception, key: str) -> str:
    """Quote the beginning of the endpoint's own words.

    Args:
        error: The error that the openai client raised.
        key: The key that was sent, to be masked where the endpoint quotes it.

    Returns:
        At most 200 characters on one line.
    """
    body = getattr(error, "body", None)
    message = body.get("message") if isinstance(body, dict) else None
    words = " ".join(str(message or getattr(error, "message", error)).split())
    return words.replace(key, "***")[:200]
