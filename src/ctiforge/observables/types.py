"""What an observable is: a type, a value as the article writes it, a platform where known."""

from pydantic import BaseModel, ConfigDict

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


class Observable(BaseModel):
    """One thing to hunt for. `type` is one of `TYPES`, or an unknown one, kept as it is."""

    model_config = ConfigDict(frozen=True)

    type: str
    value: str
    platform: str | None = None
