"""Tells whose request something is, and takes the article out of it.

An agent is told by what stands around the article, never by what stands in it: an article may say whatever it likes.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from ctiforge.errors import DataError
from ctiforge.records.profile import ArticleMarks, Profile

_PROMPTING = ("system", "developer")
_BREAK = r"\r?\n"
# a key of an object, or the first text of a list, in the quotes of JSON or of Python
_OTHER_ANSWER = re.compile(
    r"""[{,]\s*\\*(?P<quote>["'])[\w$. -]{1,64}\\*(?P=quote)\s*:"""
    r"""|\[\s*\\*(?P<mark>["'])[^"'\n]{0,200}\\*(?P=mark)\s*[,\]]"""
)


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

    The article stands in the last message of the user. What stands there before its lines and behind it, and the
    messages of the system, are the agent's prompt; earlier turns are of other articles.

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
    system = "\n".join(text or "" for role, text in texts if role in _PROMPTING)
    cut = {marks: _cut(marks, texts[last][1] or "") for marks in {profile.marks_of(name) for name in profile.agent}}
    frames = {name: frame for name in profile.agent if (frame := cut[profile.marks_of(name)])}
    agent = _choose(profile, system, frames)
    if agent is None:
        return None
    marks, frame = profile.marks_of(agent), frames[agent]
    text = _without_skipped(marks, frame.text or "")
    if not text.strip():
        raise MisshapenError(_nothing_between(agent, marks))
    return Asked(agent, text, frame.title, frame.url)


@dataclass(frozen=True)
class _Frame:
    """A message, cut into what stands before the article, the article, and what stands behind it."""

    head: str = ""
    """What stands before the lines of title and address."""
    text: str | None = None
    """None where the mark before the article is missing."""
    task: str = ""
    """What stands between the marks behind the article."""
    tail: str = ""
    """What stands behind the last mark."""
    title: str | None = None
    url: str | None = None


def _text_of(content: Any) -> str | None:
    """Read a message's content: a text, or a list of parts that are texts; None for anything else."""
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else [None]
    found = [part.get("text") if isinstance(part, dict) and part.get("type") == "text" else None for part in parts]
    texts = [text for text in found if isinstance(text, str)]
    return "".join(texts) if len(texts) == len(found) else None


def _cut(marks: ArticleMarks, message: str) -> _Frame | None:
    """Cut a message at the marks; None where those behind an article are missing, or two articles may be meant."""
    header = _opening(marks, message)
    start = header.end() if header else 0
    ends = _ends(marks, message, start)
    if marks.before and not ends:
        return None
    if header is None:
        # what stands before the end may be an article: it is taken for no prompt
        return _Frame(task=message[ends[0] : ends[-1]], tail=message[ends[-1] :]) if ends else None
    named = header.groupdict()
    head = _without_lines(marks, message[: header.start()])
    end, last = (max(ends[0], start), ends[-1]) if ends else (len(message), len(message))
    if head.strip() and _holds_a_request(marks, message, start, end):
        return None
    return _Frame(
        head=head,
        text=message[start:end],
        task=message[end:last],
        tail=message[last:],
        title=(named.get("title") or "").strip() or None,
        url=(named.get("url") or "").strip() or None,
    )


def _opening(marks: ArticleMarks, message: str) -> re.Match[str] | None:
    """Find what stands before the article: the first mark that the lines of title and address lead to, else the first.

    One that stands before those lines is of the prompt, unless a title stands before it in its turn: then the lines are
    of the article, and those of the request are not whole.
    """
    first, header = _pattern(marks.after).search(message), _header(marks).search(message)
    if first is None or header is None or header.start() <= first.start():
        return header or first
    label = marks.title or marks.url
    return first if label and re.search(rf"^{re.escape(label)}", message[: first.start()], re.M) else header


def _without_lines(marks: ArticleMarks, head: str) -> str:
    """Leave out the lines of title and address, and what follows them: they are of the article, whoever wrote it."""
    labels = [re.escape(label) for label in (marks.title, marks.url) if label]
    line = re.search(rf"^(?:{'|'.join(labels)})", head, re.M) if labels else None
    return head[: line.start()] if line else head


def _holds_a_request(marks: ArticleMarks, message: str, start: int, end: int) -> bool:
    """Tell whether a mark behind an article and another article's lines stand before the end.

    Behind a prompt the first of the two may be an example of how to answer.
    """
    behind = _pattern(marks.before[0]).search(message, start, end) if marks.before else None
    return behind is not None and _header(marks).search(message, behind.end(), end) is not None


def _ends(marks: ArticleMarks, message: str, start: int) -> list[int]:
    """Find the last places of the marks that end an article; none where one is missing, or where there are none."""
    ends: list[int] = []
    for mark in reversed(marks.before):
        # the break that ends an empty article's line is that of its end, too
        found = _last(mark, message, max(0, start - 2), ends[0] if ends else len(message))
        if found is None:
            return []
        ends.insert(0, found)
    return ends


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
    source = re.escape(mark).replace("\\\n", r"\r?\n")
    # a message may begin with the line that a mark begins
    return rf"(?:\A|\r?\n){source.removeprefix(_BREAK)}" if source.startswith(_BREAK) else source


def _without_skipped(marks: ArticleMarks, text: str) -> str:
    """Leave out the part before the article that is none of it."""
    begins = text.lstrip()
    if not marks.skip_until or not begins.startswith(marks.skip_from):
        return text
    until = _pattern(marks.skip_until).search(text)
    return text[until.end() :] if until else text


def _choose(profile: Profile, system: str, frames: Mapping[str, _Frame]) -> str | None:
    """Choose the one agent whose key the example has; where that says nothing, the one whose words its prompt has.

    Nobody is chosen where key and words are of different agents. Words count in the role and the task that an agent is
    given, not in the long instructions behind them, which name other agents.
    """
    examples = {name: _example(profile.marks_of(name), system, frame) for name, frame in frames.items()}
    by_key = [name for name, example in examples.items() if _shows_key(profile, name, example)]
    if not by_key:
        # an example of another answer is another's: an agent that has a key would show it
        frames = {
            name: frame
            for name, frame in frames.items()
            if not (profile.agent[name].recognize.example_key and _OTHER_ANSWER.search(examples[name]))
        }
    by_words = [name for name, frame in frames.items() if _is_told(profile, name, system, frame)]
    if len(by_words) == 1 and (not by_key or by_words[0] in by_key):
        return by_words[0]
    return by_key[0] if len(by_key) == 1 and len(by_words) != 1 else None


def _example(marks: ArticleMarks, system: str, frame: _Frame) -> str:
    """Take the part of a prompt in which an example of its answer stands: other parts quote other answers."""
    if not marks.before:
        return f"{system}\n{frame.head}"
    shown = f"{frame.task}\n{frame.tail}"
    begun = _pattern(marks.instructions).search(shown) if marks.instructions else None
    return shown[: begun.start()] if begun else shown


def _shows_key(profile: Profile, name: str, example: str) -> bool:
    """Tell whether an agent's key is one of a JSON object in the example."""
    key = profile.agent[name].recognize.example_key
    # an example that was written as JSON once more has its quotes escaped
    return key is not None and re.search(rf"""(["']){re.escape(key)}\\*\1\s*:""", example) is not None


def _is_told(profile: Profile, name: str, system: str, frame: _Frame) -> bool:
    """Tell whether all of an agent's words stand in its role and task; never where the article is missing."""
    words = profile.agent[name].recognize.system
    told = _folded(f"{system} {frame.head} {frame.task}")
    return bool(words) and frame.text is not None and all(_speaks_of(each, told) for each in words)


def _speaks_of(words: str, told: str) -> bool:
    """Tell whether a text has words of which none is a part of a longer one, but for a plural's ending."""
    return re.search(rf"(?<!\w){re.escape(_folded(words))}(?:s|es|ren)?(?!\w)", told) is not None


def _folded(text: str) -> str:
    return " ".join(text.replace("-", " ").split()).lower()


def _nothing_between(agent: str, marks: ArticleMarks) -> str:
    behind = f" and before {marks.before[0].strip()!r}" if marks.before else ""
    return f"the request is {agent}'s and holds no article: write it behind {marks.after.strip()!r}{behind}"
