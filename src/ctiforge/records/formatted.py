"""`format.json` and the lines of `train.jsonl`: how articles became examples of the Extract Agent."""

from typing import ClassVar

from pydantic import Field

from ctiforge.records.base import File, Record, is_none
from ctiforge.records.model_note import AgentUsage, ChatTemplate, Format, PromptText, WindowSizes

TRAINED_ON = "articles.jsonl"
"""The articles that examples were cut from, an `ArticleRecord` a line: what a model of them was trained on."""
VALIDATION_ARTICLES = "validation_articles.jsonl"
"""The articles held back for validation, whole and all of them, an `ArticleRecord` a line."""


class Truncation(Record):
    """What cutting whole articles, as prompt and answer, on the right at `max_length` tokens would do."""

    articles_with_answer: int
    """Training articles with anything to find."""
    answers_whole: int
    """Articles whose answer is all there."""
    answers_gone: int
    """Articles of whose answer nothing is left."""
    answer_tokens_kept_share: float
    """Share of all answer tokens that are left, 0 to 1."""
    loss_tokens_answer_share: float
    """Share of the tokens that are left, with loss on all, that are answer, 0 to 1."""


class TokenReport(Record):
    """Figures of one prepared data set; shares are between 0 and 1."""

    examples: int
    """Examples for training."""
    validation_examples: int
    """Examples for validation."""
    prompt_tokens_median: float
    """Of the examples of both parts, like all tokens here."""
    prompt_tokens_max: int
    """The longest prompt."""
    answer_tokens_median: float
    """The median answer, its end token included."""
    answer_tokens_max: int
    """The longest answer."""
    tokens_max: int
    """The longest example, prompt and answer together."""
    items: int
    """Values that stand in the answer of some window."""
    answers_lost: int
    """Values that no window's answer holds though they are short enough."""
    items_too_long: int
    """Values that no window with its answer has room for."""
    items_beyond_overlap: int
    """Values longer than the overlap: inference may cut them in two."""
    machine_labels_dropped: int
    """A model's labels whose values do not stand in the article."""
    human_labels_unlocated: int
    """A person's labels whose values do not stand in the article; they are kept."""
    unplaced_by_type: dict[str, int] = {}
    """Type to labels, of models and people, that do not stand in the article; near to them the type is not taught."""
    empty_share_training: float
    """Share of the training examples without an item."""
    empty_share_inference: float
    """Share of all windows without an item, as a model meets them at work."""
    answers_kept_share: float
    """Share of the values that stand in the answer of some window."""
    loss_tokens_answer_share: float
    """Share of the tokens with loss that are answer."""
    loss_tokens_answer_share_if_all: float
    """What that share would be with loss on prompts too."""
    right_truncation: Truncation
    """What cutting on the right would have done to the same articles."""


class FormatReport(File):
    """How articles became examples."""

    NAME: ClassVar[str] = "format.json"

    format: Format
    """How prompts and answers of the examples are written as one text."""
    formats: tuple[Format, ...]
    """The formats that guide files are written in."""
    model: str
    """The base model whose tokenizer counted."""
    tokenizer_hash: str
    """SHA-256 of what that tokenizer does, in hex digits."""
    prompt_version: str
    """The prompt's name."""
    types: tuple[str, ...]
    """The types that are labeled anywhere in the data."""
    sizes: WindowSizes
    """How articles were cut."""
    empty_share: float
    """Share of training windows without an item that was asked for, 0 to 1."""
    leaked: tuple[dict[str, str], ...] = ()
    """Articles removed for repeating a held-out one."""
    report: TokenReport
    """What preparation did to prompts and answers, in tokens."""
    template: ChatTemplate | None = Field(None, exclude_if=is_none)
    """How the chat template was used; left out where as the tokenizer brings it."""
    prompt: PromptText | None = Field(None, exclude_if=is_none)
    """The text of a prompt of the team's own; left out of this package's."""

    @property
    def usage(self) -> AgentUsage:
        """Tell how a model that learnt from the examples is asked."""
        return AgentUsage(self.format, self.prompt_version, self.types, self.sizes, self.template, self.prompt)


class ExampleRow(Record):
    """One window as prompt and answer, a line of `train.jsonl` and `validation.jsonl`."""

    article_id: str
    """The article that it was cut from."""
    start: int
    """The window's first character in the article."""
    end: int
    """One past the window's last character."""
    types: tuple[str, ...]
    """The types that the prompt asks for."""
    asks_platform: bool
    """Whether the prompt asks for platforms."""
    prompt: str
    """The rendered prompt, with its special tokens."""
    answer: str
    """What is to be answered, as JSON."""
    observables: dict[str, int]
    """Type to items in the answer."""
    prompt_tokens: int
    """Tokens of the prompt."""
    answer_tokens: int
    """Tokens of the answer, its end token included."""
    loss_tokens: int
    """Tokens that training has loss on."""
