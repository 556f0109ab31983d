"""What can go wrong with a call of the Hub: in one line, and whether it may pass."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

import httpx2
import huggingface_hub
from huggingface_hub import constants
from huggingface_hub.errors import FileMetadataError, HfHubHTTPError, LocalTokenNotFoundError

from ctiforge.errors import CtiforgeError, DataError, UsageError

PASSING = {408, 429, 500, 502, 503, 504}
"""Answers after which the same call may work later."""
CONFLICTS = {409, 412}
"""Answers that say somebody else was quicker, or a lost reply of ours."""


class HubError(CtiforgeError):
    """The Hub cannot be reached, is busy or holds something else than was sent: the same command may work later."""


class UnansweredError(Exception):
    """Raised from httpx2's own error, so that nobody but us catches it and tries again."""


@dataclass(frozen=True)
class Trouble:
    """What went wrong, in words, and whether it may pass."""

    message: str
    kind: type[CtiforgeError] = HubError
    status: int | None = None
    passing: bool = False
    wait_s: float | None = None


def find_trouble(error: BaseException) -> Trouble | None:
    """Recognize the trouble in an error or in what it was raised from; None where it is none of the Hub's."""
    for each in _chain(error):
        if isinstance(each, LocalTokenNotFoundError):
            return Trouble("there is no token: run hf auth login, or set HF_TOKEN", UsageError)
        if isinstance(each, HfHubHTTPError):
            return _trouble_of_status(each)
        if isinstance(each, (UnansweredError, httpx2.TransportError)):
            each = each.__cause__ or each
            kind = "no answer in time" if isinstance(each, httpx2.TimeoutException) else "the connection failed"
            return Trouble(
                f"{kind} ({type(each).__name__}, {constants.ENDPOINT}): check the network, run the same command again",
                passing=True,
            )
        if isinstance(each, (json.JSONDecodeError, FileMetadataError)):
            return Trouble("the answer is not one of the Hub's: check HF_ENDPOINT and proxies", passing=True)
        if isinstance(each, ValueError) and str(each).startswith("Invalid metadata in README.md"):
            return Trouble(f"the card is refused: {_one_line(str(each))}", DataError)
    return None


def _trouble_of_status(error: HfHubHTTPError) -> Trouble:
    status = error.response.status_code
    said = _one_line(error.server_message or "")
    if status == 401:
        return Trouble(
            "the Hub does not accept the token (401): run hf auth login, or set HF_TOKEN anew", UsageError, status
        )
    if status == 403:
        return Trouble(
            f"no right to do so (403{said}): ask the owner for the role write, or use a token that may write",
            UsageError,
            status,
        )
    if status in CONFLICTS:
        return Trouble(
            f"somebody else changed it meanwhile ({status}{said}): run the same command again", status=status
        )
    if status in PASSING:
        wait = error.response.headers.get("Retry-After", "")
        wait_s = float(wait) if wait.isdigit() else None
        when = f"in {wait} s" if wait_s else "later"
        return Trouble(
            f"the Hub is busy ({status}): run the same command again {when}",
            status=status,
            passing=True,
            wait_s=wait_s,
        )
    return Trouble(f"the Hub refuses ({status}{said})", status=status)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _one_line(text: str) -> str:
    """Quote what a server said: one line, not too long, and never the token."""
    token = huggingface_hub.get_token()
    words = " ".join(text.replace(token, "********").split() if token else text.split())
    return f": {words[:200]}" if words else ""
