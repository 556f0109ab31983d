"""`format.json` and the lines of `train.jsonl`: how articles became examples of the Extract Agent."""

from typing import ClassVar

from ctiforge.records.base import File, Record
from ctiforge.records.model_note import AgentUsage, Format, WindowSizes

TRAINED_ON = "articles.jsonl"
"""The articles that examples were cut from, an `ArticleRecord` a line: what a model of them was trained on."""


class Truncation(Record):
    """Whole articles as (prompt, answer) token counts, cut on the right at `max_length`."""

    articles_with_answer: int
    answers_whole: int
    answers_gone: int
    answer_tokens_kept_share: float
    loss_tokens_answer_share: float


class TokenReport(Record):
    """Figures of one prepared data set; shares are between 0 and 1."""

    examples: int
    validation_examples: int
    prompt_tokens_median: float
    prompt_tokens_max: int
    answer_tokens_median: float
    answer_tokens_max: int
    tokens_max: int
    items: int
    answers_lost: int
    items_too_long: int
    items_beyond_overlap: int
    machine_labels_dropped: int
    human_labels_unlocated: int
    empty_share_training: float
    empty_share_inference: float
    answers_kept_share: float
    loss_tokens_answer_share: float
    loss_tokens_answer_share_if_all: float
    right_truncation: Truncation


class FormatReport(File):
    """How articles became examples."""

    NAME: ClassVar[str] = "format.json"

    format: Format
    formats: tuple[Format, ...]
    model: str
    tokenizer_hash: str
    prompt_version: str
    types: tuple[str, ...]
    sizes: WindowSizes
    empty_share: float
    leaked: tuple[dict[str, str], ...] = ()
    """Articles removed for repeating a held-out one."""
    report: TokenReport

    @property
    def usage(self) -> AgentUsage:
        """How a model that learnt from the examples is asked."""
        return AgentUsage(self.format, self.prompt_version, self.types, self.sizes)


class ExampleRow(Record):
    """One window as prompt and answer, a line of `train.jsonl` and `validation.jsonl`."""

    article_id: str
    start: int
    """The window's first character in the article, and the one behind its last."""
    end: int
    types: tuple[str, ...]
    asks_platform: bool
    prompt: str
    answer: str
    observables: dict[str, int]
    """Type to items in the answer."""
    prompt_tokens: int
    answer_tokens: int
    loss_tokens: int
