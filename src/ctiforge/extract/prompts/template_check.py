"""Whether a model is taught and asked alike: one example rendered as training and as a conversation. Pure."""

from collections.abc import Iterator
from typing import Any

from ctiforge.extract.prompts import prompt_of
from ctiforge.extract.prompts.rendering import render_prompt
from ctiforge.records.data_check import DataFinding, Level
from ctiforge.records.formatted import ExampleRow, FormatReport
from ctiforge.training.encoding import encode_answer, encode_prompt, end_token_id, pad_token_id, tokenizer_hash

_SHOWN = 40


def check_template(
    description: FormatReport, row: ExampleRow, window: str | None, model: str, tokenizer: Any
) -> Iterator[DataFinding]:
    """Find what differs between how a model is taught by an example and how it is asked at work.

    Args:
        description: How the data was cut: its `format.json`.
        row: One example of the data.
        window: The part of the article that the example shows; None: only what the row itself holds is looked at.
        model: The model that is to be trained, for the text of findings.
        tokenizer: That model's tokenizer.

    Yields:
        What is wrong, or may be, with a remedy; nothing where all is well.
    """
    remedy = f"prepare the data for it: format_extract --model {model}"
    if description.tokenizer_hash != tokenizer_hash(tokenizer):
        cut_for = description.model
        yield _finding("error", f"the data was cut for the tokenizer of {cut_for}, {model} has another", remedy)
        return
    taught = encode_prompt(tokenizer, row.prompt)
    at_work = encode_prompt(tokenizer, _asked(description, row, window, tokenizer)) if window is not None else taught
    if taught != at_work:
        yield _finding(
            "error",
            f"the model is taught and asked differently: {_apart(taught, at_work, tokenizer)}",
            remedy,
        )
    if description.format == "messages":
        yield from _check_conversation(row, taught, tokenizer, remedy)
    if pad_token_id(tokenizer) == end_token_id(tokenizer) and tokenizer.pad_token_id is not None:
        yield _finding(
            "warning",
            "the token that pads is the one that ends an answer; other tools that train on this data mask both",
            "nothing here: ctiforge masks by position",
        )


def _asked(description: FormatReport, row: ExampleRow, window: str, tokenizer: Any) -> str:
    prompt = prompt_of(description.usage)
    asks_platform = row.asks_platform
    return render_prompt(description.format, prompt, row.types, window, tokenizer, platform=asks_platform)


def _check_conversation(row: ExampleRow, taught: list[int], tokenizer: Any, remedy: str) -> Iterator[DataFinding]:
    """Compare with the conversation that a server renders: prompt and answer must be what it begins with."""
    opening = row.prompt
    turns = [{"role": "user", "content": "x"}, {"role": "assistant", "content": row.answer}]
    whole = str(tokenizer.apply_chat_template(turns, tokenize=False))
    asking = str(tokenizer.apply_chat_template(turns[:1], tokenize=False, add_generation_prompt=True))
    answered = encode_answer(tokenizer, row.answer)
    if not whole.startswith(asking):
        yield _finding(
            "warning",
            f"the template opens an answer with {asking[-_SHOWN:]!r}, and a conversation that has one goes "
            f"{whole[len(asking) - _SHOWN : len(asking) + _SHOWN]!r}: they differ where the answer begins",
            "check the chat template's generation prompt; what is trained is the former",
        )
        return
    rest = encode_prompt(tokenizer, asking)
    conversation = encode_prompt(tokenizer, whole)
    if conversation[: len(rest)] != rest or conversation[len(rest) : len(rest) + len(answered)] != answered:
        yield _finding(
            "warning",
            f"an answer after {opening[-_SHOWN:]!r} is other tokens in a whole conversation: "
            f"{_apart(answered, conversation[len(rest) :], tokenizer)}",
            remedy,
        )


def _apart(one: list[int], other: list[int], tokenizer: Any) -> str:
    """Show where two token sequences part."""
    at = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    shown = [tokenizer.decode(ids[max(0, at - 5) : at + 10]) for ids in (one, other)]
    return f"token {at}, {shown[0]!r} against {shown[1]!r}"


def _finding(level: Level, text: str, remedy: str) -> DataFinding:
    return DataFinding(level=level, check="template", text=text, remedy=remedy)
