"""A stage: fingerprint its work, skip what is done, run the rest, publish the result."""

import fcntl
import json
import os
import platform
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, TextIO

import ctiforge
from ctiforge.errors import CannotGoOnError, InterruptedRunError, StoreError, UsageError
from ctiforge.progress import warn
from ctiforge.records.artifact import InputEntry, Manifest
from ctiforge.store import fingerprint as fp
from ctiforge.store.artifacts import (
    Input,
    artifact_key,
    copy_out,
    fetch_input,
    find_input,
    find_standing,
    publish,
    read_manifest,
    read_manifest_if_valid,
)
from ctiforge.store.checkpoints import Checkpoints
from ctiforge.store.objects import hash_file, open_store, open_to_look
from ctiforge.store.parts import StoredParts
from ctiforge.store.versions import package_version

SCRATCH_VARIABLE = "CTIFORGE_SCRATCH"
DEFAULT_SCRATCH = ".ctiforge/scratch"
_TRACKED = "tensorboard/"
"""What a tracker wrote beside a result: another each time, and no part of what the result is."""


@dataclass(frozen=True)
class Stage:
    """One kind of work, as its program declares it."""

    name: str
    """The program's name: `format_extract`."""
    version: int
    """Raised by hand when the same inputs give another output, which `tests/golden/` notices."""
    packages: tuple[str, ...] = ()
    """Distributions whose versions change the result."""
    keyed_by_output: bool = False
    """Reads something live: always runs, and its fingerprint is that of what it wrote."""


@dataclass(frozen=True)
class StageFlags:
    """The flags that every stage program shares.

    Attributes:
        store: Where the artifact goes: a folder or `s3://bucket/prefix`; None: only to the output folder.
        expect: The fingerprint, or its beginning, that the launcher planned with; None: any.
        plan: Whether to print the fingerprint and do nothing.
    """

    store: str | None = None
    expect: str | None = None
    plan: bool = False


@dataclass(frozen=True)
class StageDirs:
    """Where a stage's work finds its inputs and leaves its results."""

    inputs: dict[str, Path]
    """Each input on this machine, verified: a file, or a folder. Not to be written to."""
    out: Path
    """An empty folder: what lies here afterwards is the result."""
    scratch: Path
    """For files of the work itself; survives an interruption, is removed after success."""
    checkpoints: Checkpoints
    """Where the work's state outlives this process: in the store, without one in the scratch."""
    parts: StoredParts
    """What processes that share the work hand to each other, likewise; removed once the result is published."""
    is_published: Callable[[], bool]
    """Tells whether the artifact is in the store by now: another machine may have made it."""


@dataclass(frozen=True)
class StageResult:
    """What came of a stage; `uri` is the artifact's folder in the store, or the output without a store."""

    fingerprint: str | None
    cached: bool
    uri: str | None
    summary: dict[str, Any] = field(default_factory=dict)


