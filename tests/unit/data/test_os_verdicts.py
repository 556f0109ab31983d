from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctiforge.data.os_verdicts import NO_VERDICT, choose_verdict, read_verdict
from ctiforge.records.article import OS_LABELS

JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["operating_system", "detected_os", "platforms_detected", "confidence", "method"]), inner
        )
    ),
)


@pytest.mark.parametrize(
    ("stored", "label"),
    [
        ({"operating_system": "Windows", "confidence": "high", "platforms_detected": ["windows"]}, "Windows"),
        ({"operating_system": "MacOS"}, "MacOS"),
        ({"detected_os": "mac_os", "platforms_detected": None}, "MacOS"),
        ({"operating_system": "Windows", "platforms_detected": ["windows", "Linux"]}, "multiple"),
        ({"operating_system": "multiple"}, "multiple"),
        ({"detected_os": "Linux", "platforms_detected": ["cross_platform"]}, "multiple"),
        ({"detected_os": "Unknown", "platforms_detected": ["unknown"]}, "Unknown"),
        ({"operating_system": "Unknown", "platforms_detected": []}, "Unknown"),
    ],
)
def test_what_the_application_stores_is_one_of_the_labels(stored: Any, label: str) -> None:
    assert read_verdict(stored).label == label


@pytest.mark.parametrize(
    ("stored", "problem"),
    [
        ({"operating_system": "Windows", "method": "eval_skip", "confidence": 1.0}, NO_VERDICT),
        ({"detected_os": "Windows", "detection_method": "eval_skip"}, NO_VERDICT),
        ({"operating_system": "Android"}, "names a system that is no label: 'android'"),
        ({}, "names a system that is no label: 'nothing'"),
        ("Windows", "cannot be read"),
        ({"detected_os": {"name": "Windows"}}, "cannot be read"),
        ({"platforms_detected": ["Windows", ["Linux"]]}, "cannot be read"),
        ({"operating_system": True}, "cannot be read"),
    ],
)
def test_what_is_no_label_says_why(stored: Any, problem: str) -> None:
    verdict = read_verdict(stored)

    assert verdict.label is None
    assert problem in str(verdict.problem)


@given(JSON)
def test_any_value_is_read(stored: Any) -> None:
    verdict = read_verdict(stored)

    assert (verdict.label in OS_LABELS) != bool(verdict.problem)


def test_the_newest_execution_that_says_something_goes_before_the_article() -> None:
    skipped = {"detected_os": "Windows", "detection_method": "eval_skip"}
    linux, windows = {"detected_os": "linux"}, {"operating_system": "Windows"}

    assert choose_verdict(windows, [skipped, linux]).label == "Linux"
    assert choose_verdict(windows, [skipped]).label == "Windows"
    assert choose_verdict(None, None).problem == NO_VERDICT
