"""An article as the overlapping windows of tokens that an encoder can read."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ctiforge.errors import UsageError
from ctiforge.records.model_note import BaselineNote, OsBertNote

TOKENS_TOGETHER = 8_192
"""Of a step of training, for the sake of memory."""
TOKENS_TOGETHER_ON_CPU = 2_048
"""Of what is only read: what is computed together then stays in a processor's cache."""


@dataclass(frozen=True)
class WindowSize:
    """Tokens of a window, its special tokens included, and tokens that it shares with the one before."""

    max_length: int
    overlap: int

    @classmethod
    def of(cls, max_length: int) -> "WindowSize":
        """Size the windows of a length: neighbors share an eighth."""
        return cls(max_length, max_length // 8)

    @classmethod
    def of_note(cls, note: OsBertNote | BaselineNote) -> "WindowSize":
        """Read the size of windows that a model's note names."""
        return cls(note.max_length, note.overlap)


@dataclass(frozen=True)
class EncodedArticle:
    """An article's windows: token ids with the special tokens, and the characters that each covers."""

    windows: list[list[int]]
    spans: list[tuple[int, int]]

    @property
    def length(self) -> int:
        """Count the tokens of all windows together."""
        return sum(len(window) for window in self.windows)


def encode_articles(tokenizer: Any, texts: Sequence[str], size: WindowSize) -> list[EncodedArticle]:
    """Encode the windows of each text, which cover all of it; an empty text has one, of special tokens alone."""
    return [_encode(tokenizer, text, size) for text in texts]


def read_together(lengths: Sequence[int], most: int | None = None) -> list[list[int]]:
    """Choose the windows that are computed in one go, as their numbers: alike in length, so that little is padding.

    Padded, each part has at most `most` tokens (default: `TOKENS_TOGETHER`), or is one window.
    """
    most = most or TOKENS_TOGETHER
    parts: list[list[int]] = []
    for number in sorted(range(len(lengths)), key=lengths.__getitem__):
        # the new one is the longest so far
        if parts and (len(parts[-1]) + 1) * lengths[number] <= most:
            parts[-1].append(number)
        else:
            parts.append([number])
    return parts


def check_window(size: WindowSize, positions: int | None) -> None:
    """Raise UsageError for windows that are too short to read in, or longer than the encoder's positions."""
    if size.max_length < 16:
        raise UsageError(f"--max-length {size.max_length}: a window needs 16 tokens at least")
    if positions is not None and size.max_length > positions:
        raise UsageError(f"--max-length {size.max_length}: this base model reads at most {positions} tokens at once")


def _encode(tokenizer: Any, text: str, size: WindowSize) -> EncodedArticle:
    encoded = tokenizer(
        # half a surrogate pair is no text to a tokenizer; what stands for it is as long
        text.encode("utf-8", "replace").decode(),
        max_length=size.max_length,
        stride=size.overlap,
        truncation=True,
        return_overflowing_tokens=True,
        return_offsets_mapping=True,
        return_attention_mask=False,
        return_token_type_ids=False,
    )
    spans = []
    for offsets in encoded["offset_mapping"]:
        # special tokens stand for no character
        covered = [offset for offset in offsets if offset[1] > offset[0]]
        spans.append((covered[0][0], covered[-1][1]) if covered else (0, 0))
    return EncodedArticle([list(map(int, ids)) for ids in encoded["input_ids"]], spans)
