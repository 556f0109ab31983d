"""What a run leaves on this machine for people: evaluations, comparisons, decisions."""

import shutil
import tempfile
from pathlib import Path

from ctiforge.lines.line import LineStage
from ctiforge.records.run import StageRecord
from ctiforge.settings import Settings
from ctiforge.store.artifacts import fetch
from ctiforge.store.fingerprint import SHORT


def evaluations_folder(settings: Settings) -> Path:
    """Where people find what was collected."""
    return Path(settings.outputs) / "evaluations"


def collect(stage: LineStage, entry: StageRecord, folder: Path) -> Path | None:
    """Copy what people want of the stage's artifact into the folder; None where there is nothing."""
    if not (stage.collect and entry.artifact and entry.fingerprint):
        return None
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{stage.name}-{entry.fingerprint[:SHORT]}{Path(stage.collect).suffix}"
    with tempfile.TemporaryDirectory() as into:
        shutil.copyfile(fetch(f"{entry.artifact}/{stage.collect}", Path(into)), target)
    return target


def report_of(name: str, artifact: str) -> str:
    """Read the text of an artifact that is printed when a run is done."""
    with tempfile.TemporaryDirectory() as into:
        return fetch(f"{artifact}/{name}", Path(into)).read_text(encoding="utf-8")
