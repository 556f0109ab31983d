"""`models/<line>/calibrations/<content>.json`: how sure a model was in its evaluation, and how often it was right."""

from typing import ClassVar

from ctiforge.records.base import File
from ctiforge.records.evaluation import TestSetInfo


class KeptCalibration(File):
    """What a version's confidence is to be calibrated on."""

    NAME: ClassVar[str] = "calibration.json"

    test_set: TestSetInfo
    """What it was evaluated on."""
    pairs: tuple[tuple[float, bool], ...]
    """Of each item: the model's probability, 0 to 1, and whether it was right."""
