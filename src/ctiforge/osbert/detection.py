"""What is said about a text's operating system, and whoever says it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from numpy.typing import NDArray

from ctiforge.osbert.labeling.passages import Passage
from ctiforge.records.article import OS_LABELS, SYSTEMS, OsLabel


@dataclass(frozen=True)
class Detection:
    """Which operating system a text is about."""

    label: OsLabel
    confidence: float
    """The probability of the label."""
    probabilities: dict[str, float]
    """Of every label; together 1."""
    evidence: Passage | None
    """The window that speaks most for the label; None for Unknown, and where no window was looked at by itself."""
    platforms: tuple[OsLabel, ...] = ()
    """Every system that some window shows, each once: two or more of `multiple`, none of Unknown."""


class Detector(Protocol):
    """One way to tell."""

    @property
    def name(self) -> str:
        """Return what people call it."""
        ...

    @property
    def size_bytes(self) -> int | None:
        """Return what it takes on disk; None for a rule."""
        ...

    def detect_many(self, texts: Sequence[str]) -> list[Detection]:
        """Detect the system of each text, in order; an empty text is no error."""
        ...


class Model(Detector, Protocol):
    """A detector that is not always certain."""

    @property
    def threshold(self) -> float:
        """Return the confidence above which its answer is taken where the rule has none."""
        ...


def detection_of(pooled: NDArray[Any], shown: NDArray[Any], spans: Sequence[tuple[int, int]], text: str) -> Detection:
    """Decide what a text is about.

    Args:
        pooled: The text's probabilities, (classes,), in the order of our labels.
        shown: Those of its windows, (windows, classes).
        spans: The characters that each window covers.
        text: The text.

    Returns:
        The most probable label, with the window that speaks most for it.
    """
    number = int(pooled.argmax())
    label = OS_LABELS[number]
    evidence = None
    if label != "Unknown":
        start, end = spans[int(_speaks_for(shown, label).argmax())]
        evidence = Passage(start, end, text[start:end])
    return Detection(
        label=label,
        confidence=float(pooled[number]),
        probabilities={name: float(value) for name, value in zip(OS_LABELS, pooled, strict=True)},
        evidence=evidence,
        platforms=_platforms(label, shown),
    )


def certain(label: OsLabel, evidence: Passage | None = None, platforms: Sequence[OsLabel] = ()) -> Detection:
    """Give the answer of whoever has no doubts."""
    probabilities: dict[str, float] = {name: float(name == label) for name in OS_LABELS}
    return Detection(label, 1.0, probabilities, evidence, tuple(each for each in SYSTEMS if each in platforms))


def _speaks_for(shown: NDArray[Any], label: OsLabel) -> NDArray[Any]:
    # several systems may each be shown in a window of its own
    if label == "multiple":
        return 1 - shown[:, OS_LABELS.index("Unknown")]
    column: NDArray[Any] = shown[:, OS_LABELS.index(label)]
    return column


def _platforms(label: OsLabel, shown: NDArray[Any]) -> tuple[OsLabel, ...]:
    """Collect what the windows say, each by itself; it agrees with the label."""
    if label == "Unknown":
        return ()
    found = {label, *(OS_LABELS[number] for number in shown.argmax(axis=1))}
    if label == "multiple" and len(found.intersection(SYSTEMS)) < 2:
        # a window may show several at once
        highest = shown.max(axis=0)
        found.update(sorted(SYSTEMS, key=lambda each: -highest[OS_LABELS.index(each)])[:2])
    return tuple(each for each in SYSTEMS if each in found)
