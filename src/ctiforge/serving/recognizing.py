"""Tells whose request something is, and takes the article out of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ctiforge.errors import DataError
from ctiforge.records.profile import Profile


class MisshapenError(DataError):
    """A request is one of an agent's, and holds no article."""


@dataclass(frozen=True)
class Asked:
    """What a request asks for."""

    agent: str
    """The agent's name in the profile."""
    text: str
    """The article, as it stands in the request."""
    title: str | None
    """The article's title; None where the request names none."""
    url: str | None
    """The article's address; None where the request names none."""


def recognize(profile: Profile, messages: Sequence[Mapping[str, Any]]) -> Asked | None:
    """Tell which agent asks, and about which article.

    Args:
        profile: How the application asks.
        messages: The request's messages, as OpenAI's protocol has them.

    Returns:
        The agent and the article; None for a request of another kind.

    Raises:
        MisshapenError: It is an agent's request, and holds no article.
    """
    raise NotImplementedError
