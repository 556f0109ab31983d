"""`models/<line>/serving-lease.json`: whose turn it is to load a new champion where memory holds only one model."""

from datetime import datetime
from typing import ClassVar

from ctiforge.records.base import File


class ServingLease(File):
    """One server's turn to stop answering while it loads; others go on until it is over."""

    NAME: ClassVar[str] = "serving-lease.json"

    holder: str
    """The server: its machine's or pod's name, and what tells it from others there."""
    until: datetime
    """When another may take it, whatever became of the holder, in UTC."""
