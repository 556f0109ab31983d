"""What a decision of the gate was made from, kept by hash, so that anybody can derive it again."""

from typing import ClassVar

from ctiforge.records.base import File, Record
from ctiforge.records.decision import Decision


class GroundsSide(Record):
    """One evaluation that the gate held against another."""

    who: str
    """What the decision calls its model."""
    evaluation: str
    """The hash of the evaluation's file, which the registry keeps."""
    is_floor: bool = False
    """Whether not the evaluation's model counts, but the best floor beside it."""


class GateGrounds(File):
    """A decision of the gate with all that went into it."""

    NAME: ClassVar[str] = "grounds.json"

    decision: Decision
    """What the gate said."""
    primary: str
    """The figure that had to get better."""
    margin: float
    """Of the primary figure, for a model that is accepted as equivalent; in the figure's own unit."""
    guardrails: dict[str, float]
    """Figure → the loss that was let pass, in the figure's own unit."""
    candidate: GroundsSide
    """The model that was to be promoted."""
    standing: GroundsSide
    """What it had to beat."""
    ever: tuple[GroundsSide, ...]
    """The other versions once in use that it was held against."""
    before: tuple[tuple[float, ...], ...]
    """The primary figures of the candidates looked at before, over all articles and without each; the newest last."""
    looks: float
    """Candidates looked at on the test set so far, this one included."""
    accept_equivalent: bool
    """Whether a model was to be taken that is no worse, though not shown to be better."""
    notes: tuple[str, ...]
    """What was said besides the gate's reasons."""
    release: str
    """The ctiforge that decided."""
