"""What an upstream leaves out of its answers, put in: strict clients want every part of OpenAI's shape."""

import json
import secrets
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from ctiforge.serving.json_texts import read_json
from ctiforge.serving.openai_shapes import Turn, chunk, event, opening

_NO_ANSWER = "the upstream's answer is no completion"
_NO_CHUNK = "the upstream's stream holds what is no chunk"
_CHUNK = "chat.completion.chunk"
_SAID = ("error", "message", "detail")
_OF_THE_ANSWER = ("", "message")
"""What an event is called that is a piece of the answer; others, like `ping`, may hold anything."""


class NoCompletionError(Exception):
    """What the upstream sent is no answer in OpenAI's shape."""


def mend_completion(sent: bytes, model: str) -> dict[str, Any]:
    """Put into a whole answer what is missing: role, finish_reason, id, object, model.

    Raises NoCompletionError where there is no answer in it.
    """
    try:
        found = read_json(sent)
    except (ValueError, RecursionError):
        raise NoCompletionError(_NO_ANSWER) from None
    if isinstance(found, dict) and (found.get("error") or found.get("object") == "error" or _only_speaks(found)):
        raise NoCompletionError(_told(found))
    choices = found.get("choices") if isinstance(found, dict) else None
    if not isinstance(choices, list) or not choices or not all(isinstance(each, dict) for each in choices):
        raise NoCompletionError(_NO_ANSWER)
    for index, choice in enumerate(choices):
        message = choice.get("message")
        if not isinstance(message, dict):
            raise NoCompletionError(_NO_ANSWER)
        message["role"] = message.get("role") or "assistant"
        message.setdefault("content", None)
        choice.setdefault("index", index)
        choice["finish_reason"] = choice.get("finish_reason") or _ending(bool(message.get("tool_calls")))
    blank = Turn("", model)
    return {"id": blank.id, "object": "chat.completion", "created": blank.created, "model": model} | {
        name: each for name, each in found.items() if each is not None
    }


