import numpy as np
import pytest

from ctiforge.osbert.detection import detection_of
from ctiforge.osbert.rules import Keywords
from ctiforge.records.article import OS_LABELS

TEXT = "0123456789"


def row(**probabilities: float) -> list[float]:
    return [probabilities.get(label, 0.0) for label in OS_LABELS]


@pytest.mark.parametrize(
    ("pooled", "windows", "platforms"),
    [
        (row(Windows=0.9), [row(Windows=0.8), row(Unknown=0.9)], ("Windows",)),
        (row(Windows=0.6), [row(Windows=0.8), row(Linux=0.7)], ("Windows", "Linux")),
        (row(multiple=0.9), [row(MacOS=0.9), row(Windows=0.8)], ("Windows", "MacOS")),
        (row(multiple=0.9), [row(multiple=0.6, Linux=0.3, MacOS=0.1)], ("Linux", "MacOS")),
        (row(Unknown=0.9), [row(Linux=0.9), row(Unknown=0.9)], ()),
    ],
)
def test_the_platforms_are_those_that_windows_show(
    pooled: list[float], windows: list[list[float]], platforms: tuple[str, ...]
) -> None:
    spans = [(3 * n, 3 * n + 3) for n in range(len(windows))]
    found = detection_of(np.array(pooled), np.array(windows), spans, TEXT)

    assert found.platforms == platforms
    assert (found.evidence is None) == (found.label == "Unknown")


def test_the_rules_platforms_are_those_of_its_evidence() -> None:
    text = "It ran systemctl and crontab -e on Linux, and powershell.exe with HKLM\\Software on Windows."

    found = Keywords().detect_many([text, "Nothing."])

    assert [(each.label, each.platforms) for each in found] == [("multiple", ("Windows", "Linux")), ("Unknown", ())]
