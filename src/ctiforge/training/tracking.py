"""Trackers that a stage reports to: which there are, and where one without a server writes."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import util
from pathlib import Path

from ctiforge.errors import UsageError

NOBODY = "none"
TRACKERS = (
    *(NOBODY, "tensorboard", "mlflow", "wandb", "trackio", "comet_ml", "neptune", "clearml", "dagshub", "dvclive"),
    *("swanlab", "codecarbon", "azure_ml", "kubeflow"),
)
"""What `--report-to` may be: the names that transformers know."""
_OF_EXTRA = ("tensorboard", "mlflow")
_SERVER = "MLFLOW_TRACKING_URI"
_FOLDERS = {"tensorboard": "TENSORBOARD_LOGGING_DIR", "wandb": "WANDB_DIR"}
"""The variable by which a tracker is told the folder to write to."""


def check_tracker(name: str) -> None:
    """Refuse a tracker whose package is missing, before anything is loaded.

    Args:
        name: One of `TRACKERS`.

    Raises:
        UsageError: It is not installed, or needs a server that nobody names.
    """
    if name == NOBODY:
        return
    if not _is_installed(name):
        package = "'ctiforge[tracking]'" if name in _OF_EXTRA else f"the package of {name}"
        raise UsageError(f"--report-to {name}: it is not installed here: pip install {package}")
    if name == "mlflow" and not os.environ.get(_SERVER):
        raise UsageError(f"--report-to mlflow: name the server that it reports to in {_SERVER}")


@contextmanager
def tracked(name: str, scratch: Path, out: Path) -> Iterator[None]:
    """Let a tracker that is told no other place write to the scratch, and leave what it wrote with the model.

    The scratch survives an interruption, so that an attempt that goes on adds to the same curve.

    Args:
        name: One of `TRACKERS`.
        scratch: Where it writes meanwhile, in a folder of its own name.
        out: Where that folder lies afterwards.

    Yields:
        While the training runs.
    """
    variable = _FOLDERS.get(name)
    if not variable or os.environ.get(variable):
        yield
        return
    folder = scratch / name
    folder.mkdir(exist_ok=True)
    os.environ[variable] = str(folder.absolute())
    try:
        yield
    finally:
        del os.environ[variable]
    shutil.copytree(folder, out / name)


def _is_installed(name: str) -> bool:
    if name in _OF_EXTRA:
        # a promotion tells them too, without torch and what transformers read for this
        return util.find_spec(name) is not None
    from transformers.integrations import get_available_reporting_integrations

    return name in get_available_reporting_integrations()
