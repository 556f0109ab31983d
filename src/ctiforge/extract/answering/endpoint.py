"""An OpenAI-compatible endpoint that serves a model: what is asked of it, and what comes of a refusal.

LM Studio, vLLM and llama.cpp's server all answer `GET models`, `POST chat/completions` and `POST completions`.
"""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import openai

from ctiforge.endpoints import RETRIES, UNREACHED, check_address, meaning_of, names_quota, own_words, unreached_words
from ctiforge.errors import CannotGoOnError, CtiforgeError, UsageError
from ctiforge.settings import read_api_key

_ALTERNATIVES = 5
"""Tokens of which an endpoint says how likely each was in one place."""


@dataclass(frozen=True)
class Endpoint:
    """Where a model is served, and how it is asked there."""

    url: str
    """The address, which usually ends in `/v1`."""
    model: str
    """The model's name there."""
    concurrency: int = 4
    """Requests under way at once."""
    timeout_s: float = 300.0
    """Seconds to wait for one answer."""


@dataclass(frozen=True)
class Completion:
    """One answer of an endpoint, with what it says of its cost; 0 where it says nothing."""

    text: str
    stopped_by_length: bool
    prompt_tokens: int
    answer_tokens: int
    tokens: tuple[tuple[str, float], ...] = ()
    """The text of each token with its log-probability; empty where the endpoint does not say."""
    alternatives: tuple[dict[str, float], ...] = ()
    """What else might have stood in each token's place, itself included: text → log-probability."""


class RefusedError(Exception):
    """The endpoint did not answer this request; others may fare better."""


class _OverError(openai.OpenAIError):
    """Nothing more is to be asked; the library passes its own kind of error on without a retry."""

    def __init__(self, mended: CtiforgeError) -> None:
        super().__init__(str(mended))
        self.mended = mended


class Client:
    """Asks one endpoint; its key, where it needs one, is in OPENAI_API_KEY.

    Raises UsageError for what is no address or no key.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        check_address(endpoint.url)
        self.endpoint = endpoint
        self._key = read_api_key(needed=False)
        self._client = openai.OpenAI(
            api_key=self._key,
            base_url=endpoint.url,
            timeout=endpoint.timeout_s,
            max_retries=RETRIES,
            http_client=openai.DefaultHttpxClient(
                # the library would ask again: this sees every answer
                event_hooks={"response": [self._end_where_quota_is_over]},
                # a proxy of the environment is for what is elsewhere
                trust_env=not endpoint.url.startswith("http://127.0.0.1:"),
            ),
        )
        self._lock = threading.Lock()
        self._unreached = 0
        self._may_say_logprobs = True

    def served(self) -> list[str]:
        """Ask which models are served there. Raises UsageError or CannotGoOnError where nobody says."""
        with self._refusals_end_it(), self._explained():
            return [each.id for each in self._client.models.list()]

    def chat(
        self,
        messages: Sequence[dict[str, str]],
        room: int | None,
        schema: dict[str, Any] | None,
        *,
        logprobs: bool = False,
        template_args: Mapping[str, Any] | None = None,
    ) -> Completion:
        """Answer a conversation greedily with at most `room` tokens. Raises RefusedError for this request alone.

        `logprobs` asks how likely each token was, until the endpoint says that it does not know of that.
        `template_args` are variables of the model's chat template, which the endpoint renders with.
        """
        asked = logprobs and self._may_say_logprobs
        fixed = {"chat_template_kwargs": dict(template_args)} if template_args else {}
        try:
            return self._chat(messages, room, schema, asked, fixed)
        except RefusedError as error:
            if not asked or "logprob" not in str(error).lower():
                raise
            self._may_say_logprobs = False
            return self._chat(messages, room, schema, False, fixed)

    def _chat(
        self,
        messages: Sequence[dict[str, str]],
        room: int | None,
        schema: dict[str, Any] | None,
        logprobs: bool,
        further: Mapping[str, Any],
    ) -> Completion:
        form = {"type": "json_schema", "json_schema": {"name": "answer", "strict": True, "schema": schema}}
        options: Any = {"response_format": form} if schema else {}
        if logprobs:
            options |= {"logprobs": True, "top_logprobs": _ALTERNATIVES}
        if further:
            options["extra_body"] = further
        create: Any = self._client.chat.completions.create
        with self._explained():
            completion = create(
                model=self.endpoint.model, messages=list(messages), temperature=0, max_tokens=room, **options
            )
            choice = _first_choice(completion)
            text = getattr(choice.message, "content", None)
            if text is None and choice.finish_reason != "length":
                raise ValueError(f"its content is null (finish_reason {choice.finish_reason})")
            return replace(
                _completion(completion, choice, text), tokens=_tokens(choice), alternatives=_alternatives(choice)
            )

    def complete(self, prompt: str, room: int) -> Completion:
        """Go on with a text greedily, with at most `room` tokens. Raises RefusedError for this request alone."""
        with self._explained():
            completion: Any = self._client.completions.create(
                model=self.endpoint.model, prompt=prompt, temperature=0, max_tokens=room
            )
            choice = _first_choice(completion)
            return _completion(completion, choice, getattr(choice, "text", None))

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn what the library raises into RefusedError, or into what ends everything."""
        try:
            yield
            self._unreached = 0
        except openai.APIStatusError as error:
            raise self._status_error(error) from None
        except (openai.APITimeoutError, openai.APIConnectionError) as error:
            timed_out = isinstance(error, openai.APITimeoutError)
            why = f"no answer in {self.endpoint.timeout_s:g} s" if timed_out else f"no connection ({error.__cause__})"
            raise self._missed(why) from None
        except _OverError as over:
            raise over.mended from None
        except (openai.OpenAIError, ValueError) as error:
            raise RefusedError(f"the answer is no completion: {own_words(error, self._key)}") from None

    @contextmanager
    def _refusals_end_it(self) -> Iterator[None]:
        try:
            yield
        except RefusedError as error:
            raise CannotGoOnError(f"{self.endpoint.url}: {error}; is the server up?") from None

    def _status_error(self, error: openai.APIStatusError) -> Exception:
        meaning = meaning_of(error.status_code, own_words(error, self._key), model=self.endpoint.model)
        if meaning.ends:
            return meaning.ends(f"{self.endpoint.url}: {meaning.words}")
        return self._missed(meaning.words) if meaning.may_pass else RefusedError(meaning.words)

    def _end_where_quota_is_over(self, response: Any) -> None:
        if response.status_code != 429:
            return
        if names_quota(response.status_code, response.read()):
            meaning = meaning_of(429, "", model=self.endpoint.model, is_quota_over=True)
            raise _OverError(CannotGoOnError(f"{self.endpoint.url}: {meaning.words}"))

    def _missed(self, why: str) -> Exception:
        with self._lock:
            self._unreached += 1
            over = self._unreached >= UNREACHED
        if over:
            return CannotGoOnError(f"{self.endpoint.url}: {unreached_words(why)}")
        return RefusedError(why)


