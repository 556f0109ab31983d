"""`export.json`: what an export wrote, and how it compares with its source."""

from typing import ClassVar, Literal

from pydantic import Field

from ctiforge.records.base import File, Record, is_none

FileType = Literal["f32", "f16", "q8_0", "q4_k_m"]
"""How the weights of a GGUF are rounded."""


class MergeReport(Record):
    """What came of merging an adapter into its base."""

    adapter: bool
    """Whether there was one to merge; weights that were trained in full pass through."""
    largest_difference: float
    """Between the logits before and of what was written, over every token of the prompts."""
    largest_logit: float
    """The largest logit before, by its absolute value, over the same tokens."""


class ExportedFile(Record):
    """One GGUF and what was found in it."""

    file: str
    """The file's name."""
    type: FileType
    """How its weights are rounded."""
    bytes: int
    """Its size."""
    architecture: str
    """What llama.cpp calls the architecture."""
    pretokenizer: str
    """What llama.cpp calls the way that it splits text."""
    tensor_types: dict[str, int]
    """Type of tensors → how many."""
    texts_read_alike: int
    """Texts that were seen to become the same tokens as in training."""
    prompts_rendered_alike: int
    """Conversations that were seen to become the same prompt as in training."""
    warnings: tuple[str, ...]
    """What a person should know of it, a line each."""


class ParityReport(Record):
    """One exported file beside its source, over one test set."""

    file_type: FileType
    """How the file's weights are rounded."""
    windows: int
    """Windows that the source answered."""
    same_windows: int
    """With the very same raw answer to a prompt of as many tokens."""
    articles: int
    """Articles that the source answered."""
    same_articles: int
    """With the very same observables after merging."""
    f1: float | None
    """Micro-F1 of the file, 0 to 1; None where nothing was scored."""
    source_f1: float | None
    """Micro-F1 of the source; None where nothing was scored."""

    @property
    def difference(self) -> float | None:
        """Subtract the source's micro-F1 from the file's; None where either is missing."""
        return None if self.f1 is None or self.source_f1 is None else self.f1 - self.source_f1


class ExportReport(File):
    """Everything about one export."""

    NAME: ClassVar[str] = "export.json"

    name: str
    """What the files are called."""
    merge: MergeReport
    """What came of merging the adapter."""
    base: str | None = Field(None, exclude_if=is_none)
    """The base model with its commit, `org/name@commit`; left out where it is none of the Hub."""
    files: tuple[ExportedFile, ...] = ()
    """The files, in the order that they were asked for."""
    parity: tuple[ParityReport, ...] = ()
    """How each file compares with its source; empty where nothing was compared."""
