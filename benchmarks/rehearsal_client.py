"""The application, as far as its contract goes: asks seven agents about an article, and stores what it is answered."""

import json
import urllib.request
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from ctiforge.data.generations import read_result
from ctiforge.observables.values import normalize
from ctiforge.records.article import ArticleRecord
from ctiforge.records.observable import Observable
from tests.huntable import KEYS, request
from tests.integration.endpoint import Asked, Endpoint, Reply, completion

_TIMEOUT_S = 180.0
_TRIES = 5


def ask_all(url: str, record: ArticleRecord, model: str = "ctiforge") -> dict[str, str]:
    """Ask all agents about an article, at once as the application may.

    Args:
        url: The server's address, without `/v1`.
        record: The article.
        model: The model's name.

    Returns:
        Agent → the content of the assistant's turn.
    """
    with ThreadPoolExecutor(len(KEYS)) as pool:
        answers = pool.map(lambda agent: ask(url, agent, record.content, model), KEYS)
        return dict(zip(KEYS, answers, strict=True))


def ask(url: str, agent: str, article: str, model: str = "ctiforge") -> str:
    """Ask one agent, again where the server says so.

    Args:
        url: The server's address, without `/v1`.
        agent: The agent.
        article: The article.
        model: The model's name.

    Returns:
        The content of the assistant's turn.
    """
    body = {
        "model": model, "messages": request(agent, article), "max_tokens": 8192, "temperature": 0, "seed": 42,
    }  # fmt: skip
    for attempt in range(_TRIES):
        try:
            answer = post(f"{url}/v1/chat/completions", body)
        except OSError:
            if attempt == _TRIES - 1:
                raise
            continue
        return str(answer["choices"][0]["message"]["content"])
    raise AssertionError("unreachable")


@contextmanager
def general_model() -> Iterator[str]:
    """Serve what stands for the team's general model: it finds nothing, in the shape that an agent wants.

    Yields:
        Its address, with `/v1`.
    """

    def respond(asked: Asked) -> Reply:
        key = next((each for each in KEYS.values() if f'"{each}"' in asked.text), "items")
        return completion(json.dumps({key: [], "count": 0}))

    with Endpoint(respond) as endpoint:
        yield endpoint.url


def post(url: str, body: Any) -> Any:
    """Post JSON, and give the JSON that comes back."""
    sent = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(sent, timeout=_TIMEOUT_S) as answer:
        return json.load(answer)


def get(url: str) -> Any:
    """Get JSON."""
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.load(answer)


def differs(row: dict[str, Any], direct: Sequence[Observable]) -> int:
    """Count the values that the stored row, as our reader reads it, and a direct extraction do not share.

    Args:
        row: The `extraction_result`.
        direct: What the model found when it was asked without the application between.

    Returns:
        How many: 0 where both are the same.
    """

    def keys(observables: Sequence[Observable]) -> set[tuple[str, str]]:
        return {(each.type, normalize(each.type, each.value)) for each in observables}

    return len(keys(read_result(row).observables) ^ keys(direct))