def run_stage(
    stage: Stage,
    *,
    params: Mapping[str, Any],
    inputs: Mapping[str, str],
    output: str | None,
    flags: StageFlags,
    work: Callable[[StageDirs], dict[str, Any] | None],
    files: Mapping[str, Collection[str]] | None = None,
) -> StageResult:
    """Do a stage's work unless its artifact exists; publish it in the store and copy it to `output`.

    With `flags.plan` one JSON line is printed (stage, fingerprint, cached) and nothing is done.

    Args:
        stage: What the program declares itself to be.
        params: Only what changes the result, as values that JSON can hold; part of the fingerprint.
        inputs: Each input's name, and its path or `s3://` URI: a file, a folder or an artifact.
        output: The folder of this machine or S3 that the result is copied to; None: only to the store.
        flags: The shared flags of the command line.
        work: Does the work in the folders it is given; what it gives back, as JSON can hold it, is kept as the
            manifest's summary. None: another machine makes the result, or has, and publishes it.
        files: Of an input that is a folder, by name, the patterns of what `work` reads of it; nothing else is
            fetched. The fingerprint is that of the whole content all the same. None: every input whole.

    Returns:
        What came of it: fingerprint, whether it was there already, where it lies, and the summary.

    Raises:
        UsageError: There is neither a store nor an output, an input is missing, or the fingerprint is not the
            expected one.
        StoreError: The store does not answer, or an input is damaged.
    """
    if not flags.store and not output:
        # a stage's template in the cluster says it so
        flags = replace(flags, store=os.environ.get("CTIFORGE_STORE"))
    # a plan makes nothing, no folder either
    memory = open_to_look(flags.store) if flags.store else None
    found = {name: find_input(uri, memory) for name, uri in inputs.items()}
    packages = {name: package_version(name) for name in stage.packages}
    contents = {name: each.content for name, each in found.items()}
    planned = fp.fingerprint(stage.name, stage.version, params, contents, packages)
    if flags.plan:
        return _print_plan(stage, planned, flags)
    if not flags.store and not output:
        raise UsageError(f"{stage.name}: say where the result goes, with --store, CTIFORGE_STORE or --output")
    _check_expectation(stage, planned, flags)
    done = None if stage.keyed_by_output else _finished(stage, planned, output, flags)
    if done:
        print(f"cached: {stage.name} {planned[: fp.SHORT]}", flush=True)
        _tell(stage, done)
        return done

    with _work_folder(stage, planned) as folder, _checkpoints(stage, planned, folder, flags) as checkpoints:
        started_at, started = datetime.now(UTC), time.monotonic()
        parts = StoredParts(checkpoints.store, f"{checkpoints.folder}/parts")
        dirs = StageDirs(
            _fetch_all(found, folder / "inputs", files or {}),
            folder / "out",
            folder / "scratch",
            checkpoints,
            parts,
            partial(_is_published, stage, planned, flags),
        )
        for each in (dirs.out, dirs.scratch):
            each.mkdir(parents=True, exist_ok=True)
        summary = work(dirs)
        if summary is None:
            print(f"done: {stage.name}, this machine's share; the result is another one's", flush=True)
            return StageResult(planned, False, None)
        manifest = Manifest(
            stage=stage.name,
            version=stage.version,
            fingerprint=planned,
            attempt=f"{started_at:%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}",
            files={},
            parameters=dict(params),
            inputs={name: InputEntry(uri=each.uri, content=each.content) for name, each in found.items()},
            packages=packages,
            python=platform.python_version(),
            git_commit=_git_commit(),
            image=os.environ.get("CTIFORGE_IMAGE"),
            summary=summary,
            started_at=started_at,
            seconds=round(time.monotonic() - started, 3),
        )
        result = _publish_and_copy(stage, manifest, dirs.out, output, flags)
        _remove_quietly(parts.remove, parts.uri)
    _tell(stage, result)
    return result


def _print_plan(stage: Stage, planned: str, flags: StageFlags) -> StageResult:
    known = None if stage.keyed_by_output else planned
    done = _finished(stage, planned, None, flags) if known and flags.store else None
    print(json.dumps({"stage": stage.name, "fingerprint": known, "cached": done is not None}), flush=True)
    return StageResult(known, done is not None, done.uri if done else None)


def _check_expectation(stage: Stage, planned: str, flags: StageFlags) -> None:
    if flags.expect is None or stage.keyed_by_output or planned.startswith(flags.expect):
        return
    raise UsageError(
        f"{stage.name} would make {planned[: fp.SHORT]}, not the expected {flags.expect[: fp.SHORT]}: "
        "the launcher and this program differ in age, packages or inputs; bring both to one release"
    )


def _finished(stage: Stage, planned: str, output: str | None, flags: StageFlags) -> StageResult | None:
    """Find the result when it exists already: in the store, or without one in the output folder."""
    if flags.store:
        # a plan makes nothing, no folder either
        store = open_to_look(flags.store)
        folder = artifact_key(stage.name, planned)
        manifest = find_standing(store, folder)
        if not manifest:
            return None
        uri = f"{store.uri}/{folder}"
        if output:
            _copy_artifact(uri, output, manifest)
        return StageResult(planned, True, uri, manifest.summary)
    if not output:
        return None
    manifest = read_manifest_if_valid(open_store(output))
    if not manifest or manifest.fingerprint != planned:
        return None
    try:
        fetch_input(find_input(output), _scratch_root() / "check")
    except StoreError:
        return None
    return StageResult(planned, True, output, manifest.summary)


def _is_published(stage: Stage, planned: str, flags: StageFlags) -> bool:
    try:
        return bool(flags.store and read_manifest(open_to_look(flags.store), artifact_key(stage.name, planned)))
    except StoreError:
        # it is asked again
        return False


