"""Saved states of work that may be interrupted: written by one attempt at a time, read only when whole.

Below `checkpoints/<stage>/<fingerprint>/` of a store:

    attempts/<n>.json           what attempt n accepted when it began; takes the number, with a conditional write
    attempts/<n>.interrupted    it was told to end
    <n>/<step>/<file>           a checkpoint of attempt n
    <n>/<step>/manifest.json    its files' sizes and hashes, written last: no manifest, no checkpoint

An attempt reads the checkpoints of the one before and those which that one had accepted, nothing
else: what an attempt writes after another has taken over is never read.
"""

import secrets
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from ctiforge.errors import CannotGoOnError, DataError, StoreError
from ctiforge.progress import warn
from ctiforge.records.artifact import FileEntry
from ctiforge.records.checkpoint import Attempt, Checkpoint, StoredFile
from ctiforge.store.objects import ObjectStore, hash_file

KEEP = 2
FRUITLESS_ATTEMPTS = 3


class Checkpoints:
    """The checkpoints of one piece of work; `begin` comes first. Every method raises StoreError from the store."""

    def __init__(self, store: ObjectStore, folder: str) -> None:
        self.store = store
        self.folder = folder
        self._attempt: Attempt | None = None
        self._saved: list[Checkpoint] = []
        self._uploaded: dict[tuple[int, int, int], StoredFile] = {}

    def begin(self, into: Path, settings: str = "", *, resume: bool = True) -> int:
        """Take an attempt number and fetch the newest whole checkpoint.

        A damaged checkpoint is passed over for the one before, with a warning.

        Args:
            into: The folder that the checkpoint's files are fetched to; gone afterwards where there is no checkpoint.
            settings: What this attempt runs with, as text: only attempts with the same text count as fruitless.
            resume: Whether to go on from an earlier checkpoint; False: begin anew.

        Returns:
            The step of the checkpoint fetched, 0 where there is none.

        Raises:
            CannotGoOnError: The last `FRUITLESS_ATTEMPTS` attempts with these settings ended, without being told to,
                before any newer checkpoint.
            StoreError: The store does not answer, or an attempt's record is damaged.
        """
        while True:
            keys = self._keys()
            attempts = self._attempts(keys)
            accepted = self._fetch_newest(self._accepted(attempts, keys) if resume else [], into)
            step = accepted[0].step if accepted else 0
            ours = Attempt(
                number=attempts[-1].number + 1 if attempts else 1,
                token=secrets.token_hex(8),
                accepts=tuple(each.id for each in accepted),
                step=step,
                settings=settings,
                gave_up=resume and fruitless(attempts, _interrupted(keys), settings, step) >= FRUITLESS_ATTEMPTS,
            )
            if self._take(ours):
                break
        self._attempt, self._saved = ours, accepted
        if ours.gave_up:
            raise CannotGoOnError(
                f"{FRUITLESS_ATTEMPTS} attempts ended before a newer checkpoint than step {step}: mend what ended them "
                "(see their logs), save more often (--save-steps), or begin anew (--no-resume)"
            )
        return step

    def fetch_newest(self, into: Path) -> int:
        """Fetch the newest whole checkpoint of this attempt, or the one that it began with.

        Args:
            into: The folder that its files are fetched to; gone afterwards where there is no checkpoint.

        Returns:
            The checkpoint's step, 0 where there is none.
        """
        self._saved = self._fetch_newest(self._saved, into)
        return self._saved[0].step if self._saved else 0

    @property
    def newest(self) -> str | None:
        """Name the newest whole checkpoint of this attempt, or the one that it began with; None: there is none."""
        return self._saved[0].id if self._saved else None

    def fetch(self, checkpoint: str, into: Path) -> None:
        """Fetch a checkpoint that another process goes on from.

        Args:
            checkpoint: Its name, as `newest` gives it there.
            into: The folder that its files are fetched to.

        Raises:
            StoreError: It is gone, or damaged.
        """
        found = self._manifest(checkpoint)
        shutil.rmtree(into, ignore_errors=True)
        if not found or self._fetch(found, into):
            raise StoreError(
                f"{self.store.uri}/{self.folder}/{checkpoint}: another process goes on from it, and it is damaged"
            )

    @property
    def attempt(self) -> int:
        """Give the number of the attempt that has begun."""
        return self._begun().number

    def upload(self, attempt: int, step: int, files: Mapping[str, Path]) -> dict[str, StoredFile]:
        """Upload files of a checkpoint, which is none before `save` has written its manifest.

        A file that has not changed since an earlier checkpoint is not uploaded again.

        Args:
            attempt: The attempt's number; another process may have begun it.
            step: The optimizer step that the checkpoint stands for.
            files: Each file's name in the checkpoint, and where it lies on this machine.

        Returns:
            What the manifest says of each.
        """
        return {name: self._upload(path, f"{attempt}/{step}/{name}") for name, path in files.items()}

    def save(self, step: int, files: Mapping[str, Path], others: Mapping[str, StoredFile] | None = None) -> bool:
        """Upload a checkpoint, its manifest last, and remove all but the newest `KEEP`.

        Args:
            step: The optimizer step that the checkpoint stands for.
            files: Each file's name in the checkpoint, and where it lies on this machine.
            others: Its files that other processes have uploaded.

        Returns:
            False, and nothing is written, once another attempt has taken over; True otherwise.
        """
        ours = self._begun()
        if max(_numbers(self._keys("attempts")), default=0) != ours.number:
            return False
        stored = {**(others or {}), **self.upload(ours.number, step, files)}
        checkpoint = Checkpoint(attempt=ours.number, step=step, files=stored)
        self.store.write(self._key(f"{checkpoint.id}/{Checkpoint.NAME}"), checkpoint.to_json().encode())
        self._saved = [checkpoint, *(each for each in self._saved if each.id != checkpoint.id)][:KEEP]
        self._prune()
        return True

    def newest_attempt(self) -> int:
        """Read the number of the newest attempt.

        Returns:
            The number; 0 where there is none.
        """
        return max(_numbers(self._keys("attempts")), default=0)

    def adopt(self, after: int) -> None:
        """Take over, as this one's own, the attempt that processes of this one's have begun.

        Args:
            after: The newest attempt of before; nothing happens where no newer one was begun.
        """
        begun = [each for each in self._attempts(self._keys("attempts")) if each.number > after]
        if begun:
            self._attempt = begun[-1]

    def note_interrupted(self) -> None:
        """Note that this attempt, where it has begun, was told to end: that is no failure of the work."""
        if self._attempt:
            self.store.write(self._key(f"attempts/{self._attempt.number}.interrupted"), b"")

    def remove(self) -> None:
        """Remove everything, where an attempt has begun: the work is done."""
        if not self._attempt:
            return
        for key in sorted(self._keys(), key=_readable_last):
            self.store.delete(self._key(key))

    def _keys(self, below: str = "") -> list[str]:
        """List the keys of all objects, relative to the checkpoints' folder."""
        found = self.store.list(self._key(below).rstrip("/"))
        return [info.key.removeprefix(f"{self.folder}/") for info in found]

    def _attempts(self, keys: Sequence[str]) -> list[Attempt]:
        found = []
        for number in sorted(_numbers(keys)):
            key = self._key(f"attempts/{number}.json")
            try:
                found.append(Attempt.parse(self.store.read(key), key))
            except DataError:
                raise StoreError(f"{self.store.uri}/{key} is damaged; delete {self.folder} to begin anew") from None
        return found

    def _accepted(self, attempts: Sequence[Attempt], keys: Sequence[str]) -> list[Checkpoint]:
        """List what may be gone on from, newest first: the last attempt's checkpoints, then those that it accepted."""
        if not attempts:
            return []
        last = attempts[-1]
        steps = sorted((int(key.split("/")[1]) for key in keys if _is_manifest(key, last.number)), reverse=True)
        ids = [*(f"{last.number}/{step}" for step in steps), *last.accepts]
        return [found for each in ids if (found := self._manifest(each))]

    def _manifest(self, checkpoint: str) -> Checkpoint | None:
        with suppress(FileNotFoundError, DataError):
            return Checkpoint.parse(self.store.read(self._key(f"{checkpoint}/{Checkpoint.NAME}")), checkpoint)
        return None

    def _fetch_newest(self, checkpoints: Sequence[Checkpoint], into: Path) -> list[Checkpoint]:
        """Fetch the first that is undamaged; gives back that one and those after it."""
        for index, checkpoint in enumerate(checkpoints):
            shutil.rmtree(into, ignore_errors=True)
            if damaged := self._fetch(checkpoint, into):
                warn(f"checkpoint {checkpoint.id} is damaged ({damaged}) and passed over")
                continue
            return list(checkpoints[index:])
        shutil.rmtree(into, ignore_errors=True)
        return []

    def _fetch(self, checkpoint: Checkpoint, into: Path) -> str | None:
        """Download and verify; gives back the name of the first file that is not what the manifest says."""
        for name, stored in checkpoint.files.items():
            path = into / name
            try:
                self.store.download(self._key(stored.key), path)
            except FileNotFoundError:
                return name
            if hash_file(path) != FileEntry(stored.size, stored.sha256):
                return name
        return None

    def _take(self, ours: Attempt) -> bool:
        key = self._key(f"attempts/{ours.number}.json")
        if self.store.write_new(key, ours.to_json().encode()):
            return True
        # a reply lost on the way makes our own write look like another's
        return Attempt.parse(self.store.read(key), key).token == ours.token

    def _upload(self, path: Path, key: str) -> StoredFile:
        status = path.stat()
        # a file of the same inode, size and time is the one that was uploaded: the best weights, most of the time
        same = (status.st_ino, status.st_size, status.st_mtime_ns)
        if same not in self._uploaded:
            entry = self.store.upload(path, self._key(key))
            self._uploaded[same] = StoredFile(key=key, size=entry.size, sha256=entry.sha256)
        return self._uploaded[same]

    def _prune(self) -> None:
        """Remove what neither the kept checkpoints nor a later attempt can need."""
        ours = self._begun().number
        kept = {f"{each.id}/{Checkpoint.NAME}" for each in self._saved}
        kept |= {file.key for each in self._saved for file in each.files.values()}
        self._uploaded = {same: file for same, file in self._uploaded.items() if file.key in kept}
        for key in sorted(self._keys(), key=_readable_last):
            owner = key.partition("/")[0]
            if owner.isdigit() and int(owner) <= ours and key not in kept:
                self.store.delete(self._key(key))

    def _begun(self) -> Attempt:
        assert self._attempt, "begin comes first"
        return self._attempt

    def _key(self, key: str) -> str:
        return f"{self.folder}/{key}"


