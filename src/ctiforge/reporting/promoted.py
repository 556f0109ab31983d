"""What the version in use was trained on: the data that a run's own is set beside."""

from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

from ctiforge.errors import CtiforgeError
from ctiforge.records.base import File
from ctiforge.records.formatted import FormatReport
from ctiforge.records.harvest import HarvestReport
from ctiforge.records.prepared import PrepareReport
from ctiforge.records.registry import ModelRecord, Step
from ctiforge.records.run import RunRecord
from ctiforge.store.artifacts import artifact_key, fetch_input, find_input
from ctiforge.store.models import Registry
from ctiforge.store.objects import ObjectStore

SOURCES: dict[str, type[File]] = {"harvest_extract": HarvestReport, "prepare_os": PrepareReport}
"""The stages where a line's articles come in, and the file in which each counts them."""
_FORMAT = "format_extract"

Found = TypeVar("Found", bound=File)


@dataclass(frozen=True)
class PromotedData:
    """The version that was in use when a run began, and what its data came to."""

    version: int
    name: str
    fingerprint: str = ""
    """That of the stage where its articles came in; empty where nobody knows."""
    harvest: HarvestReport | None = None
    formatted: FormatReport | None = None
    prepared: PrepareReport | None = None
    problem: str = ""
    """Why its data is not known."""


def read_promoted(store: ObjectStore, run: RunRecord) -> PromotedData | None:
    """Read what the version in use when the run began was trained on; None where there was none.

    Raises StoreError where the registry is damaged, or the store does not answer.
    """
    registry = Registry(store, run.line)
    champion = registry.standing().champion
    before = [move for move in champion.history if move.at <= run.started_at] if champion else []
    return _data_of(store, registry.get(before[-1].version)) if before else None


def _data_of(store: ObjectStore, version: ModelRecord) -> PromotedData:
    data = PromotedData(version.version, version.name)
    source = next((step for step in version.lineage if step.stage in SOURCES), None)
    if source is None:
        return replace(data, problem="its lineage names no harvest")
    data = replace(data, fingerprint=source.fingerprint)
    try:
        data = replace(
            data,
            harvest=_read(store, source, HarvestReport) if source.stage == "harvest_extract" else None,
            prepared=_read(store, source, PrepareReport) if source.stage == "prepare_os" else None,
        )
    except CtiforgeError as error:
        return replace(data, problem=f"its harvest cannot be read: {error}")
    formatted = next((step for step in version.lineage if step.stage == _FORMAT), None)
    try:
        return replace(data, formatted=_read(store, formatted, FormatReport) if formatted else None)
    except CtiforgeError:
        # the figures of the harvest can be told without it
        return data


def _read(store: ObjectStore, step: Step, kind: type[Found]) -> Found:
    found = find_input(f"{store.uri}/{artifact_key(step.stage, step.fingerprint)}")
    with TemporaryDirectory() as scratch:
        folder = fetch_input(found, Path(scratch), (kind.NAME,))
        return kind.parse((folder / kind.NAME).read_text(encoding="utf-8"), f"{kind.NAME} of {step.stage}")
