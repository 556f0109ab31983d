import pytest

from ctiforge.errors import UsageError
from ctiforge.extract.harvest.sources import Sources


@pytest.mark.parametrize("since", [None, "2026-11-22", "2026-11-22 10:00", "2026-11-22T10:00:00"])
def test_a_date_or_a_time_is_taken_as_it_is(since: str | None) -> None:
    assert Sources(since=since).as_params()["since"] == since


@pytest.mark.parametrize("since", ["xyz", "22.11.2026", "2026-13-01"])
def test_what_is_no_date_is_told_with_the_form_that_is(since: str) -> None:
    with pytest.raises(UsageError, match=f"--since {since}: give a date or a time, like 2026-11-22 or"):
        Sources(since=since)
