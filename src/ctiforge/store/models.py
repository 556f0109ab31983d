"""The registry of a line's models: numbered versions that never change, and which of them is the champion.

`models/<line>/<version>/model.json` is written once, its evaluations beside it likewise;
`models/<line>/champion.json` names the version in use and how it came to that, and is changed by compare and swap
alone. The files of versions lie in the same store (`owned`), what decisions were made from (`kept`), and which
candidates were looked at (`looks`).
"""

import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from ctiforge.errors import DamagedError, DataError, GateError, StoreError, UsageError
from ctiforge.records.registry import Candidate, Champion, ModelRecord, Move
from ctiforge.store.kept import is_kept_as, keep
from ctiforge.store.objects import ObjectStore, find_store
from ctiforge.store.owned import find_fault
from ctiforge.store.reading import MEND, parse_record, read_record

_RECORD = re.compile(rf"models/[^/]+/\d+/{re.escape(ModelRecord.NAME)}")


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


def record_keys(store: ObjectStore) -> list[str]:
    """List the keys of the records of all versions of all lines: what they name must stay in the store.

    Args:
        store: The store.

    Returns:
        The keys, sorted.

    Raises:
        StoreError: The store does not answer.
    """
    return [info.key for info in store.list("models") if _RECORD.fullmatch(info.key)]