class StreamMender:
    """Reads the lines of a streamed answer and gives the events to send on: nothing empty, nothing missing.

    Of each choice the role comes first and `finish_reason` last and once; then the usage where it was asked for and
    the upstream tells it, then nothing: the caller ends the stream.
    """

    def __init__(self, model: str, *, with_usage: bool) -> None:
        self.is_done = False
        """Whether the upstream said that this is all."""
        self._model = model
        self._with_usage = with_usage
        self._id = f"chatcmpl-{secrets.token_hex(12)}"
        self._created = int(time.time())
        self._kind = ""
        self._data: list[str] = []
        """What the event that is being read is called, and the lines of its data."""
        self._began: set[int] = set()
        self._reasons: dict[int, str | None] = {}
        """Why each choice ended, by its index; None: it has not."""
        self._calling: set[int] = set()
        """The choices that call a tool."""
        self._holds_text = False
        """Whether a choice says something where chunks of chats say nothing."""
        self._usage: dict[str, Any] | None = None

    def line(self, line: str) -> Iterator[str]:
        """Read one line of the stream. Raises NoCompletionError for data that is no chunk, and where it tells an error.

        An event ends with an empty line; its data may be of several.
        """
        if self.is_done:
            return
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if not line:
            yield from self._event()
        elif name == "data" and value.strip() == "[DONE]":
            yield from self._event()
            self.is_done = True
        elif name == "data":
            self._data.append(value)
        elif name == "event":
            self._kind = value.strip().lower()
        elif name == "error":
            raise NoCompletionError(_told(value))
        elif line.startswith("{"):
            # who fails on the way may write the error as it is
            self._data.append(line)

    def end(self) -> Iterator[str]:
        """Give what is still to be sent after the last line. Raises NoCompletionError: nothing came, or not all."""
        yield from self._event()
        if not self._began and not any(self._reasons.values()):
            raise NoCompletionError("the upstream's stream holds no answer")
        if not self.is_done and not all(self._reasons.values()):
            raise NoCompletionError("the upstream's stream was cut off")
        if not self._began and self._holds_text:
            raise NoCompletionError("the upstream's stream is of another protocol: its choices hold text and no delta")
        for index, reason in sorted(self._reasons.items()):
            yield from self._begin(index)
            yield event(self._chunk({}, reason or _ending(index in self._calling), index))
        if self._with_usage and self._usage:
            last = self._chunk({}, None, 0)
            yield event({**last, "choices": [], "usage": self._usage})

    def _event(self) -> Iterator[str]:
        kind, lines = self._kind, self._data
        self._kind, self._data = "", []
        if "error" in kind:
            raise NoCompletionError(_told("\n".join(lines)))
        for found in _objects(lines):
            if found.get("error") or found.get("object") == "error":
                raise NoCompletionError(_told(found))
            if isinstance(found.get("usage"), dict):
                self._usage = found["usage"]
            elif found.get("choices") is None and kind in _OF_THE_ANSWER and found.get("object") != _CHUNK:
                raise NoCompletionError(_told(found))
            yield from self._choices(found)

    def _choices(self, found: dict[str, Any]) -> Iterator[str]:
        choices = found.get("choices")
        for place, choice in enumerate(choices if isinstance(choices, list) else ()):
            if not isinstance(choice, dict):
                continue
            if not self._began:
                self._id = str(found.get("id") or self._id)
                self._model = str(found.get("model") or self._model)
            told = choice.get("index")
            # true is a number in Python
            index = told if type(told) is int else place
            given = choice.get("delta") or choice.get("message")
            delta = given if isinstance(given, dict) else {}
            said = {name: each for name, each in delta.items() if name != "role" and each not in (None, "", [])}
            if said.get("tool_calls"):
                self._calling.add(index)
            logprobs = choice.get("logprobs")
            if said or (isinstance(logprobs, dict) and any(logprobs.values())):
                yield from self._begin(index)
                yield event(self._chunk(said, None, index, logprobs))
            self._holds_text = self._holds_text or bool(choice.get("text"))
            self._reasons[index] = choice.get("finish_reason") or self._reasons.get(index)

    def _begin(self, index: int) -> Iterator[str]:
        if index not in self._began:
            self._began.add(index)
            yield event(opening(self._id, self._created, self._model, index))

    def _chunk(self, delta: dict[str, Any], reason: str | None, index: int, logprobs: Any = None) -> dict[str, Any]:
        return chunk(self._id, self._created, self._model, delta, reason, index, logprobs)


def _ending(calls_a_tool: bool) -> str:
    return "tool_calls" if calls_a_tool else "stop"


def _objects(lines: list[str]) -> list[dict[str, Any]]:
    """Read an event's data: one object over all its lines, or one in each where no empty lines part the events."""
    if not any(line.strip() for line in lines):
        return []
    try:
        found = [_read("\n".join(lines))]
    except (ValueError, RecursionError):
        try:
            found = [_read(line) for line in lines if line.strip()]
        except (ValueError, RecursionError):
            raise NoCompletionError(_NO_CHUNK) from None
    return found


def _read(data: str) -> dict[str, Any]:
    found = read_json(data)
    if not isinstance(found, dict):
        raise ValueError(_NO_CHUNK)
    return found


def _only_speaks(found: dict[str, Any]) -> bool:
    return "choices" not in found and any(isinstance(found.get(name), str) for name in _SAID)


def _told(said: Any) -> str:
    """Word an error, in whichever of the usual places its message stands."""
    with suppress(ValueError, RecursionError):
        said = json.loads(said) if isinstance(said, str) else said
    while isinstance(said, dict):
        said = next((said[name] for name in _SAID if isinstance(said.get(name), dict | str)), "")
    words = " ".join(str(said).split())[:200]
    return f"the upstream says: {words}" if words else "the upstream tells an error, and not which"
