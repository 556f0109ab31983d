"""The registry of a line's models: numbered versions that never change, and which of them is the champion.

`models/<line>/<version>/model.json` is written once, its evaluations beside it likewise;
`models/<line>/champion.json` names the version in use and how it came to that, and is changed by compare and swap
alone. `models/<line>/comparisons/` remembers which two models were compared on which test set.
"""

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from ctiforge.errors import GateError, StoreError, UsageError
from ctiforge.records.registry import Candidate, Champion, ModelRecord, Move
from ctiforge.store.fingerprint import SHORT
from ctiforge.store.objects import ObjectStore, find_store
from ctiforge.store.reading import parse_record, read_record

MEND = "put back a copy of it, or ask for help"


class OvertakenError(GateError):
    """Another promotion or rollback came first."""


@dataclass(frozen=True)
class Standing:
    """The champion at one moment; both fields are None while a line has none.

    Attributes:
        champion: The version in use, with the history of how it came to that.
        tag: The version of the champion's object, which a change of it must name (compare and swap).
    """

    champion: Champion | None
    tag: str | None


def registered_names(uri: str, line: str) -> frozenset[str]:
    """Read what the registered models of a line are called.

    Args:
        uri: The store's URI.
        line: The line's name.

    Returns:
        The names, without versions; none where the store's folder is not there.

    Raises:
        StoreError: The store cannot be read, or what it holds of a model is none.
    """
    store = find_store(uri)
    return frozenset(each.name for each in Registry(store, line).versions()) if store else frozenset()


