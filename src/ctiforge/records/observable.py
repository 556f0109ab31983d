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
    """One thing to hunt for."""

    type: str
    """One of `TYPES`, or an unknown one, kept as it is."""
    value: str
    """The value as the article, or whoever labeled it, writes it."""
    platform: str | None = None
    """One of `PLATFORMS`; None where nobody said."""
