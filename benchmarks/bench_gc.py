"""What listing runs and looking for garbage costs in a store with many runs, in a folder and on a real S3 server."""

import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ctiforge.pod.entry import run_program

if TYPE_CHECKING:
    from ctiforge.records.artifact import Manifest
    from ctiforge.store.objects import ObjectStore

ROOT = Path(__file__).parents[1]
STAGES = ("harvest_extract", "format_extract", "train_extract")
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
LATER = timedelta(days=400)


def main(
    runs: Annotated[list[int] | None, typer.Option(help="Runs in the store.")] = None,
    s3: Annotated[bool, typer.Option(help="Measure SeaweedFS as well as a folder.")] = True,
    delete: Annotated[bool, typer.Option(help="Remove what is found, too.")] = False,
) -> None:
    """Fill stores with runs of three artifacts each; time `ctiforge runs` and `gc` on them."""
    sys.path.insert(0, str(ROOT))
    from ctiforge.tables import print_table

    rows = []
    for place in ("folder", "SeaweedFS") if s3 else ("folder",):
        for count in runs or [100, 1_000, 10_000]:
            with _store(place) as store:
                _fill(store, count)
                rows.append((place, f"{count:,}", *_measure(store, delete)))
    print_table("seconds", ("store", "runs", "`runs`", "`gc`, listing", "`gc --delete`, removing", "things"), rows)


def _measure(store: "ObjectStore", delete: bool) -> tuple[str, str, str, str]:
    from ctiforge.launcher.report import describe_runs
    from ctiforge.store.garbage import find_garbage, remove

    _, listed = _timed(lambda: describe_runs(store))
    found, looked = _timed(lambda: find_garbage(store, 20, datetime.now(UTC) + LATER))
    removed = _timed(lambda: remove(store, found, lambda *_: None))[1] if delete else None
    return f"{listed:.2f}", f"{looked:.2f}", "-" if removed is None else f"{removed:.2f}", f"{len(found):,}"


def _timed(call: Callable[[], Any]) -> tuple[Any, float]:
    started = time.perf_counter()
    return call(), time.perf_counter() - started


@contextmanager
def _store(place: str) -> Iterator["ObjectStore"]:
    from ctiforge.store.objects import open_store

    with tempfile.TemporaryDirectory() as folder:
        if place == "folder":
            yield open_store(folder)
            return
        from tests.integration.conftest import running_s3

        with running_s3(Path(folder)) as server:
            os.environ.update(server.environment())
            yield open_store(f"{server.make_bucket('bench')}/ctiforge")


def _fill(store: "ObjectStore", count: int) -> None:
    with ThreadPoolExecutor(8) as pool:
        for _ in pool.map(lambda number: _add_run(store, number), range(count)):
            pass


def _add_run(store: "ObjectStore", number: int) -> None:
    from ctiforge.records.run import RunRecord, StageRecord
    from ctiforge.store.artifacts import artifact_key
    from ctiforge.store.runs import save_run

    stages, before = [], None
    for stage in STAGES:
        manifest = _manifest(store, stage, number, before)
        folder = artifact_key(stage, manifest.fingerprint)
        store.write(f"{folder}/one/data.jsonl", b"x")
        store.write(f"{folder}/manifest.json", manifest.to_json().encode())
        before = f"{store.uri}/{folder}"
        stages.append(
            StageRecord(name=stage, program=stage, state="done", fingerprint=manifest.fingerprint, artifact=before)
        )
    started = BEGAN + timedelta(minutes=number)
    save_run(store, RunRecord(id=f"extract-{number}", line="extract", state="done", started_at=started, stages=stages))


def _manifest(store: "ObjectStore", stage: str, number: int, before: str | None) -> "Manifest":
    from ctiforge.records.artifact import FileEntry, InputEntry, Manifest

    content = sha256(f"{stage} {number}".encode()).hexdigest()
    return Manifest(
        stage=stage,
        version=1,
        fingerprint=content,
        attempt="one",
        files={"data.jsonl": FileEntry(1, content)},
        parameters={},
        inputs={"input": InputEntry(uri=before, content=content)} if before else {},
        packages={},
        python="3.11",
        summary={},
        started_at=BEGAN,
        seconds=1.0,
    )


if __name__ == "__main__":
    run_program(main)
