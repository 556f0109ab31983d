"""What trackers are told of evaluations and of the gate's decisions."""

import os
import re
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ctiforge.progress import warn
from ctiforge.records.classification import ClassifierEvaluation
from ctiforge.records.decision import Decision
from ctiforge.records.evaluation import Evaluation, ModelInfo, TestSetInfo

Tracker = Literal["none", "tensorboard", "mlflow"]
_FOLDER = "TENSORBOARD_LOGGING_DIR"
"""The variable that names a folder for the curves of many models."""
_PATIENCE = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2", "MLFLOW_HTTP_REQUEST_TIMEOUT": "30"}
"""MLflow's own would wait many minutes for a server that is gone."""


@dataclass(frozen=True)
class Told:
    """What a tracker is told of one model.

    Attributes:
        model: The model's name, which its run there carries.
        metrics: Figures by name; one without a value is left out.
        texts: What is no figure: which model, which test set, and what was decided.
    """

    model: str
    metrics: dict[str, float]
    texts: dict[str, str]


def told_of_evaluation(evaluation: Evaluation | ClassifierEvaluation, address: str) -> Told:
    """Give the figures of the model under test by the names that `evaluation.json` has for them.

    Args:
        evaluation: An evaluation of either line.
        address: Where the model lies: an artifact, a folder, or a name of the Hub.

    Returns:
        Every figure that has a value; model, address and test set as texts.
    """
    figures = evaluation.metrics if isinstance(evaluation, Evaluation) else evaluation.result.metrics
    metrics = {name: figure.value for name, figure in figures.items() if figure.value is not None}
    return Told(evaluation.model.name, metrics, _named(evaluation.model, evaluation.test_set, address))


def told_of_decision(decision: Decision, address: str) -> Told:
    """Give what the gate said of a model: passed or not, the primary figure and its gain, and why.

    Args:
        decision: The decision.
        address: Where the model lies.

    Returns:
        `passed` (1 or 0) and, where something was compared, the primary figure by its own name, its gain and the gain's
        lower bound; verdict and reasons, model, address and test set as texts.
    """
    metrics: dict[str, float | None] = {"passed": float(decision.passed)}
    primary = next((check for check in decision.checks if check.role == "primary"), None)
    if primary:
        metrics |= {primary.figure: primary.after, "gain": primary.gain, "gain_low": primary.low}
    texts = {"line": decision.line, "decision": _verdict(decision), "reasons": "\n".join(decision.reasons)}
    if decision.against:
        texts["against"] = f"{decision.against.name} {decision.against.version}"
    named = _named(decision.candidate, decision.test_set, address)
    known = {name: value for name, value in metrics.items() if value is not None}
    return Told(decision.candidate.name, known, named | texts)


def tell(tracker: Tracker, told: Told, out: Path) -> None:
    """Tell a tracker; where it cannot be told, say so in one line and go on: the work is not lost for that.

    Args:
        tracker: Which one; `none`: nobody.
        told: What it is told.
        out: The stage's result: TensorBoard's file goes to `tensorboard/` in it, unless `TENSORBOARD_LOGGING_DIR` names
            another folder, which has one for each model then.
    """
    if tracker == "none":
        return
    try:
        if tracker == "mlflow":
            _tell_mlflow(told)
        else:
            named = os.environ.get(_FOLDER)
            _write_events(told, Path(named) / _folder_name(told) if named else out / "tensorboard")
    except Exception as error:
        # whatever a client of a server raises
        said = next(iter(str(error).splitlines()), type(error).__name__)
        warn(f"{tracker} was not told of {told.model}: {said}")


def _named(model: ModelInfo, test_set: TestSetInfo, address: str) -> dict[str, str]:
    return {
        "model": model.name,
        "model_version": model.version,
        "address": address,
        "test_set": test_set.name,
        "test_set_version": test_set.version,
    }


def _verdict(decision: Decision) -> str:
    if not decision.passed:
        return "not passed"
    return "passed as equivalent" if decision.accepted_equivalent else "passed"


def _folder_name(told: Told) -> str:
    parts = (told.model, told.texts["model_version"], told.texts["test_set"], told.texts["test_set_version"])
    return re.sub(r"[^\w.-]+", "-", "-".join(parts))


def _write_events(told: Told, folder: Path) -> None:
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.plugins.scalar.summary_v2 import scalar_pb
    from tensorboard.plugins.text.summary_v2 import text_pb
    from tensorboard.summary.writer.event_file_writer import EventFileWriter

    scalars = (scalar_pb(name, value) for name, value in told.metrics.items())
    texts = (text_pb(name, text) for name, text in told.texts.items())
    with closing(EventFileWriter(str(folder))) as writer:
        for summary in (*scalars, *texts):
            writer.add_event(Event(wall_time=time.time(), step=0, summary=summary))


def _tell_mlflow(told: Told) -> None:
    for name, value in _PATIENCE.items():
        os.environ.setdefault(name, value)
    import mlflow

    with mlflow.start_run(run_name=told.model):
        mlflow.set_tags(told.texts)
        mlflow.log_metrics(told.metrics)
