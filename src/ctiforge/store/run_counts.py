"""What came of a line's runs, counted in the store: each launcher lives for one run, and a counter for all of them."""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime

from pydantic import ValidationError

from ctiforge.records.run_counts import RunCounts
from ctiforge.store.objects import ObjectStore

TRIES = 20
"""More launchers do not end at the same moment."""


def add_counts(
    store: ObjectStore,
    line: str,
    counts: Mapping[str, Mapping[str, int]],
    now: datetime,
    *,
    is_success: bool,
) -> RunCounts | None:
    """Add the counts of a run to those of its line.

    Args:
        store: The store that keeps them.
        line: The line's name.
        counts: `runs`, `attempts` and `decisions`: what is counted, and how much is added.
        now: The time of the run's end.
        is_success: Whether the run ended well.

    Returns:
        The counts with this run's; None where others added theirs at the same time, again and again.

    Raises:
        StoreError: The store does not answer.
    """
    key = f"counts/{line}.json"
    for _ in range(TRIES):
        try:
            data, tag = store.read_with_tag(key)
        except FileNotFoundError:
            data, tag = b"", None
        added = _added(_parsed(data, now), counts, now, is_success=is_success)
        written = added.model_dump_json(indent=1).encode()
        if store.replace(key, written, tag) if tag else store.write_new(key, written):
            return added
    return None


def _parsed(data: bytes, now: datetime) -> RunCounts:
    """Read the counts; damaged ones begin anew, which is what a counter's reset means."""
    try:
        return RunCounts.model_validate_json(data, extra="ignore")
    except ValidationError:
        return RunCounts(since=now)


def _added(before: RunCounts, counts: Mapping[str, Mapping[str, int]], now: datetime, *, is_success: bool) -> RunCounts:
    sums = {name: dict(Counter(getattr(before, name)) + Counter(each)) for name, each in counts.items()}
    return before.model_copy(update=sums | ({"last_success": now} if is_success else {}))