class Registry:
    """The models of one line in one store."""

    def __init__(self, store: ObjectStore, line: str) -> None:
        self._store = store
        self.line = line
        self._folder = f"models/{line}"

    def standing(self) -> Standing:
        """Read which version is in use now."""
        try:
            data, tag = self._store.read_with_tag(self._champion_key)
        except FileNotFoundError:
            return Standing(None, None)
        return Standing(parse_record(self._store, self._champion_key, Champion, data, MEND), tag)

    def versions(self) -> list[ModelRecord]:
        """List all versions, oldest first."""
        keys = [each.key for each in self._store.list(self._folder) if each.key.endswith(f"/{ModelRecord.NAME}")]
        found = [read_record(self._store, key, ModelRecord, MEND) for key in keys]
        return sorted(found, key=lambda each: each.version)

    def get(self, version: int) -> ModelRecord:
        """Read the record of one version.

        Args:
            version: The version's number, from 1.

        Returns:
            Its record.

        Raises:
            UsageError: There is no such version; the text names those that exist.
            StoreError: The record is damaged, or the store does not answer.
        """
        key = f"{self._folder}/{version}/{ModelRecord.NAME}"
        try:
            return read_record(self._store, key, ModelRecord, MEND)
        except FileNotFoundError:
            known = ", ".join(str(each.version) for each in self.versions()) or "none"
            raise UsageError(
                f"{self.line} has no version {version} in {self._store.uri} (there are: {known})"
            ) from None

    def find(self, content: str) -> ModelRecord | None:
        """Find the version with the same files as a model.

        Args:
            content: The model's content hash (`Input.content`).

        Returns:
            The version's record, None where no version has this content.
        """
        return next((each for each in self.versions() if each.content == content), None)

    def register(self, candidate: Candidate) -> ModelRecord:
        """Keep a model as the line's next version; one with the same content keeps its number and its record.

        Args:
            candidate: The model, where it lies and how it came to be.

        Returns:
            The record of the version, new or old.
        """
        while True:
            known = self.versions()
            same = next((each for each in known if each.content == candidate.content), None)
            if same:
                return same
            record = ModelRecord(
                **dict(candidate),
                line=self.line,
                version=max((each.version for each in known), default=0) + 1,
                registered_at=datetime.now(UTC),
            )
            # its answer is not asked: a reply lost on the way makes our own write look like another's
            self._store.write_new(f"{self._folder}/{record.version}/{ModelRecord.NAME}", record.to_json().encode())

    def promote(self, version: int, standing: Standing, why: str) -> Champion:
        """Make a version the champion.

        Args:
            version: The version's number.
            standing: The champion that the decision was made against: it must still be the one.
            why: The reason, for the history.

        Returns:
            The champion as it now stands.

        Raises:
            OvertakenError: Another promotion or rollback came between.
            StoreError: The store does not answer, or the champion's record vanished.
        """
        return self._move("promoted", version, standing, why)

    def roll_back(self, to: int | None, why: str) -> Champion:
        """Put an earlier version back into use.

        Args:
            to: The version's number; None: the one in use before.
            why: The reason, for the history.

        Returns:
            The champion as it now stands.

        Raises:
            UsageError: There is no champion, no such version or none before, or the version is in use already.
            OvertakenError: Another promotion or rollback came between.
        """
        standing = self.standing()
        if standing.champion is None:
            raise UsageError(f"{self.line} has no champion yet: there is nothing to roll back")
        target = to if to is not None else standing.champion.before()
        if target is None:
            raise UsageError(f"{self.line}: no version was in use before version {standing.champion.version}")
        self.get(target)
        if target == standing.champion.version:
            raise UsageError(f"{self.line}: version {target} is in use already")
        return self._move("rolled back", target, standing, why)

    def add_evaluation(self, version: int, test_set_hash: str, schema: int, data: bytes) -> None:
        """Keep an evaluation of a version; the first one on a test set stands.

        Args:
            version: The version's number.
            test_set_hash: The content hash of the test set.
            schema: The schema number of the evaluation's file.
            data: The file, as JSON in UTF-8.
        """
        self._store.write_new(self._evaluation_key(version, test_set_hash, schema), data)

    def evaluation(self, version: int, test_set_hash: str, schema: int) -> str | None:
        """Read a version's evaluation on a test set.

        Args:
            version: The version's number.
            test_set_hash: The content hash of the test set.
            schema: The schema number that the caller can read.

        Returns:
            The evaluation's JSON, None where there is none.
        """
        try:
            return self._store.read(self._evaluation_key(version, test_set_hash, schema)).decode()
        except FileNotFoundError:
            return None

    def note_comparison(self, test_set_hash: str, candidate: str, other: str) -> int:
        """Remember that two models were compared on a test set; the same pair counts once.

        Args:
            test_set_hash: The content hash of the test set.
            candidate: The new model, by name and version.
            other: The model that it was compared with, by name and version.

        Returns:
            How many pairs were compared on the test set so far, this one included.
        """
        pair = json.dumps({"candidate": candidate, "other": other}).encode()
        name = hashlib.sha256(pair).hexdigest()[:SHORT]
        self._store.write_new(f"{self._comparisons_key(test_set_hash)}/{name}.json", pair)
        return self.comparisons(test_set_hash)

    def comparisons(self, test_set_hash: str) -> int:
        """Count the pairs of models that were compared on a test set.

        Args:
            test_set_hash: The content hash of the test set.

        Returns:
            The number of pairs.
        """
        return len(self._store.list(self._comparisons_key(test_set_hash)))

    def _move(self, what: Literal["promoted", "rolled back"], version: int, standing: Standing, why: str) -> Champion:
        before = standing.champion
        previous, history = (before.version, before.history) if before else (None, ())
        move = Move(at=datetime.now(UTC), what=what, version=version, previous=previous, why=why)
        data = Champion(version=version, history=(*history, move)).to_json().encode()
        if standing.tag is None:
            self._store.write_new(self._champion_key, data)
        else:
            self._store.replace(self._champion_key, data, standing.tag)
        # read back: a reply lost on the way makes our own write look like another's
        stands = self.standing().champion
        if stands is None:
            raise StoreError(f"{self._store.uri}/{self._champion_key} vanished; run the same command again")
        if move not in stands.history:
            last = stands.history[-1]
            raise OvertakenError(
                f"version {last.version} of {self.line} was {last.what} meanwhile, so nothing is changed; "
                "run the same command again, to be compared with that one"
            )
        return stands

    @property
    def _champion_key(self) -> str:
        return f"{self._folder}/{Champion.NAME}"

    def _evaluation_key(self, version: int, test_set_hash: str, schema: int) -> str:
        # an evaluation of an older schema can no longer be read: one of the newer may stand beside it
        return f"{self._folder}/{version}/evaluations/{test_set_hash}-{schema}.json"

    def _comparisons_key(self, test_set_hash: str) -> str:
        return f"{self._folder}/comparisons/{test_set_hash}"
