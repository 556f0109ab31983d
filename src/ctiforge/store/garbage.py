"""What of a store nothing needs any more, and its removal.

Kept are the newest runs of each line and whatever they, a registered model or a run under way name, and what
went into that; and everything that was written or planned with in the last `YOUNG`. Who plans with an artifact
notes its use and looks again (`artifacts.find_standing`): it either sees it vanish, or made it young before that.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from ctiforge.errors import DataError, UsageError
from ctiforge.records.artifact import Manifest
from ctiforge.records.references import hashes_in
from ctiforge.records.registry import ModelRecord
from ctiforge.records.run import RunRecord
from ctiforge.store.models import record_keys
from ctiforge.store.objects import ObjectInfo, ObjectStore
from ctiforge.store.reading import read_each
from ctiforge.store.runs import ids_in, read_runs

YOUNG = timedelta(days=7)
"""Nothing younger is removed: long enough for whatever is being made or planned."""
# how many parts of its key name a thing: artifacts/<stage>/<fingerprint>, …
_DEPTH = {"artifacts": 3, "checkpoints": 3, "inputs": 2, "runs": 2}


@dataclass(frozen=True)
class Thing:
    """An artifact, the checkpoints of one training, a shared input or a run: what goes or stays as a whole.

    Attributes:
        folder: Its key in the store, like `artifacts/<stage>/<fingerprint>`.
        objects: Its objects as they were listed; one written since then means that somebody uses it.
    """

    folder: str
    objects: tuple[ObjectInfo, ...]
    """As they were listed."""

    @property
    def size(self) -> int:
        """Sum the bytes of its objects."""
        return sum(info.size for info in self.objects)

    @property
    def modified(self) -> datetime:
        """Tell when the youngest of its objects was written."""
        return max(info.modified for info in self.objects)

    @property
    def kind(self) -> str:
        """Name its kind: `artifacts`, `checkpoints`, `inputs` or `runs`."""
        return self.folder.partition("/")[0]

    @property
    def name(self) -> str:
        """Name it within its kind: the fingerprint, the hash or the run's id."""
        return self.folder.rpartition("/")[2]


def find_garbage(store: ObjectStore, keep_runs: int, now: datetime | None = None) -> list[Thing]:
    """Find what can go: all that neither a kept run nor a registered model needs and that is older than `YOUNG`.

    Args:
        store: The store to look through.
        keep_runs: How many of the newest runs of each line stay, with all that they name; 0 or more.
        now: The moment that ages are reckoned from; None: the present one.

    Returns:
        What can be removed, largest first.

    Raises:
        UsageError: `keep_runs` is negative.
    """
    if keep_runs < 0:
        raise UsageError(f"--keep-runs {keep_runs}: give 0 or more")
    young = (now or datetime.now(UTC)) - YOUNG
    objects = [info for part in _DEPTH for info in store.list(part)]
    things = gather(objects)
    runs, broken = read_runs(store, ids_in(objects))
    kept = runs_kept(runs, keep_runs)
    kept |= {thing.name for thing in things if thing.kind == "runs" and thing.modified >= young}
    named = [run.references() for run in runs if run.id in kept]
    named += [hashes_in(_read(store, f"runs/{run_id}/{RunRecord.NAME}")) for run_id in broken]
    named += read_each(lambda key: _references(store, key, ModelRecord), record_keys(store))
    stay = needed(things, frozenset().union(*named), lambda thing: _references(store, _manifest(thing), Manifest))
    stay |= {f"runs/{run_id}" for run_id in (*kept, *broken)}
    gone = [thing for thing in things if thing.folder not in stay and thing.modified < young]
    return sorted(gone, key=lambda thing: (-thing.size, thing.folder))


