"""Semantic versions and the tags that are any."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctiforge.errors import UsageError
from ctiforge.release.versions import known_versions, parse_version


def test_order_is_that_of_semver():
    ordered = ["1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2", "1.0.0-beta.11"]
    ordered += ["1.0.0-rc.1", "1.0.0", "1.0.1", "1.2.0", "1.10.0", "2.0.0"]
    for lower, higher in pairwise(ordered):
        assert parse_version(lower) < parse_version(higher), (lower, higher)


@given(st.tuples(*[st.integers(0, 999)] * 3))
def test_numbers_are_read_and_written(numbers):
    text = ".".join(map(str, numbers))
    assert parse_version(text).numbers == numbers
    assert str(parse_version(text)) == text


@pytest.mark.parametrize(
    "text", ["", "1", "1.2", "v1.2.0", "1.02.0", "1.2.0-", "1.2.0-01", "1.2.0+build", "1.2.0\n", "١.2.0"]
)
def test_what_is_no_version_is_refused_with_an_example(text):
    with pytest.raises(UsageError, match=r"no semantic version: give major\.minor\.patch"):
        parse_version(text)


def test_tags_of_other_kinds_are_left_out():
    tags = known_versions(["main", "v1.10.0", "1.9.0", "2024-01-01", "2.0.0-rc.1"])
    assert list(tags.values()) == ["1.9.0", "v1.10.0", "2.0.0-rc.1"]
