"""What the Extract Agent finds: an observable, the types there are, the platforms, and the arrow of a lineage."""

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
ARROW = " -> "
"""Between parent and child in the canonical value of a process lineage."""


class Observable(Record):
    """One thing to hunt for. `type` is one of `TYPES`, or an unknown one, kept as it is."""

    type: str
    value: str
    platform: str | None = None
