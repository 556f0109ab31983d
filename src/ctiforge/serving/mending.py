"""What an upstream leaves out of its answers, put in: strict clients want every part of OpenAI's shape."""

import json
import secrets
import time
from collections.abc import Iterator
from typing import Any

from ctiforge.serving.openai_shapes import Turn, chunk, event, opening

_NO_ANSWER = "the upstream's answer is no completion"


class NoCompletionError(Exception):
    """What the upstream sent is no answer in OpenAI's shape."""


def mend_completion(sent: bytes, model: str) -> dict[str, Any]:
    """Put into a whole answer what is missing: role, finish_reason, id, object, model.

    Raises NoCompletionError where there is no answer in it.
    """
    try:
        found = json.loads(sent)
    except (ValueError, RecursionError):
        raise NoCompletionError(_NO_ANSWER) from None
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
        choice["finish_reason"] = choice.get("finish_reason") or "stop"
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
        self._began: set[int] = set()
        self._reasons: dict[int, str | None] = {}
        """Why each choice ended, by its index; None: it has not."""
        self._usage: dict[str, Any] | None = None

    def line(self, line: str) -> Iterator[str]:
        """Read one line of the stream. Raises NoCompletionError for data that is no chunk."""
        if not line.startswith("data:") or self.is_done:
            return
        data = line.removeprefix("data:").strip()
        self.is_done = data == "[DONE]"
        if not data or self.is_done:
            return
        try:
            found = json.loads(data)
        except (ValueError, RecursionError):
            raise NoCompletionError("the upstream's stream holds what is no chunk") from None
        if not isinstance(found, dict):
            raise NoCompletionError("the upstream's stream holds what is no chunk")
        if found.get("error"):
            raise NoCompletionError(f"the upstream says: {_words(found['error'])}")
        if isinstance(found.get("usage"), dict):
            self._usage = found["usage"]
        yield from self._choices(found)

    def end(self) -> Iterator[str]:
        """Give what is still to be sent after the last line. Raises NoCompletionError: nothing came, or not all."""
        if not self._began and not any(self._reasons.values()):
            raise NoCompletionError("the upstream's stream holds no answer")
        if not self.is_done and not all(self._reasons.values()):
            raise NoCompletionError("the upstream's stream was cut off")
        for index, reason in sorted(self._reasons.items()):
            yield from self._begin(index)
            yield event(self._chunk({}, reason or "stop", index))
        if self._with_usage and self._usage:
            last = self._chunk({}, None, 0)
            yield event({**last, "choices": [], "usage": self._usage})

    def _choices(self, found: dict[str, Any]) -> Iterator[str]:
        choices = found.get("choices")
        for place, choice in enumerate(choices if isinstance(choices, list) else ()):
            if not isinstance(choice, dict):
                continue
            if not self._began:
                self._id = str(found.get("id") or self._id)
                self._model = str(found.get("model") or self._model)
            told = choice.get("index")
            index = told if isinstance(told, int) else place
            given = choice.get("delta") or choice.get("message")
            delta = given if isinstance(given, dict) else {}
            said = {name: each for name, each in delta.items() if name != "role" and each not in (None, "", [])}
            if said:
                yield from self._begin(index)
                yield event(self._chunk(said, None, index))
            self._reasons[index] = choice.get("finish_reason") or self._reasons.get(index)

    def _begin(self, index: int) -> Iterator[str]:
        if index not in self._began:
            self._began.add(index)
            yield event(opening(self._id, self._created, self._model, index))

    def _chunk(self, delta: dict[str, Any], reason: str | None, index: int) -> dict[str, Any]:
        return chunk(self._id, self._created, self._model, delta, reason, index)


def _words(error: Any) -> str:
    said = error.get("message") if isinstance(error, dict) else error
    return " ".join(str(said).split())[:200]
