"""`ctiforge.json` beside a model's weights: everything that whoever uses the model must repeat."""

from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

from ctiforge.records.base import File

NOTE_NAME = "ctiforge.json"
Format = Literal["messages", "alpaca", "chatml", "simple"]
FORMATS: tuple[Format, ...] = get_args(Format)
"""How a prompt and its answer are written as one text."""
Pooling = Literal["noisy-or", "mean", "max"]
"""How the answers of an article's windows become one."""


@dataclass(frozen=True)
class WindowSizes:
    """How a text is cut for a model, in its tokens; travels with the model to inference."""

    max_length: int
    """Of prompt, window and answer together."""
    window_tokens: int
    overlap_tokens: int


@dataclass(frozen=True)
class AgentUsage:
    """How an Extract Agent is asked: the same in training, evaluation, inference and export."""

    text_format: Format
    prompt_version: str
    types: tuple[str, ...]
    sizes: WindowSizes


class AgentNote(File):
    """The note of an Extract Agent."""

    NAME: ClassVar[str] = NOTE_NAME

    kind: Literal["extract-agent"] = "extract-agent"
    name: str
    base_model: str
    usage: AgentUsage


class OsBertNote(File):
    """The note of an OS-BERT: how it reads an article."""

    NAME: ClassVar[str] = NOTE_NAME

    kind: Literal["fine-tuned"] = "fine-tuned"
    labels: tuple[str, ...]
    """In the order of its outputs."""
    name: str
    base_model: str
    max_length: int
    """Tokens of a window, its special tokens included."""
    overlap: int
    pooling: Pooling
    labeler: str
    """Whose labels it was trained on."""


class BaselineNote(File):
    """The note of a baseline on the frozen encoder."""

    NAME: ClassVar[str] = NOTE_NAME

    kind: Literal["frozen"] = "frozen"
    labels: tuple[str, ...]
    name: str
    base_model: str
    max_length: int
    overlap: int
    labeler: str
