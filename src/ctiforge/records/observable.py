"""What the Extract Agent finds: an observable, the types there are, and the platforms."""

from ctiforge.records.base import Record

TYPES = (
    "cmdline",
    "registry",
    "services",
    "scheduled_tasks",
    "process_lineage",
    "hunt_queries",
    "network_indicators",
)


PLATFORMS = ("Windows", "Linux", "MacOS")


class Observable(Record):
    """One thing to hunt for. `type` is one of `TYPES`, or an unknown one, kept as it is."""

    type: str
    value: str
    platform: str | None = None
