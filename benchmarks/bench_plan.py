"""Bytes of weights that planning reads: on a first night with a base model in S3, and on one with nothing new."""

import os
import sys
import tempfile
import time
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer

from ctiforge.pod.entry import run_program

ROOT = Path(__file__).parents[1]
WEIGHTS = "model.safetensors"


def main(megabytes: Annotated[int, typer.Option(min=2, help="Size of the base's weights.")] = 200) -> None:
    """Ask five stages what they would make, twice, and count what was read of a base on a real S3 server."""
    sys.path.insert(0, str(ROOT))
    from ctiforge.store import hashes
    from ctiforge.tables import print_table
    from tests.integration.conftest import running_s3

    rows = []
    with tempfile.TemporaryDirectory() as work, tempfile.TemporaryDirectory() as served, running_s3(Path(served)) as s3:
        os.environ.update(s3.environment())
        bucket = s3.make_bucket("bench")
        base = _make_base(f"{bucket}/base", Path(work), megabytes)
        read = _count()
        for night in ("first night", "nothing new"):
            # another night is another process
            hashes._seen.clear()
            read.clear()
            started = time.perf_counter()
            _plan(base, f"{bucket}/store", Path(work))
            rows.append((night, f"{sum(read):,}", f"{time.perf_counter() - started:.1f} s"))
    print_table(
        f"five stages planned with weights of {megabytes << 20:,} bytes in S3", ("", "bytes read", "took"), rows
    )


def _make_base(uri: str, work: Path, megabytes: int) -> str:
    from ctiforge.store.objects import open_store
    from ctiforge.training.encoding import resolve_model

    store = open_store(uri)
    for file in Path(resolve_model("demo")).iterdir():
        if file.name != WEIGHTS:
            store.upload(file, file.name)
    weights = work / WEIGHTS
    weights.write_bytes(os.urandom(megabytes << 20))
    store.upload(weights, WEIGHTS)
    return store.uri


def _count() -> list[int]:
    """From now on, the bytes of every read of weights."""
    from ctiforge.store import transfers

    sizes: list[int] = []
    hash_object = transfers.hash_object

    def counted(backend: Any, key: str) -> Any:
        entry, tag = hash_object(backend, key)
        sizes.append(entry.size if key.endswith(WEIGHTS) else 0)
        return entry, tag

    transfers.hash_object = counted
    return sizes


def _plan(base: str, store: str, work: Path) -> None:
    from ctiforge.programs.plan import answer

    records, data = work / "records.jsonl", work / "data"
    records.write_text("{}\n")
    data.mkdir(exist_ok=True)
    (data / "train.jsonl").write_text("{}\n")
    commands = {
        "format_extract": [f"--input={records}"],
        "check_data": [f"--records={records}", f"--data={data}"],
        "train_extract": [f"--data={data}"],
        "eval_extract": [f"--test-data={records}"],
        "export_model": [],
    }
    for program, arguments in commands.items():
        main = import_module(f"ctiforge.programs.{program}").main
        said = answer(main, [*arguments, f"--model={base}", f"--store={store}"])
        assert "fingerprint" in said, said


if __name__ == "__main__":
    run_program(main)
