"""`export.json`: what an export wrote, and how it compares with its source."""

from typing import ClassVar, Literal

from ctiforge.records.base import File, Record

FileType = Literal["f32", "f16", "q8_0", "q4_k_m"]
"""How the weights of a GGUF are rounded."""


class MergeReport(Record):
    """What came of merging an adapter into its base."""

    adapter: bool
    """Whether there was one to merge; weights that were trained in full pass through."""
    largest_difference: float
    """Between the logits before and of what was written, over every token of the prompts."""
    largest_logit: float


class ExportedFile(Record):
    """One GGUF and what was found in it."""

    file: str
    type: FileType
    bytes: int
    architecture: str
    pretokenizer: str
    tensor_types: dict[str, int]
    texts_read_alike: int
    prompts_rendered_alike: int
    warnings: tuple[str, ...]


class ParityReport(Record):
    """One exported file beside its source, over one test set."""

    file_type: FileType
    windows: int
    same_windows: int
    """With the very same raw answer to a prompt of as many tokens."""
    articles: int
    same_articles: int
    """With the very same observables after merging."""
    f1: float | None
    source_f1: float | None

    @property
    def difference(self) -> float | None:
        """Of micro-F1: exported minus source."""
        return None if self.f1 is None or self.source_f1 is None else self.f1 - self.source_f1


class ExportReport(File):
    """Everything about one export."""

    NAME: ClassVar[str] = "export.json"

    name: str
    merge: MergeReport
    files: tuple[ExportedFile, ...] = ()
    parity: tuple[ParityReport, ...] = ()
