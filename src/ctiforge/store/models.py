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
from ctiforge.store.objects import ObjectStore
from ctiforge.store.reading import parse_record, read_record

MEND = "put back a copy of it, or ask for help"


class OvertakenError(GateError):
    """Another promotion or rollback came first."""


@dataclass(frozen=True)
class Standing:
    """The champion at one moment, and the tag to change it by; both None while there is none."""

    champion: Champion | None
    tag: str | None


class Registry:
    """The models of one line in one store."""

    def __init__(self, store: ObjectStore, line: str) -> None:
        self._store = store
        self.line = line
        self._folder = f"models/{line}"

    def standing(self) -> Standing:
        """Which version is in use now."""
        try:
            data, tag = self._store.read_with_tag(self._champion_key)
        except FileNotFoundError:
            return Standing(None, None)
        return Standing(parse_record(self._store, self._champion_key, Champion, data, MEND), tag)

    def versions(self) -> list[ModelRecord]:
        """All of them, oldest first."""
        keys = [each.key for each in self._store.list(self._folder) if each.key.endswith(f"/{ModelRecord.NAME}")]
        found = [read_record(self._store, key, ModelRecord, MEND) for key in keys]
        return sorted(found, key=lambda each: each.version)

    def get(self, version: int) -> ModelRecord:
        """Get this version. Raises UsageError, naming those that exist, where there is none."""
        key = f"{self._folder}/{version}/{ModelRecord.NAME}"
        try:
            return read_record(self._store, key, ModelRecord, MEND)
        except FileNotFoundError:
            known = ", ".join(str(each.version) for each in self.versions()) or "none"
            raise UsageError(
                f"{self.line} has no version {version} in {self._store.uri} (there are: {known})"
            ) from None

    def find(self, content: str) -> ModelRecord | None:
        """Give the version with this content, where one is registered."""
        return next((each for each in self.versions() if each.content == content), None)

    def register(self, candidate: Candidate) -> ModelRecord:
        """Keep the model as the next version; one with the same content keeps its number and its record."""
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
        """Make the version the champion. Raises OvertakenError where it changed since `standing`."""
        return self._move("promoted", version, standing, why)

    def roll_back(self, to: int | None, why: str) -> Champion:
        """Put an earlier version back into use, by default the one before.

        Raises UsageError where there is none or it is in use already, OvertakenError where the champion changed
        meanwhile.
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
        """Keep an evaluation of the version; the first one on a test set stands."""
        self._store.write_new(self._evaluation_key(version, test_set_hash, schema), data)

    def evaluation(self, version: int, test_set_hash: str, schema: int) -> str | None:
        """Give the version's evaluation on a test set, in this schema; None where there is none."""
        try:
            return self._store.read(self._evaluation_key(version, test_set_hash, schema)).decode()
        except FileNotFoundError:
            return None

    def note_comparison(self, test_set_hash: str, candidate: str, other: str) -> int:
        """Remember that the two models were compared; gives back how many pairs were so far."""
        pair = json.dumps({"candidate": candidate, "other": other}).encode()
        name = hashlib.sha256(pair).hexdigest()[:SHORT]
        self._store.write_new(f"{self._comparisons_key(test_set_hash)}/{name}.json", pair)
        return self.comparisons(test_set_hash)

    def comparisons(self, test_set_hash: str) -> int:
        """How many pairs of models were compared on the test set."""
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
