"""What processes that share a piece of work hand to each other, each part whole or not there.

The parts lie below `checkpoints/<stage>/<fingerprint>/parts/` of a store, and go once the result is published.
"""

from ctiforge.store.objects import ObjectStore


class StoredParts:
    """The parts of one piece of work. Every method raises StoreError from the store."""

    def __init__(self, store: ObjectStore, folder: str) -> None:
        self._store = store
        self._folder = folder
        self._is_used = False

    @property
    def uri(self) -> str:
        """Where they lie, for a person."""
        return f"{self._store.uri}/{self._folder}"

    def names(self) -> set[str]:
        """Name the parts that are there."""
        return {info.key.removeprefix(f"{self._folder}/") for info in self._store.list(self._folder)}

    def read(self, name: str) -> bytes:
        """Read a part.

        Args:
            name: Its name.

        Returns:
            Its bytes.

        Raises:
            FileNotFoundError: It is not there.
        """
        self._is_used = True
        return self._store.read(f"{self._folder}/{name}")

    def write(self, name: str, data: bytes) -> None:
        """Write a part, whatever was there; others see all of it or nothing.

        Args:
            name: Its name.
            data: Its bytes.
        """
        self._is_used = True
        self._store.write(f"{self._folder}/{name}", data)

    def remove(self) -> None:
        """Remove all, where this process has used any: the work is done."""
        if self._is_used:
            for name in sorted(self.names()):
                self.remove_one(name)

    def remove_one(self, name: str) -> None:
        """Remove a part, so that it is made again; one that is not there is no error.

        Args:
            name: Its name.
        """
        self._store.delete(f"{self._folder}/{name}")
