"""Whether an exported file answers as its source does: window by window, article by article, and by its score."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from ctiforge.errors import GateError
from ctiforge.records.exported import FileType, ParityReport
from ctiforge.release.tables import print_parity

IDENTICAL: dict[FileType, float] = {"f32": 0.999, "f16": 0.99}
"""Share of windows whose raw answers must be the same text; nothing of the kind is asked of rounded weights.

In f32 two programs differ by some 1e-5 of a logit, so that one answer in thousands may turn on a tie.
"""


class Recorded:
    """An extractor whose extractions are kept."""

    def __init__(self, extractor: Any) -> None:
        self.name = extractor.name
        self.extractions: dict[Any, Any] = {}
        """By the text that was read, as it was asked for."""
        self._extractor = extractor

    def extract(self, *args: Any, **named: Any) -> Any:
        """Extract from one text; nothing is kept.

        Args:
            *args: Passed on to the extractor.
            **named: Passed on to the extractor.

        Returns:
            The extractor's extraction.
        """
        return self._extractor.extract(*args, **named)

    def extract_many(self, sources: Sequence[Any], tell: Any = None) -> Iterator[Any]:
        """Extract from many texts and keep each extraction by its text.

        Args:
            sources: The texts, as the extractor takes them.
            tell: Passed on to the extractor.

        Yields:
            The extractor's extractions, in order.
        """
        for source, extraction in zip(sources, self._extractor.extract_many(sources, tell), strict=True):
            self.extractions[source] = extraction
            yield extraction

    def plan(self, source: Any) -> Any:
        """Plan as the extractor does.

        Args:
            source: The text, as the extractor takes it.

        Returns:
            The extractor's plan.
        """
        return self._extractor.plan(source)


def compare_answers(
    file_type: FileType,
    source: Recorded,
    exported: Recorded,
    special: Sequence[str],
    source_f1: float | None,
    f1: float | None,
) -> ParityReport:
    """Count what is the same in the articles that the source has read.

    Args:
        file_type: How the weights of the exported file are rounded.
        source: The answers of the source.
        exported: The answers of the file, as a server gave them.
        special: The tokenizer's special tokens: a server leaves them out of its text, the source writes them.
        source_f1: Micro-F1 of the source on the articles, 0 to 1; None where nothing was scored.
        f1: Micro-F1 of the file.

    Returns:
        How many windows and articles have the same answer, and both figures.
    """
    before, after = _answers(source, special), _answers(exported, special)
    others = exported.extractions
    return ParityReport(
        file_type=file_type,
        windows=len(before),
        same_windows=sum(window in after and _is_same(own, after[window]) for window, own in before.items()),
        articles=len(source.extractions),
        same_articles=sum(
            text in others and others[text].observables == extraction.observables
            for text, extraction in source.extractions.items()
        ),
        f1=f1,
        source_f1=source_f1,
    )


def check_parity(name: str, proven: Sequence[ParityReport], margin: float) -> None:
    """Refuse an export of which a file answers otherwise than its source; see `judge`.

    Args:
        name: What the model is called.
        proven: Each file beside its source.
        margin: How much lower a file's micro-F1 may be.

    Raises:
        GateError: There is such a file; all are printed before.
    """
    reasons = [reason for each in proven if (reason := judge(each, margin))]
    if reasons:
        print_parity(proven)
        raise GateError(f"{name} is not exported: {'; '.join(reasons)}")


def judge(parity: ParityReport, margin: float) -> str | None:
    """Decide whether an exported file may be used.

    Of f32 and f16 nearly all answers must be the same (`IDENTICAL`), and no F1 more than `margin` lower.

    Args:
        parity: How the file compares with its source.
        margin: How much micro-F1 may be lost, 0 to 1.

    Returns:
        Why the file is not to be used, None where it may be.
    """
    least = IDENTICAL.get(parity.file_type)
    if least is not None and parity.same_windows < least * parity.windows:
        return (
            f"{parity.file_type} answers {parity.same_windows} of {parity.windows} windows as its source does; "
            f"at least {least:.1%} must be the same"
        )
    if parity.difference is not None and parity.difference < -margin:
        return (
            f"{parity.file_type} has micro-F1 {parity.f1:.3f}, its source {parity.source_f1:.3f}: "
            f"more than {margin:g} less"
        )
    return None


class _Answer(NamedTuple):
    """A window's raw answer without special tokens, the tokens of its prompt, and whether it was cut off."""

    raw: str
    prompt_tokens: int
    is_cut: bool


def _answers(recorded: Recorded, special: Sequence[str]) -> dict[tuple[Any, int, int], _Answer]:
    """Collect answers by article and window."""
    return {
        (text, each.start, each.end): _Answer(_without(each.raw, special), each.prompt_tokens, each.stopped_by_length)
        for text, extraction in recorded.extractions.items()
        for each in extraction.windows
    }


def _is_same(source: _Answer, other: _Answer) -> bool:
    """Tell whether an answer is the source's, which cuts off what goes in circles: a server has its room for it."""
    is_same = other.raw.startswith(source.raw) if source.is_cut else other.raw == source.raw
    return is_same and source.prompt_tokens == other.prompt_tokens


def _without(raw: str, special: Sequence[str]) -> str:
    for token in special:
        raw = raw.replace(token, "")
    return raw
