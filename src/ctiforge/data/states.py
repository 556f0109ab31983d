"""What an extractor of the application did with an article, and so whether its type is labeled.

The application keeps, for each extractor, a *sub-result*: `items`, `count`, and `raw`, what the model answered or why
it was not asked. Only an extractor that ran says anything about its type.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from ctiforge.data.item_values import clean_text

TRUNCATED = "[Content truncated to fit context window]"
"""What the application puts in the place of the text that it cut off a prompt."""
_TAIL = 200
"""Characters before the cut that are enough to find its place in the article."""
_FLAGS = ("context_length_exceeded", "infra_failed", "error")
_NOT_RUN = ("skip", "block", "disable")


class ExtractorState(StrEnum):
    """What became of one type in one execution."""

    FOUND = "found"
    NOTHING = "found nothing"
    FAILED = "failed"
    SKIPPED = "skipped"
    NEVER_ASKED = "never asked"

    @property
    def labels(self) -> bool:
        """Whether it says something about the type: the extractor ran, and its answer can be read."""
        return self in (ExtractorState.FOUND, ExtractorState.NOTHING)


@dataclass(frozen=True, slots=True)
class TypeState:
    """What became of one type in one execution, and why."""

    state: ExtractorState
    """What became of it."""
    why: str = ""
    """The reason of a state that labels nothing."""
    model: str | None = None
    """The model that was asked; None where the row does not say."""
    cut_after: str | None = None
    """The end of what the extractor saw, where its prompt was cut off; None: it was not."""

    @property
    def reason(self) -> str:
        """The reason in words: the state's name where nothing more is known."""
        return self.why or str(self.state)


def sub_result_state(sub_result: Any, found: int, entries: int) -> TypeState:
    """Tell what became of the type of one sub-result.

    Args:
        sub_result: What the application stored for the extractor: any JSON value.
        found: Observables of its type that could be read, wherever they stood in the result.
        entries: Items that the sub-result holds, readable or not.

    Returns:
        The state; a failure outweighs what was found, for an answer that broke off is no whole one.
    """
    if not isinstance(sub_result, dict):
        return TypeState(ExtractorState.FOUND) if found else TypeState(ExtractorState.FAILED, "sub-result is no object")
    raw = sub_result.get("raw")
    failure = failure_of(sub_result) or (failure_of(raw) if isinstance(raw, dict) else None)
    if failure:
        return TypeState(ExtractorState.FAILED, failure)
    if found:
        return TypeState(ExtractorState.FOUND, cut_after=cut_after(raw))
    if entries:
        return TypeState(ExtractorState.FAILED, "no readable item")
    skipped = _skipped(raw)
    if skipped:
        return TypeState(ExtractorState.SKIPPED, skipped)
    if _counted(sub_result):
        return TypeState(ExtractorState.FAILED, "sub-result without items")
    if "raw" not in sub_result:
        return TypeState(ExtractorState.NEVER_ASKED)
    return TypeState(ExtractorState.NOTHING, cut_after=cut_after(raw))


def failure_of(result: Mapping[str, Any]) -> str | None:
    """Name the failure that a result, a sub-result or its `raw` reports; None where it reports none."""
    return next((flag.replace("_", " ") for flag in _FLAGS if result.get(flag)), None)


def cut_after(raw: Any) -> str | None:
    """Return the end of what a model saw, where the application cut its prompt off (see `TRUNCATED`).

    Args:
        raw: The `raw` of a sub-result, with its `_llm_messages`, or with the `cut_after` that a query took from them.

    Returns:
        At most 200 characters before the cut; None where nothing was cut off.
    """
    if not isinstance(raw, dict):
        return None
    told = raw.get("cut_after")
    if isinstance(told, str):
        return told.rstrip()
    messages = raw.get("_llm_messages")
    for message in messages if isinstance(messages, list) else ():
        content = message.get("content") if isinstance(message, dict) else None
        if isinstance(content, str) and TRUNCATED in content:
            return content.partition(TRUNCATED)[0][-_TAIL:].rstrip()
    return None


def _skipped(raw: Any) -> str | None:
    """Say why an extractor was not run: `raw.status`, with its `reason_code`."""
    status = clean_text(raw.get("status")) if isinstance(raw, dict) else None
    if not status or not status.lower().startswith(_NOT_RUN):
        return None
    code = clean_text(raw.get("reason_code"))
    return (f"{status}: {code}" if code else status).replace("_", " ")


def _counted(sub_result: Mapping[str, Any]) -> bool:
    return "items" not in sub_result and bool(sub_result.get("count") or sub_result.get("query_count"))
