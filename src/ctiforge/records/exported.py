"""`export.json`: what an export wrote, and how it compares with its source."""

from typing import ClassVar, Literal

from pydantic import Field

from ctiforge.records.base import File, Record, is_none

FileType = Literal["f32", "bf16", "f16", "q8_0", "q6_k", "q5_k_m", "q4_k_m"]
"""How the weights of a GGUF are rounded."""
Dtype = Literal["bf16", "f16", "f32"]
"""The type that merged weights are written in."""
Proof = Literal["sample", "full"]
"""How much of the test data the exported files are asked."""


class MergeReport(Record):
    """What came of merging an adapter into its base."""

    adapter: bool
    """Whether there was one to merge; weights that were trained in full pass through."""
    dtype: Dtype = "f32"
    """The type of what was written; f32 before there was a choice."""
    largest_difference: float | None = Field(None, exclude_if=is_none)
    """Between the logits before and of what was written, over every token of the prompts; left out where no logits were
    compared: the weights are the checkpoint's own, or too many."""
    largest_logit: float | None = Field(None, exclude_if=is_none)
    """The largest logit before, by its absolute value, over the same tokens."""
    weights_compared: int = 0
    """Merged weights that were computed again in another way."""
    largest_weight_difference: float = 0.0
    """Of these, as a share of the length of their product with a random vector."""


class ExportedFile(Record):
    """One GGUF and what was found in it."""

    file: str
    """The file's name, in the folder of its type."""
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


class ExportCost(Record):
    """What an export was said to need, and took."""

    memory_expected: int
    """Bytes of memory at most, as computed before."""
    peak_memory: int
    """Bytes that the largest of its processes held, files that it mapped included."""
    scratch_expected: int
    """Bytes of scratch at most, as computed before."""
    scratch: int
    """Bytes of scratch that were written."""
    seconds: float
    """From the first file to the last proof."""


class ExportReport(File):
    """Everything about one export."""

    NAME: ClassVar[str] = "export.json"
    # 2: more file types; a merge may have compared no logits
    SCHEMA: ClassVar[int] = 2

    name: str
    """What the files are called."""
    merge: MergeReport | None = None
    """What came of merging the adapter; None where the adapter is exported as it is."""
    base: str | None = Field(None, exclude_if=is_none)
    """The base model with its commit, `org/name@commit`; left out where it is none of the Hub."""
    license: str | None = Field(None, exclude_if=is_none)
    """Of the weights, as the registry or the base's card names it; left out where neither does."""
    content: str | None = Field(None, exclude_if=is_none)
    """The hash of the source's files, or a Hub model's commit; left out in exports of before it was kept."""
    context: int | None = Field(None, exclude_if=is_none)
    """Tokens of prompt and answer together; left out in exports of before it was kept."""
    cost: ExportCost | None = Field(None, exclude_if=is_none)
    """Memory, disk and time; left out in exports of before it was kept."""
    files: tuple[ExportedFile, ...] = ()
    """The files, in the order that they were asked for."""
    parity: tuple[ParityReport, ...] = ()
    """How each file compares with its source; empty where nothing was compared."""
