"""The record that a harvest writes and a test set holds: one article with its observables."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from ctiforge.observables import Observable

Labeller = Literal["model", "human"]


class ArticleRecord(BaseModel):
    """One article and what is known to stand in it.

    A type in `labelled_types` without an observable is a true negative; a type outside it is
    unlabelled: never trained on, never scored. `group` is shared by near duplicates. `tags` are
    free labels that evaluations break their figures down by (`style`, `length`).
    """

    model_config = ConfigDict(frozen=True)

    id: str
    url: str | None = None
    title: str = ""
    content: str
    content_hash: str
    observables: tuple[Observable, ...] = ()
    labelled_types: tuple[str, ...] = ()
    labelled_by: Labeller = "model"
    annotator: str | None = None
    generation: str | None = None
    hunt_score: float | None = None
    group: str = ""
    tags: dict[str, str] = {}
