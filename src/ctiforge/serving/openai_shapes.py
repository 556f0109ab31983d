"""What goes out, in OpenAI's shapes: completions, chunks of a stream, errors, lists of models."""

import json
import secrets
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

CONTEXT_LENGTH = 131_072
"""Tokens that the server takes, whatever the model reads at once: articles are cut into windows here."""
DONE = "data: [DONE]\n\n"
"""The last event of a stream."""
KEEP_ALIVE = ": the model is at work\n\n"
"""A comment of a stream, which clients pass over."""
Sent = dict[str, Any]
"""The JSON object of a request."""
_PIECE = 4_096


class RefusalError(Exception):
    """A request that is answered with an error: its status, the words for a person, a code for programs."""

    def __init__(self, status: int, message: str, code: str, *, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.retry_after = retry_after

    def body(self) -> dict[str, Any]:
        """Write it as OpenAI words errors."""
        kind = "server_error" if self.status >= 500 else "invalid_request_error"
        return {"error": {"message": str(self), "type": kind, "param": None, "code": self.code}}


@dataclass(frozen=True)
class Spent:
    """Tokens of a completion, as the model counts them."""

    prompt: int = 0
    answer: int = 0
    cached: int = 0
    """Of the prompt's: those that an earlier request had read already."""

    def usage(self) -> dict[str, Any]:
        """Write them as OpenAI does."""
        return {
            "prompt_tokens": self.prompt,
            "completion_tokens": self.answer,
            "total_tokens": self.prompt + self.answer,
            "prompt_tokens_details": {"cached_tokens": self.cached},
        }


@dataclass(frozen=True)
class Turn:
    """One answer of the assistant, whole."""

    content: str
    model: str
    spent: Spent = Spent()
    id: str = field(default_factory=lambda: f"chatcmpl-{secrets.token_hex(12)}")
    created: int = field(default_factory=lambda: int(time.time()))

    def completion(self) -> dict[str, Any]:
        """Write it as the answer to a request that is not streamed."""
        message = {"role": "assistant", "content": self.content, "refusal": None}
        return {
            "id": self.id,
            "object": "chat.completion",
            "created": self.created,
            "model": self.model,
            "choices": [{"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}],
            "usage": self.spent.usage(),
        }

    def chunks(self, *, with_usage: bool) -> Iterator[dict[str, Any]]:
        """Write it as the chunks of a stream: the role, the content, the reason why it ends, the usage if asked."""
        yield opening(self.id, self.created, self.model)
        for start in range(0, len(self.content), _PIECE):
            delta = {"content": self.content[start : start + _PIECE]}
            yield chunk(self.id, self.created, self.model, delta, None)
        yield chunk(self.id, self.created, self.model, {}, "stop")
        if with_usage:
            last = chunk(self.id, self.created, self.model, {}, None)
            yield {**last, "choices": [], "usage": self.spent.usage()}


def opening(id_: str, created: int, model: str, index: int = 0) -> dict[str, Any]:
    """Write the first chunk of a stream, or of one of its choices, which says who speaks."""
    return chunk(id_, created, model, {"role": "assistant", "content": ""}, None, index)


def chunk(
    id_: str,
    created: int,
    model: str,
    delta: dict[str, Any],
    finish_reason: str | None,
    index: int = 0,
    logprobs: Any = None,
) -> dict[str, Any]:
    """Write one chunk of a stream."""
    return {
        "id": id_,
        "object": "chat.completion.chunk",
        "created": created,
        "model": model,
        "choices": [{"index": index, "delta": delta, "finish_reason": finish_reason, "logprobs": logprobs}],
    }


def event(data: dict[str, Any]) -> str:
    """Write one event of a stream."""
    return f"data: {json.dumps(data)}\n\n"


def model_list(ids: Iterable[str], others: Iterable[dict[str, Any]] = ()) -> dict[str, Any]:
    """Write the answer of `GET /v1/models`: own ids with what they take, and `others` as an upstream lists them."""
    own = [
        {"id": id_, "object": "model", "created": 0, "owned_by": "ctiforge", "context_length": CONTEXT_LENGTH}
        for id_ in ids
    ]
    names = {each["id"] for each in own}
    return {"object": "list", "data": [*own, *(each for each in others if each.get("id") not in names)]}


def studio_list(ids: Iterable[str], others: Iterable[dict[str, Any]] = (), *, is_loaded: bool) -> dict[str, Any]:
    """Write the answer of LM Studio's own `GET /api/v1/models`: all our names are of one model, loaded or not yet."""
    own = [
        {
            "type": "llm",
            "id": id_,
            "key": id_,
            "publisher": "ctiforge",
            "max_context_length": CONTEXT_LENGTH,
            "loaded_instances": [{"id": id_, "config": {"context_length": CONTEXT_LENGTH}}] if is_loaded else [],
        }
        for id_ in ids
    ]
    names = {each["id"] for each in own}
    return {"data": [*own, *(each for each in others if each.get("id") not in names)]}


def studio_loaded(id_: str) -> dict[str, Any]:
    """Write the answer of LM Studio's `POST /api/v1/models/load` for a model that is loaded already."""
    config = {"context_length": CONTEXT_LENGTH}
    return {"type": "llm", "instance_id": id_, "status": "loaded", "load_time_seconds": 0.0, "load_config": config}
