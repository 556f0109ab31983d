"""Tells whose request something is, and takes the article out of it.

An agent is told by what stands around the article, never by what stands in it: an article may say whatever it likes.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from ctiforge.errors import DataError
from ctiforge.records.profile import ArticleMarks, Profile, Recognition


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

    The article stands in the last message of the user. What is said before it (also in other messages) and behind it
    is the agent's prompt.

    Args:
        profile: How the application asks.
        messages: The request's messages, as OpenAI's protocol has them.

    Returns:
        The agent and the article; None for a request of another kind, and where it might be one of several agents'.

    Raises:
        MisshapenError: It is an agent's request, and holds no article.
    """
    texts = [(message.get("role"), _text_of(message.get("content"))) for message in messages]
    if any(text is None for _, text in texts):
        return None
    last = next((index for index in reversed(range(len(texts))) if texts[index][0] == "user"), None)
    if last is None:
        return None
    user = texts[last][1] or ""
    others = "\n".join(text or "" for index, (_, text) in enumerate(texts) if index != last)
    frames = {marks: _cut(marks, user) for marks in {profile.marks_of(agent) for agent in profile.agent}}
    prompts = {marks: f"{others}\n{frame.head}\n{frame.tail}" for marks, frame in frames.items() if frame.is_shaped}
    agent = _choose(profile, {name: prompts.get(profile.marks_of(name)) for name in profile.agent})
    if agent is None:
        return None
    marks = profile.marks_of(agent)
    frame = frames[marks]
    if frame.text is None or not frame.text.strip():
        raise MisshapenError(_nothing_between(agent, marks))
    return Asked(agent, _without_skipped(marks, frame.text), frame.title, frame.url)


@dataclass(frozen=True)
class _Frame:
    """A message, cut into what stands before the article, the article, and what stands behind it."""

    is_shaped: bool
    """Whether any of the marks is there."""
    head: str = ""
    text: str | None = None
    """None where one of the marks is missing."""
    tail: str = ""
    title: str | None = None
    url: str | None = None


def _text_of(content: Any) -> str | None:
    """Read a message's content: a text, or a list of parts that are texts; None for anything else."""
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else [None]
    texts = [part.get("text") if isinstance(part, dict) and part.get("type") == "text" else None for part in parts]
    return "".join(texts) if all(isinstance(text, str) for text in texts) else None


def _cut(marks: ArticleMarks, message: str) -> _Frame:
    header = _header(marks).search(message) or _pattern(marks.after).search(message)
    end = _end(marks, message, header.end() if header else 0)
    if header is None:
        # nothing but its end: whatever stands before it is taken for no prompt
        return _Frame(is_shaped=end is not None and bool(marks.before), tail=message[end:] if end is not None else "")
    named = header.groupdict()
    return _Frame(
        is_shaped=True,
        head=message[: header.end()],
        text=None if end is None else message[header.end() : end],
        tail="" if end is None else message[end:],
        title=(named.get("title") or "").strip() or None,
        url=(named.get("url") or "").strip() or None,
    )


def _end(marks: ArticleMarks, message: str, start: int) -> int | None:
    """Find where the last of the marks that end an article stand; None where one is missing."""
    end = len(message)
    for mark in reversed(marks.before):
        # the break that ends an empty article's line is that of its end, too
        found = _last(mark, message, max(0, start - 2), end)
        if found is None:
            return None
        end = found
    return max(end, start)


def _last(mark: str, message: str, start: int, end: int) -> int | None:
    places = [message.rfind(each, start, end) for each in {mark, mark.replace("\n", "\r\n")}]
    return max(places) if max(places) >= 0 else None


@cache
def _header(marks: ArticleMarks) -> re.Pattern[str]:
    """Write the lines of title and address, where there are any, and what comes next before the article."""
    lines = ""
    for name, label in (("title", marks.title), ("url", marks.url)):
        if label:
            lines += rf"^{re.escape(label)}(?P<{name}>[^\r\n]*)\r?\n"
    return re.compile(rf"{lines}(?:[ \t]*\r?\n)*?{_source(marks.after)}" if lines else _source(marks.after), re.M)


@cache
def _pattern(mark: str) -> re.Pattern[str]:
    return re.compile(_source(mark))


def _source(mark: str) -> str:
    return re.escape(mark).replace("\\\n", r"\r?\n")


def _without_skipped(marks: ArticleMarks, text: str) -> str:
    """Leave out the part before the article that is none of it."""
    begins = text.lstrip()
    if not marks.skip_until or not begins.startswith(marks.skip_from):
        return text
    until = _pattern(marks.skip_until).search(text)
    return text[until.end() :] if until else text


def _choose(profile: Profile, prompts: Mapping[str, str | None]) -> str | None:
    """Choose the one agent whose key stands in its prompt, of several the one whose words do, too; else by words."""
    shaped = {name: prompt for name, prompt in prompts.items() if prompt is not None}
    by_key = [name for name, prompt in shaped.items() if _has_key(profile.agent[name].recognize, prompt)]
    if len(by_key) == 1:
        return by_key[0]
    words = {
        name: len("".join(profile.agent[name].recognize.system))
        for name in by_key or shaped
        if _has_words(profile.agent[name].recognize, shaped[name])
    }
    most = [name for name, length in words.items() if length == max(words.values())]
    return most[0] if len(most) == 1 else None


def _has_key(recognition: Recognition, prompt: str) -> bool:
    return recognition.example_key is not None and f'"{recognition.example_key}"' in prompt


def _has_words(recognition: Recognition, prompt: str) -> bool:
    folded = " ".join(prompt.split()).lower()
    return bool(recognition.system) and all(" ".join(each.split()).lower() in folded for each in recognition.system)


def _nothing_between(agent: str, marks: ArticleMarks) -> str:
    behind = f" and before {marks.before[0].strip()!r}" if marks.before else ""
    return f"the request is {agent}'s and holds no article: write it behind {marks.after.strip()!r}{behind}"