def list_served(url: str) -> list[str]:
    """Ask an endpoint which models it serves.

    Args:
        url: Its address.

    Returns:
        Their ids there.

    Raises:
        UsageError: The text is no address, or the key is refused.
        CannotGoOnError: Nobody answers there.
    """
    return Client(Endpoint(url, "", timeout_s=30)).served()


def connect(endpoint: Endpoint) -> Client:
    """Find an endpoint that answers and serves the model. Raises UsageError or CannotGoOnError otherwise."""
    client = Client(endpoint)
    served = client.served()
    if served and endpoint.model not in served:
        raise UsageError(
            f"{endpoint.url} serves no model {endpoint.model!r}; it serves {', '.join(sorted(served)[:10])}"
        )
    return client


def _first_choice(completion: Any) -> Any:
    choices = getattr(completion, "choices", None)
    if not choices:
        raise ValueError("it has no choices")
    return choices[0]


def _tokens(choice: Any) -> tuple[tuple[str, float], ...]:
    content = getattr(getattr(choice, "logprobs", None), "content", None)
    try:
        return tuple((str(each.token), float(each.logprob)) for each in content or ())
    except (AttributeError, TypeError, ValueError):
        # of another form than OpenAI's
        return ()


def _alternatives(choice: Any) -> tuple[dict[str, float], ...]:
    """Read what else might have stood in the place of each token, with its log-probability."""
    content = getattr(getattr(choice, "logprobs", None), "content", None)
    try:
        return tuple({str(one.token): float(one.logprob) for one in each.top_logprobs or ()} for each in content or ())
    except (AttributeError, TypeError, ValueError):
        return ()


def _completion(completion: Any, choice: Any, text: Any) -> Completion:
    usage = getattr(completion, "usage", None)
    return Completion(
        text=text if isinstance(text, str) else "",
        stopped_by_length=choice.finish_reason == "length",
        prompt_tokens=getattr(usage, "prompt_tokens", None) or 0,
        answer_tokens=getattr(usage, "completion_tokens", None) or 0,
    )