def remove(store: ObjectStore, things: Iterable[Thing], say: Callable[[Thing, bool], None]) -> None:
    """Remove things, some at a time, each only if nobody has used it since it was listed.

    A manifest goes first, so that what is half removed is no artifact; and comes back where somebody
    noted its use before it went.

    Args:
        store: The store that they lie in.
        things: What to remove, as `find_garbage` lists it.
        say: Is called after each with the thing and whether it is gone; False: it is in use and stays.
    """
    each = list(things)
    for thing, is_gone in zip(each, read_each(lambda thing: _remove(store, thing), each), strict=True):
        say(thing, is_gone)


def gather(objects: Sequence[ObjectInfo]) -> list[Thing]:
    """Group objects into the things that they belong to.

    Args:
        objects: Objects of a store; those of no thing are passed over.

    Returns:
        The things, sorted by folder.
    """
    found: defaultdict[str, list[ObjectInfo]] = defaultdict(list)
    for info in objects:
        parts = info.key.split("/")
        depth = _DEPTH.get(parts[0], 0)
        if 0 < depth < len(parts):
            found["/".join(parts[:depth])].append(info)
    return [Thing(folder, tuple(infos)) for folder, infos in sorted(found.items())]


def runs_kept(runs: Sequence[RunRecord], keep: int) -> set[str]:
    """Choose the ids of the newest `keep` runs of each line, and of all that are under way or can be gone on with."""
    kept = {run.id for run in runs if run.state in ("running", "interrupted")}
    for line in {run.line for run in runs}:
        newest = sorted((run for run in runs if run.line == line), key=lambda run: run.started_at, reverse=True)
        kept |= {run.id for run in newest[:keep]}
    return kept


def needed(things: Sequence[Thing], roots: Iterable[str], references_of: Callable[[Thing], Iterable[str]]) -> set[str]:
    """Find the folders of what `roots` name, of what went into that, and so on.

    A thing is named by its folder; or by its hash alone, by a record that can no longer be read.
    """
    named: defaultdict[str, list[Thing]] = defaultdict(list)
    for thing in things:
        named[thing.folder].append(thing)
        named[thing.name].append(thing)
    stay: set[str] = set()
    reached = set(roots)
    while reached:
        new = {thing.folder: thing for name in reached for thing in named[name] if thing.folder not in stay}
        stay |= set(new)
        made = [thing for thing in new.values() if thing.kind == "artifacts"]
        reached = set().union(*read_each(references_of, made))
    return stay


def total(things: Iterable[Thing]) -> Mapping[str, tuple[int, int]]:
    """Sum things up by their kind.

    Args:
        things: What to sum up.

    Returns:
        Kind → how many things there are, and their bytes.
    """
    sums: dict[str, tuple[int, int]] = {}
    for thing in things:
        count, size = sums.get(thing.kind, (0, 0))
        sums[thing.kind] = (count + 1, size + thing.size)
    return sums


def _remove(store: ObjectStore, thing: Thing) -> bool:
    manifest = _manifest(thing)
    standing = _read(store, manifest)
    if _is_used(store, thing):
        return False
    store.delete(manifest)
    if _is_used(store, thing):
        if standing:
            store.write_new(manifest, standing.encode())
        return False
    for info in thing.objects:
        store.delete(info.key)
    return True


def _is_used(store: ObjectStore, thing: Thing) -> bool:
    """Tell whether anything of it was written since it was listed."""
    return not set(store.list(thing.folder)) <= set(thing.objects)


def _manifest(thing: Thing) -> str:
    return f"{thing.folder}/{Manifest.NAME}"


def _references(store: ObjectStore, key: str, kind: type[Manifest] | type[ModelRecord]) -> frozenset[str]:
    """Read what a record names; of one that cannot be read everything that it may name, by hash."""
    text = _read(store, key)
    if not text:
        return frozenset()
    try:
        return kind.parse(text, f"{store.uri}/{key}").references()
    except DataError:
        return hashes_in(text)


def _read(store: ObjectStore, key: str) -> str:
    """Read the text of an object, "" where there is none."""
    try:
        return store.read(key).decode("utf-8", "replace")
    except FileNotFoundError:
        return ""
