"""What came of a line's runs in numbers that only grow, as a counter of metrics needs them."""

from datetime import datetime

from ctiforge.records.base import Record


class RunCounts(Record):
    """Counts of one line, kept as `counts/<line>.json` of the store."""

    since: datetime
    """When the first of them was counted."""
    runs: dict[str, int] = {}
    """Runs by how they ended: a state of the run's record, or `not-started`."""
    attempts: dict[str, int] = {}
    """Starts of stages' programs by what became of them."""
    decisions: dict[str, int] = {}
    """What came of runs that were done: `refused`, `promoted`, `waiting`, `nothing-new`, `trained`."""
    last_success: datetime | None = None
    """When the last run that was done ended."""
