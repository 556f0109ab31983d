"""`ctiforge.json` beside a model's weights: everything that whoever uses the model must repeat."""

from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal, get_args

from pydantic import Field

from ctiforge.records.base import File, is_none

NOTE_NAME = "ctiforge.json"
Format = Literal["messages", "alpaca", "chatml", "simple"]
FORMATS: tuple[Format, ...] = get_args(Format)
"""How a prompt and its answer are written as one text."""
Pooling = Literal["noisy-or", "mean", "max"]
"""How the answers of an article's windows become one."""
UNCHOSEN = 0.5
"""The threshold of a model for which none was chosen on validation articles."""
UNKNOWN_PROMPT = "own-rows"
"""The name that stands for the prompt of a model which learnt from rows whose prompt nobody knows."""


@dataclass(frozen=True)
class WindowSizes:
    """How a text is cut for a model, in its tokens; travels with the model to inference."""

    max_length: int
    """Of prompt, window and answer together."""
    window_tokens: int
    """Of the text that one window shows."""
    overlap_tokens: int
    """That neighboring windows share."""


@dataclass(frozen=True)
class ChatTemplate:
    """How a model's chat template is used where it is not simply as its tokenizer brings it."""

    arguments: dict[str, Any] = field(default_factory=dict)
    """Variables of the template that are fixed, as JSON can hold them: `{"enable_thinking": false}`."""
    jinja: str | None = None
    """A template of the team's own; None: the tokenizer's."""
    opening: str = ""
    """What follows the template's own generation prompt before an answer begins: a closed thought, a channel."""
    end_tokens: tuple[str, ...] = ()
    """What ends an answer: training writes the first, generation stops at any; empty: what the template ends with."""


@dataclass(frozen=True)
class PromptText:
    """A prompt as a team wrote it; the ones of this package are known by name alone."""

    system: str
    """The system's turn; empty: there is none."""
    user: str
    """The user's turn with `{types}`, `{text}` and, where platforms are asked for, `{platform}`."""
    platform: str
    """What stands for `{platform}`."""
    types: dict[str, str]
    """Type → what it is; empty: the types' names alone stand for `{types}`."""


@dataclass(frozen=True)
class AgentUsage:
    """How an Extract Agent is asked: the same in training, evaluation, inference and export."""

    text_format: Format
    """How a prompt and its answer are written as one text."""
    prompt_version: str
    """The prompt's name: `short-v1`."""
    types: tuple[str, ...]
    """The types that it was trained on, and is asked for where nobody names any."""
    sizes: WindowSizes
    """How a text is cut into windows."""
    template: Annotated[ChatTemplate | None, Field(exclude_if=is_none)] = None
    """How its chat template is used; None: as the tokenizer brings it."""
    prompt: Annotated[PromptText | None, Field(exclude_if=is_none)] = None
    """The prompt's text where it is the team's own; None: the one of that name in this package."""
    item_bias: Annotated[float | None, Field(exclude_if=is_none)] = None
    """What is added to the log-odds (natural logarithm) of an item where an answer with items leaves an empty one: its
    threshold, set on validation articles; None: none was set."""


class AgentNote(File):
    """The note of an Extract Agent."""

    NAME: ClassVar[str] = NOTE_NAME

    kind: Literal["extract-agent"] = "extract-agent"
    """Tells the Extract Agent's note from others of this name."""
    name: str
    """What the model is called."""
    base_model: str
    """What it was trained from: a hub name, a folder, or `demo`."""
    base_revision: str | None = Field(None, exclude_if=is_none)
    """The commit of a hub name; left out of others, and not known of models of before it was kept."""
    usage: AgentUsage
    """How it is asked."""
    own_rows: str | None = Field(None, exclude_if=is_none)
    """What is not known of a model that learnt from rows of a team's own; left out of others."""


class OsBertNote(File):
    """The note of an OS-BERT: how it reads an article."""

    NAME: ClassVar[str] = NOTE_NAME

    kind: Literal["fine-tuned"] = "fine-tuned"
    """Tells a fine-tuned OS-BERT's note from others of this name."""
    labels: tuple[str, ...]
    """The classes, in the order of its outputs."""
    name: str
    """What the model is called."""
    base_model: str
    """What it was trained from: a hub name, a folder, or `demo`."""
    base_revision: str | None = Field(None, exclude_if=is_none)
    """The commit of a hub name; left out of others, and not known of models of before it was kept."""
    max_length: int
    """Tokens of a window, its special tokens included."""
    overlap: int
    """Tokens that neighboring windows share."""
    pooling: Pooling
    """How the answers of windows become the article's."""
    labeler: str
    """Whose labels it was trained on."""
    threshold: float = UNCHOSEN
    """The confidence above which its answer is taken where the rule of keywords has none, 0 to 1."""


class WordsNote(File):
    """The note of a baseline on words alone."""

    NAME: ClassVar[str] = NOTE_NAME

    kind: Literal["words"] = "words"
    """Tells the note of a baseline on words from others of this name."""
    labels: tuple[str, ...]
    """The classes that it was trained on, in the order of its outputs."""
    name: str
    """The classifier's name: `tf-idf`."""
    words: tuple[str, ...]
    """The words and pairs of words that it knows, in the order of its inputs."""
    labeler: str
    """Whose labels it was trained on."""
    threshold: float = UNCHOSEN
    """The confidence above which its answer is taken where the rule of keywords has none, 0 to 1."""


class BaselineNote(File):
    """The note of a baseline on the frozen encoder."""

    NAME: ClassVar[str] = NOTE_NAME

    kind: Literal["frozen"] = "frozen"
    """Tells a baseline's note from others of this name."""
    labels: tuple[str, ...]
    """The classes that it was trained on, in the order of its outputs."""
    name: str
    """The classifier's name: `logistic-regression`."""
    base_model: str
    """The frozen encoder: a hub name, a folder, or `demo`."""
    base_revision: str | None = Field(None, exclude_if=is_none)
    """The commit of a hub name; left out of others, and not known of models of before it was kept."""
    max_length: int
    """Tokens of a window, its special tokens included."""
    overlap: int
    """Tokens that neighboring windows share."""
    labeler: str
    """Whose labels it was trained on."""