def _publish_and_copy(
    stage: Stage, manifest: Manifest, out: Path, output: str | None, flags: StageFlags
) -> StageResult:
    files = {path.relative_to(out).as_posix(): hash_file(path) for path in sorted(out.rglob("*")) if path.is_file()}
    if stage.keyed_by_output:
        written = {name: entry for name, entry in files.items() if not name.startswith(_TRACKED)}
        by_output = fp.output_fingerprint(stage.name, fp.content_hash(written))
        manifest = manifest.model_copy(update={"fingerprint": by_output})
    uri = output
    if flags.store:
        store = open_store(flags.store)
        winner = publish(store, out, manifest)
        uri = f"{store.uri}/{artifact_key(stage.name, manifest.fingerprint)}"
        if output and winner.attempt != manifest.attempt:
            _copy_artifact(uri, output, winner)
            return StageResult(winner.fingerprint, False, uri, winner.summary)
        manifest = winner
    if output:
        copy_out(out, output, manifest.model_copy(update={"files": files}))
    return StageResult(manifest.fingerprint, False, uri, manifest.summary)


def _tell(stage: Stage, result: StageResult) -> None:
    """Tell a launcher which artifact came of a stage whose fingerprint nobody could know before."""
    if sys.stderr.isatty():
        return
    event = {
        "event": "artifact",
        "stage": stage.name,
        "fingerprint": result.fingerprint,
        "uri": result.uri,
        "cached": result.cached,
    }
    print(json.dumps(event), file=sys.stderr, flush=True)


def _copy_artifact(uri: str, output: str, manifest: Manifest) -> None:
    into = _scratch_root() / f"copy-{manifest.fingerprint[: fp.SHORT]}-{os.getpid()}"
    try:
        copy_out(fetch_input(find_input(uri), into), output, manifest)
    finally:
        shutil.rmtree(into, ignore_errors=True)


def _fetch_all(found: Mapping[str, Input], into: Path, files: Mapping[str, Collection[str]]) -> dict[str, Path]:
    return {name: fetch_input(each, into / name, files.get(name, ("*",))) for name, each in found.items()}


@contextmanager
def _work_folder(stage: Stage, planned: str) -> Iterator[Path]:
    """Lock the folder of this work; another process that does the same work now gets one of its own."""
    root = _scratch_root()
    name = f"{stage.name}-{planned[: fp.SHORT]}"
    with _open_lock(root, name) as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            folder, passing = root / name, ["inputs", "out"]
        except BlockingIOError:
            folder, passing = root / f"{name}-{secrets.token_hex(4)}", ["inputs", "out", "scratch"]
        _remove(folder, passing)
        try:
            yield folder
        except BaseException:
            # the scratch stays: the next try goes on from there
            _remove(folder, passing)
            raise
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _checkpoints(stage: Stage, planned: str, folder: Path, flags: StageFlags) -> Iterator[Checkpoints]:
    """Open the checkpoints of this work: an attempt that is told to end is noted there, a finished one needs none."""
    store = open_store(flags.store or str(folder / "scratch"))
    checkpoints = Checkpoints(store, f"checkpoints/{stage.name}/{planned}")
    try:
        yield checkpoints
    except (InterruptedRunError, SystemExit, KeyboardInterrupt):
        with suppress(StoreError):
            checkpoints.note_interrupted()
        raise
    _remove_quietly(checkpoints.remove, checkpoints.folder)


def _remove_quietly(remove: Callable[[], None], what: str) -> None:
    try:
        remove()
    except StoreError as error:
        warn(f"{what} is no longer needed, but stays: {error}")


def _remove(folder: Path, parts: list[str]) -> None:
    for part in parts:
        shutil.rmtree(folder / part, ignore_errors=True)


def _open_lock(root: Path, name: str) -> TextIO:
    try:
        root.mkdir(parents=True, exist_ok=True)
        return (root / f"{name}.lock").open("w")
    except OSError as error:
        raise CannotGoOnError(
            f"scratch folder {root}: {error.strerror}; name one that can be written with {SCRATCH_VARIABLE}"
        ) from None


def _scratch_root() -> Path:
    return Path(os.environ.get(SCRATCH_VARIABLE, DEFAULT_SCRATCH)).absolute()


def _git_commit() -> str | None:
    root = Path(ctiforge.__file__).parents[2]
    if not (root / ".git").exists():
        return os.environ.get("CTIFORGE_COMMIT")
    command = ["git", "-C", str(root), "rev-parse", "HEAD"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