def fruitless(attempts: Sequence[Attempt], interrupted: set[int], settings: str, step: int) -> int:
    """Count the last attempts, with these settings, that ended by themselves before a checkpoint newer than `step`."""
    count = 0
    for each in reversed(attempts):
        if each.gave_up or each.settings != settings or each.step < step:
            break
        count += each.number not in interrupted
    return count


def _numbers(keys: Sequence[str]) -> Iterator[int]:
    """Parse the numbers of `attempts/<n>.json`."""
    for key in keys:
        if key.startswith("attempts/") and key.endswith(".json"):
            yield int(key.removeprefix("attempts/").removesuffix(".json"))


def _interrupted(keys: Sequence[str]) -> set[int]:
    suffix = ".interrupted"
    return {int(key.removeprefix("attempts/").removesuffix(suffix)) for key in keys if key.endswith(suffix)}


def _is_manifest(key: str, attempt: int) -> bool:
    return key.startswith(f"{attempt}/") and key.endswith(f"/{Checkpoint.NAME}")


def _readable_last(key: str) -> tuple[bool, bool, str]:
    """Order keys for removal: first the manifests, so that a checkpoint half removed is none; last the attempts."""
    return (key.startswith("attempts/"), not key.endswith(f"/{Checkpoint.NAME}"), key)
