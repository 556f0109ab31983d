"""Lets a model write nothing but answers of the right form: the answer's schema, enforced token by token."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch

from ctiforge.extract.prompts.answers import answer_schema
from ctiforge.records.observable import PLATFORMS

# What ends an answer from within a value, after it, between two items, and after the last: a state of the answer
# is told by the first that may follow there.
_END_VALUE, _END_ITEM, _END_LIST, _END_ANSWER = '"}]}', "}]}", "]}", "}"
# an escape, or a character of several tokens, has to be over before anything can be closed
_SLACK = 8


@dataclass(frozen=True)
class _Ending:
    """How an answer is ended from one state, and from how many tokens on that are left."""

    ids: list[int]
    from_tokens: int


class AnswerConstraint:
    """The forms of answers over one tokenizer; `processor` makes what enforces them in one batch (llguidance)."""

    def __init__(self, tokenizer: Any, vocab_size: int, end_token_id: int) -> None:
        import llguidance.hf

        self.tokenizer = tokenizer
        self.end_token_id = end_token_id
        self._vocab_size = max(vocab_size, len(tokenizer))
        self._guide = llguidance.hf.from_tokenizer(tokenizer, n_vocab=self._vocab_size, eos_token=end_token_id)

    def processor(
        self, types: Sequence[tuple[str, ...]], prompt_length: int, rooms: Sequence[int]
    ) -> "AnswerProcessor":
        """Make a batch's logits processor: each row's types, the padded prompt's length, each answer's most tokens."""
        from llguidance import LLMatcher

        matchers = [LLMatcher(self._guide, _grammar(row)) for row in types]
        longest = max((len(name) for row in types for name in row), default=0)
        return AnswerProcessor(matchers, self._endings(longest), prompt_length, rooms, self.end_token_id)

    def _endings(self, longest_type: int) -> list[_Ending]:
        """List the endings in the order in which they tell the states apart; a token may be as short as a character."""
        item = len(f',{{"type":"","value":"x"{_END_ITEM}') + longest_type + 1
        platform = len(f',"platform":"{max(PLATFORMS, key=len)}"{_END_ITEM}') + 1
        ends = {_END_VALUE: len(_END_VALUE) + 1, _END_ITEM: platform, _END_LIST: item, _END_ANSWER: 0}
        return [_Ending(self._ids(text), tokens + _SLACK) for text, tokens in ends.items()]

    def _ids(self, text: str) -> list[int]:
        ids: list[int] = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        return ids


class AnswerProcessor:
    """A `LogitsProcessor` of transformers: allows what the grammar does, and ends an answer while there is room."""

    def __init__(
        self,
        matchers: Sequence[Any],
        endings: Sequence[_Ending],
        prompt_length: int,
        rooms: Sequence[int],
        end_token_id: int,
    ) -> None:
        self._matchers = matchers
        self._endings = endings
        self._prompt_length = prompt_length
        self._rooms = rooms
        self._end = end_token_id
        self._done = [False] * len(matchers)
        self._followed = 0

    def of_rows(self, rows: Sequence[int]) -> "AnswerProcessor":
        """Go on with these rows alone."""
        kept = AnswerProcessor(
            [self._matchers[row] for row in rows],
            self._endings,
            self._prompt_length,
            [self._rooms[row] for row in rows],
            self._end,
        )
        kept._done, kept._followed = [self._done[row] for row in rows], self._followed
        return kept

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        """Set what may not follow to minus infinity: `input_ids` (rows, tokens so far), `scores` (rows, vocabulary)."""
        written = input_ids.shape[1] - self._prompt_length
        # a device that is told late to stop computes a step that is undone, and asks for it a second time
        if written > self._followed:
            self._follow(input_ids[:, -1].tolist())
            self._followed = written
        vocabulary = scores.shape[-1]
        allowed = [self._allowed(row, room - written, -(-vocabulary // 8)) for row, room in enumerate(self._rooms)]
        return scores.masked_fill(~_unpacked(allowed, vocabulary, scores.device), float("-inf"))

    def _allowed(self, row: int, left: int, size: int) -> bytes:
        """Compute which tokens may follow: `size` bytes, one bit a token, the lowest first."""
        matcher = self._matchers[row]
        forced = self._end if self._done[row] else self._ending(matcher, left)
        if forced is None:
            return bytes(matcher.compute_bitmask()[:size])
        bits = bytearray(size)
        bits[forced // 8] = 1 << forced % 8
        return bytes(bits)

    def _follow(self, tokens: Sequence[int]) -> None:
        for row, (matcher, token) in enumerate(zip(self._matchers, tokens, strict=True)):
            if not self._done[row]:
                matcher.consume_token(token)
                self._done[row] = token == self._end or matcher.is_stopped()

    def _ending(self, matcher: Any, left: int) -> int | None:
        """Choose the token that ends the answer from here, once no more than it needs is left."""
        if left > max(ending.from_tokens for ending in self._endings):
            return None
        for ending in self._endings:
            if matcher.validate_tokens(ending.ids) == len(ending.ids):
                return ending.ids[0] if left <= ending.from_tokens else None
        return None


def _unpacked(rows: Sequence[bytes], vocabulary: int, device: Any) -> torch.Tensor:
    """Unpack masks where the scores lie: (rows, vocabulary), true where a token may follow.

    An eighth of the bytes goes to the device, once a step. The library's own torch functions would need a compiler.
    """
    packed = torch.frombuffer(bytearray(b"".join(rows)), dtype=torch.uint8).view(len(rows), -1).to(device)
    bits = packed[:, :, None] >> torch.arange(8, dtype=torch.uint8, device=device)
    return bits.bitwise_and(1).bool().flatten(1)[:, :vocabulary]


@cache
def _grammar(types: tuple[str, ...]) -> str:
    from llguidance import LLMatcher

    compact = {"whitespace_flexible": False, "item_separator": ",", "key_separator": ":"}
    grammar: str = LLMatcher.grammar_from_json_schema(json.dumps(answer_schema(types) | {"x-guidance": compact}))
    return grammar