class Registry:
    """The models of one line in one store."""

    def __init__(self, store: ObjectStore, line: str) -> None:
        self._store = store
        self.line = line
        self._folder = f"models/{line}"

    @property
    def store(self) -> ObjectStore:
        """The store that it lies in."""
        return self._store

    def standing(self) -> Standing:
        """Read which version is in use now.

        Raises:
            DamagedError: There was a champion, and its record is gone or damaged.
        """
        key = self._champion_key
        try:
            data, tag = self._store.read_with_tag(key)
        except FileNotFoundError:
            kept = [info.key for info in self._store.list(f"{self._folder}/champions")]
            if kept:
                raise DamagedError(f"{self._store.uri}/{key} is gone: copy {kept[-1]} back to it") from None
            return Standing(None, None)
        champion = parse_record(self._store, key, Champion, data, MEND)
        if not champion.history or champion.version != champion.history[-1].version:
            raise DamagedError(f"{self._store.uri}/{key} is damaged (its version is not its last move's): {MEND}")
        return Standing(champion, tag)

    def versions(self) -> list[ModelRecord]:
        """List all versions, oldest first."""
        keys = [each.key for each in self._store.list(self._folder) if _RECORD.fullmatch(each.key)]
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
        """Find the newest version with the same files as a model.

        Args:
            content: The model's content hash (`Input.content`).

        Returns:
            The version's record, None where no version has this content.
        """
        return next((each for each in reversed(self.versions()) if each.content == content), None)

    def grounds_of(self, version: int) -> str | None:
        """Find the hash of what a version was promoted on.

        Args:
            version: The version's number.

        Returns:
            That of its last promotion, else that of its registration; None where nothing was kept.

        Raises:
            UsageError: There is no such version.
        """
        record, champion = self.get(version), self.standing().champion
        moves = [each for each in (champion.history if champion else ()) if each.version == version and each.grounds]
        return moves[-1].grounds if moves else record.grounds

    def register(self, candidate: Candidate) -> ModelRecord:
        """Keep a model as the line's next version; one with the same content keeps its number and its record.

        A version of before, whose files the registry did not keep, gets a new number now that it does.

        Args:
            candidate: The model, where it lies and how it came to be.

        Returns:
            The record of the version, new or old.
        """
        while True:
            known = self.versions()
            same = next((each for each in reversed(known) if each.content == candidate.content), None)
            if same and (same.place or not candidate.place):
                return same
            record = ModelRecord(
                **dict(candidate),
                line=self.line,
                version=max((each.version for each in known), default=0) + 1,
                registered_at=datetime.now(UTC),
            )
            # its answer is not asked: a reply lost on the way makes our own write look like another's
            self._store.write_new(f"{self._folder}/{record.version}/{ModelRecord.NAME}", record.to_json().encode())

    def promote(
        self, version: int, standing: Standing, why: str, actor: str | None = None, grounds: str | None = None
    ) -> Champion:
        """Make a version the champion.

        Args:
            version: The version's number.
            standing: The champion that the decision was made against: it must still be the one.
            why: The reason, for the history.
            actor: Who does it; None: nobody knows.
            grounds: The hash of what the gate decided on, which is kept; None: nobody kept it.

        Returns:
            The champion as it now stands.

        Raises:
            OvertakenError: Another promotion or rollback came between.
            StoreError: The store does not answer, or the champion's record vanished.
        """
        return self._move("promoted", version, standing, why, actor, grounds)

    def roll_back(self, to: int | None, why: str, actor: str | None = None) -> Champion:
        """Put an earlier version back into use, once every file of it is proven.

        Args:
            to: The version's number; None: the one in use before.
            why: The reason, for the history.
            actor: Who does it; None: nobody knows.

        Returns:
            The champion as it now stands.

        Raises:
            UsageError: There is no champion, no such version or none before, or the version is in use already.
            DataError: The version's files are gone, or no longer what was registered.
            OvertakenError: Another promotion or rollback came between.
        """
        standing = self.standing()
        if standing.champion is None:
            raise UsageError(f"{self.line} has no champion yet: there is nothing to roll back")
        target = to if to is not None else standing.champion.before()
        if target is None:
            raise UsageError(f"{self.line}: no version was in use before version {standing.champion.version}")
        record = self.get(target)
        if target == standing.champion.version:
            raise UsageError(f"{self.line}: version {target} is in use already")
        if target not in standing.champion.ever():
            raise UsageError(
                f"{self.line}: version {target} was never in use, so nothing goes back to it: promote it, or approve "
                f"it where it waits (ctiforge approve {self.line} {target} --why …)"
            )
        self.check_whole(record)
        return self._move("rolled back", target, standing, why, actor)

    def check_whole(self, record: ModelRecord) -> None:
        """Refuse a version that cannot be used as it was registered.

        Args:
            record: The version's record.

        Raises:
            DataError: A file of it is gone, or no longer what was registered; the text names it.
        """
        fault = find_fault(self._store, record)
        if fault:
            again = f"ctiforge models check {self.line}@{record.version} --put-back-from COPY"
            raise DataError(
                f"version {record.version} of {self.line}, {record.name}, cannot be used: {fault}; nothing is changed "
                f"({again} puts the same files back)"
            )

    def add_evaluation(self, version: int, test_set_hash: str, schema: int, data: bytes) -> None:
        """Keep an evaluation of a version; the first one on a test set stands.

        Args:
            version: The version's number.
            test_set_hash: The content hash of the test set.
            schema: The schema number of the evaluation's file.
            data: The file, as JSON in UTF-8.
        """
        keep(self._store, self.line, "evaluations", data)
        self._store.write_new(self._evaluation_key(version, test_set_hash, schema), data)

    def evaluation(self, version: int, test_set_hash: str, schema: int) -> str | None:
        """Read a version's evaluation on a test set.

        Args:
            version: The version's number.
            test_set_hash: The content hash of the test set.
            schema: The schema number that the caller can read.

        Returns:
            The evaluation's JSON, None where there is none.

        Raises:
            DataError: It is not what was kept.
        """
        key = self._evaluation_key(version, test_set_hash, schema)
        try:
            data = self._store.read(key)
        except FileNotFoundError:
            return None
        # registries of before kept no copy by its hash
        if not is_kept_as(self._store, self.line, "evaluations", data) and self.get(version).grounds:
            again = f"evaluate models:{self.line}@{version} again"
            raise DataError(f"{self._store.uri}/{key} was changed: delete it, and {again}")
        return data.decode()

    def schemas_evaluated(self, version: int, test_set_hash: str) -> list[int]:
        """List by which schemas a version was evaluated on a test set.

        Args:
            version: The version's number.
            test_set_hash: The content hash of the test set.

        Returns:
            The schema numbers, ascending; empty where it was never evaluated.
        """
        folder = f"{self._folder}/{version}/evaluations"
        names = [each.key.rpartition("/")[2].removesuffix(".json") for each in self._store.list(folder)]
        parted = [name.rpartition("-") for name in names]
        return sorted(int(schema) for of, _, schema in parted if of == test_set_hash and schema.isdigit())

    def _move(
        self,
        what: Literal["promoted", "rolled back"],
        version: int,
        standing: Standing,
        why: str,
        actor: str | None,
        grounds: str | None = None,
    ) -> Champion:
        before = standing.champion
        previous, history = (before.version, before.history) if before else (None, ())
        at = datetime.now(UTC)
        move = Move(at=at, what=what, version=version, previous=previous, why=why, actor=actor, grounds=grounds)
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
        # for the day that somebody deletes the record
        kept = f"{self._folder}/champions/{len(stands.history):06}.json"
        with suppress(StoreError):
            self._store.write_new(kept, stands.to_json().encode())
        return stands

    @property
    def _champion_key(self) -> str:
        return f"{self._folder}/{Champion.NAME}"

    def _evaluation_key(self, version: int, test_set_hash: str, schema: int) -> str:
        # an evaluation of an older schema can no longer be read: one of the newer may stand beside it
        return f"{self._folder}/{version}/evaluations/{test_set_hash}-{schema}.json"
