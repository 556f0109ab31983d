"""A turn that servers take one after the other: `models/<line>/serving-lease.json`, by compare and swap."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from ctiforge.records.serving import ServingLease
from ctiforge.store.objects import ObjectStore
from ctiforge.store.reading import parse_record

LASTS = timedelta(minutes=15)
"""How long a turn lasts at most: as long as a large model is loaded, should its holder die meanwhile."""
_MEND = "delete it: servers write it anew"


class TurnLease:
    """One server's view of the lease of a line."""

    def __init__(
        self, store: ObjectStore, line: str, holder: str, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._store = store
        self._key = f"models/{line}/{ServingLease.NAME}"
        self._holder = holder
        self._now = now

    def take(self) -> bool:
        """Take the turn, or renew one's own; False while it is another's."""
        data = ServingLease(holder=self._holder, until=self._now() + LASTS).to_json().encode()
        try:
            kept, tag = self._store.read_with_tag(self._key)
        except FileNotFoundError:
            return self._store.write_new(self._key, data)
        lease = parse_record(self._store, self._key, ServingLease, kept, _MEND)
        if lease.holder != self._holder and lease.until > self._now():
            return False
        return self._store.replace(self._key, data, tag)

    def give_back(self) -> None:
        """End one's own turn: the next may take it at once."""
        try:
            kept, tag = self._store.read_with_tag(self._key)
        except FileNotFoundError:
            return
        lease = parse_record(self._store, self._key, ServingLease, kept, _MEND)
        if lease.holder == self._holder:
            over = lease.model_copy(update={"until": self._now()})
            self._store.replace(self._key, over.to_json().encode(), tag)
