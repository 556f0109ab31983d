import pytest

from ctiforge.reporting import words


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.5, "share", "0.500"),
        (-0.25, "share", "−0.250"),
        (None, "share", "n/a"),
        (0.012345, "number", "0.0123"),
        (4045.2, "number", "4,045"),
        (-1.5, "number", "−1.5"),
    ],
)
def test_figures(value, unit, text):
    assert words.figure(value, unit) == text


def test_differences_have_a_sign_and_a_missing_one_has_none():
    assert words.signed(0.1) == "+0.100"
    assert words.signed(-0.1) == "−0.100"
    assert words.signed(None) == "n/a"
    assert words.signed_interval(-0.1, 0.1) == "−0.100 … +0.100"
    assert words.signed_interval(None, 0.1) == ""


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, ""),
        (0.25, "0.2 s"),
        (9.96, "10.0 s"),
        (59.4, "59 s"),
        (59.7, "1 min 00 s"),
        (61, "1 min 01 s"),
        (7320, "2 h 02 min"),
    ],
)
def test_durations(seconds, text):
    assert words.duration(seconds) == text


def test_small_shares_keep_their_digits():
    assert words.percent(0.0022) == "0.22%"
    assert words.percent(0) == "0.0%"
    assert words.percent(0.996) == "99.6%"


def test_settings_are_written_as_a_person_would():
    assert [words.setting(each) for each in (True, False, None, 2e-4, "none", 3)] == [
        *("yes", "no", "–", "0.0002", "none", "3")
    ]
