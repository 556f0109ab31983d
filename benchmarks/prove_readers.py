"""Fuzz of what reads stored results: nothing makes it raise, and no bad row costs a good one.

Each round writes a result file of executions: shapes of every generation, cut, nested, mixed and filled with what no
application should write (NUL, half a character, huge numbers, 10,000 items, results of megabytes), and between them
good ones. The harvest of the file has to end with every good row in it.
"""

import json
import random
import tempfile
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from ctiforge.data.json_files import JsonProblems, read_json_files
from ctiforge.demo.executions import GENERATIONS, extraction_result
from ctiforge.extract.harvest.harvest import HarvestOptions, harvest
from ctiforge.pod.entry import run_program
from ctiforge.records.article import ArticleRecord, read_records
from ctiforge.records.observable import TYPES, Observable

_TEXTS = (
    "",
    "x",
    "\x00",
    "\ud800",
    "\u202e",
    "{'a': 1}",
    "a.exe -> b.exe -> c.exe",
    "skipped",
    "N/A",
    "9" * 400,
    "é" * 99,
)
_KEYS = (
    *("observables", "subresults", "items", "raw", "status", "error", "value", "type", "original_data", "platform"),
    *("platform_confidence", "_llm_messages", "content", "role", "count", "queries", "key", "value_name", "parent"),
    *("behavioral_observables", "detection_queries", "config_snapshot", "agent_models", "eval_run", "model_version"),
    *TYPES,
)


def main(
    minutes: Annotated[float, typer.Option(help="How long.")] = 5,
    seed: Annotated[int, typer.Option(help="Chooses everything.")] = 0,
) -> None:
    """Fuzz until the time is up; the seed of a round that fails is printed."""
    ends, rounds, rows = time.monotonic() + 60 * minutes, 0, 0
    while time.monotonic() < ends:
        try:
            rows += _round(random.Random(seed + rounds))
        except BaseException:
            print(f"failed: --seed {seed + rounds}")
            raise
        rounds += 1
    print(f"{rounds} files, {rows:,} bad rows, no traceback, no good row lost")
    print(time.strftime("measured %Y-%m-%d"))


def _round(rng: random.Random) -> int:
    good = dict(_good(rng, number) for number in range(1_000_000, 1_000_005))
    bad = [_bad(rng, number) for number in range(40)]
    entries = [*bad, *(entry for entry, _ in good.values())]
    rng.shuffle(entries)
    with tempfile.TemporaryDirectory(prefix="prove-readers-") as folder:
        path = Path(folder) / "results.json"
        # half characters are written as escapes, as other programs write them
        path.write_text(json.dumps(entries), encoding="utf-8")
        problems = JsonProblems()
        harvest(read_json_files([path], problems), [], [], HarvestOptions(negative_ratio=0.9), path.parent, path.parent)
        kept = {record.id: record for record in read_records(path.parent / "records.jsonl")}
    assert not problems.files, problems.files
    for id_, (_, wanted) in good.items():
        assert id_ in kept, f"{id_} is lost"
        assert wanted in {o.value for o in kept[id_].observables}, f"{id_} lost {wanted}"
    return len(bad)


def _good(rng: random.Random, number: int) -> tuple[str, tuple[dict[str, Any], str]]:
    """Make an article's id, its entry in the file, and the value that has to be read in it."""
    words = " ".join(f"w{rng.random():.9f}" for _ in range(150))
    value = f"tool{rng.randrange(10**9)}.exe /run {number}"
    record = ArticleRecord(
        id=str(number),
        content=f"{words} {value}",
        content_hash="",
        observables=(Observable(type="cmdline", value=value, platform="Windows"),),
        labelled_types=TYPES,
    )
    result = extraction_result(record, rng.choice(GENERATIONS), None)
    return record.id, ({"article_id": number, "content": record.content, "extraction_result": result}, value)


def _bad(rng: random.Random, number: int) -> Any:
    if rng.random() < 0.1:
        return _value(rng, 3)
    entry = {"article_id": number, "content": f"text {rng.random()} " * rng.randrange(1, 60)}
    if rng.random() < 0.02:
        entry["extraction_result"] = {"observables": [{"type": "cmdline", "value": f"v{n}"} for n in range(10_000)]}
        return entry
    if rng.random() < 0.02:
        entry["extraction_result"] = {"observables": [], "raw_response": "x" * 5_000_000}
        return entry
    entry["extraction_result"] = {rng.choice(_KEYS): _value(rng, 5) for _ in range(rng.randrange(5))}
    entry |= {key: _value(rng, 3) for key in rng.sample(_KEYS, rng.randrange(3))}
    return entry


def _value(rng: random.Random, depth: int) -> Any:
    kind = rng.randrange(9 if depth else 6)
    if kind < 6:
        scalars = (None, rng.random() < 0.5, rng.randrange(-(10**30), 10**30), 1e308 * 10, rng.random())
        return rng.choice((*scalars, rng.choice(_TEXTS)))
    if kind == 6:
        return [_value(rng, depth - 1) for _ in range(rng.randrange(5))]
    return {rng.choice((*_KEYS, *_TEXTS)): _value(rng, depth - 1) for _ in range(rng.randrange(6))}


if __name__ == "__main__":
    run_program(main)
