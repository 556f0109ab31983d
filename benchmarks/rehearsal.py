"""The whole loop at the size of life: database, labels, training, gate, promotion, export, serving, and back again.

Every step is a command that a person could give; what goes in and comes out of each is one row of the table.
"""

import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import psycopg2
import typer

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.rehearsal_client import ask, ask_all, differs, get
from benchmarks.rehearsal_places import ClusterPlace, LaptopPlace, RehearsalPlace, until
from benchmarks.rehearsal_rows import fill, insert
from ctiforge.demo.articles import DemoSizes, make_corpus
from ctiforge.demo.postgres import start_postgres, stop_postgres
from ctiforge.extract.evaluate import load_named
from ctiforge.pod.entry import run_program
from ctiforge.store.artifacts import fetch_named
from ctiforge.store.named_models import find_model_uri
from ctiforge.tables import markdown, table_of
from tests.huntable import stored_row

NEW_ARTICLES = 20


@dataclass
class Rehearsal:
    """Where it happens, and what came of each step."""

    work: Path
    place: RehearsalPlace
    rows: list[tuple[str, str, str, str]] = field(default_factory=list)

    def run(self, *arguments: str, code: int = 0) -> str:
        """Give a command of ctiforge; what it printed."""
        done = subprocess.run(
            [sys.executable, "-m", "ctiforge", *arguments],
            capture_output=True, text=True, cwd=self.work, env=self.place.environment, check=False,
        )  # fmt: skip
        if done.returncode != code:
            raise AssertionError(f"{' '.join(arguments)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        return done.stdout + done.stderr

    @contextmanager
    def joint(self, name: str, given: str) -> Iterator[list[str]]:
        """Time one joint; what comes out of it is what the block adds to the list."""
        print(f"… {name}", flush=True)
        started, out = time.monotonic(), list[str]()
        yield out
        self.rows.append((name, given, "; ".join(out), f"{time.monotonic() - started:,.0f}"))

    def artifact(self, run: str, stage: str) -> str:
        """Name the artifact of a run's stage."""
        record = json.loads(self.place.store.read(f"runs/{run}/run.json"))
        return next(str(each["artifact"]) for each in record["stages"] if each["name"] == stage)


def main(
    executions: Annotated[int, typer.Option(min=50, help="Executions in the application's database.")] = 500,
    epochs: Annotated[int, typer.Option(min=1, help="Of the second training.")] = 4,
    folder: Annotated[
        Path | None, typer.Option(help="Keep what was made here: a second rehearsal on this machine trains nothing.")
    ] = None,
    cluster: Annotated[
        bool, typer.Option("--cluster", help="On the development cluster (after kind-up), in a namespace of its own.")
    ] = False,
) -> None:
    """Go through the whole loop once, and print a row for each joint."""
    with tempfile.TemporaryDirectory(prefix="rehearsal-") as temporary:
        work = folder.absolute() if folder else Path(temporary)
        work.mkdir(parents=True, exist_ok=True)
        with ClusterPlace.made(work) if cluster else _one_machine(work) as place:
            rehearsal = Rehearsal(work, place)
            _rehearse(rehearsal, executions, epochs)
    print(f"on {place.name}:\n")
    titles = ("joint", "what went in", "what came out", "seconds")
    print(markdown([table_of(titles, rehearsal.rows, left=(0, 1, 2))]))


@contextmanager
def _one_machine(work: Path) -> Iterator[LaptopPlace]:
    for kept in (work / "store").glob("*"):
        if kept.is_dir() and kept.name != "artifacts":
            shutil.rmtree(kept)
    # the database's server is another user's where this is root's
    work.chmod(0o755)
    url = start_postgres(work / "postgres")
    try:
        yield LaptopPlace(work, url)
    finally:
        stop_postgres(work / "postgres")


def _rehearse(rehearsal: Rehearsal, executions: int, epochs: int) -> None:
    corpus = make_corpus(0)
    new = make_corpus(41, DemoSizes(1, 0, NEW_ARTICLES, 0, 0)).test
    _database(rehearsal, corpus.training[:executions])
    _labels(rehearsal, corpus)
    _first_night(rehearsal)
    _second_night(rehearsal, epochs)
    _night_with_nothing_new(rehearsal, epochs)
    with _serving(rehearsal) as server:
        _ask(rehearsal, server, new)
        _harvest_again(rehearsal, epochs)
        _roll_back(rehearsal, server, new[0])
        rehearsal.rows.append(("stop the server", "SIGTERM", rehearsal.place.stop_serving(), ""))


def _database(rehearsal: Rehearsal, records: Any) -> None:
    with rehearsal.joint("database", f"{len(records)} executions as the application writes them") as out:
        with closing(psycopg2.connect(rehearsal.place.database)) as connection:
            kinds = fill(connection, records)
            with connection, connection.cursor() as cursor:
                cursor.execute(
                    "SELECT avg(length(extraction_result::text)), count(*) FROM agentic_workflow_executions "
                    "WHERE extraction_result IS NOT NULL"
                )
                (size, _), *_ = cursor.fetchall()
        out.append(f"{float(size) / 1e6:.1f} MB a row")
        out += [f"{count} {kind}" for kind, count in sorted(kinds.items())]


def _labels(rehearsal: Rehearsal, corpus: Any) -> None:
    labeled = [each.model_copy(update={"annotator": "an analyst"}) for each in corpus.training[:30]]
    (rehearsal.work / "labeled.jsonl").write_text(_lines(labeled), encoding="utf-8")
    (rehearsal.work / "test.jsonl").write_text(_lines(corpus.test), encoding="utf-8")
    with rehearsal.joint("labels", f"{len(labeled)} articles of a person, {len(corpus.test)} of a test set") as out:
        out.append(_last_line(rehearsal.run("labels", "import", "labeled.jsonl", "--annotator", "an analyst")))
        imported = ("test.jsonl", "--name", "analysts", "--annotator", "another analyst")
        out.append(_last_line(rehearsal.run("testset", "import", *imported)))


def _first_night(rehearsal: Rehearsal) -> None:
    with rehearsal.joint("first night: harvest, format, check, train, evaluate", "one epoch") as out:
        rehearsal.run(*_night("first", 1))
        out += _harvested(rehearsal, "first")
        out.append(
            f"micro-F1 {_f1(rehearsal, 'first', 'eval_tuned')} (base {_f1(rehearsal, 'first', 'eval_base')}, "
            f"rules {_f1(rehearsal, 'first', 'eval_regex')})"
        )
    with rehearsal.joint("gate and promotion of a first version", "against the base model") as out:
        model, own, base = (rehearsal.artifact("first", name) for name in ("train_extract", "eval_tuned", "eval_base"))
        rehearsal.run("promote", "extract", "--model", model, "--evaluation", own, "--against", base)
        out.append(_in_use(rehearsal))


def _second_night(rehearsal: Rehearsal, epochs: int) -> None:
    with rehearsal.joint("second night: train, gate, promotion, export", f"{epochs} epochs, a champion") as out:
        # from now on each night ends with an export
        rehearsal.place.environment["CTIFORGE_EXPORT_FORMAT"] = "gguf"
        rehearsal.run(*_night("second", epochs), "--promote")
        out.append(
            f"micro-F1 {_f1(rehearsal, 'second', 'eval_tuned')} (champion {_f1(rehearsal, 'second', 'eval_in_use')})"
        )
        out.append(_in_use(rehearsal))
        exported = _made(rehearsal, "second", "export_model", "export.json")
        out += [f"exported as {each['file']}, {each['bytes'] / 1e6:.1f} MB" for each in exported["files"]]


def _night_with_nothing_new(rehearsal: Rehearsal, epochs: int) -> None:
    """Run again with every model's weights replaced by holes of the same size: whoever reads them would notice."""
    with rehearsal.joint("a night with nothing new", "weights replaced by holes") as out, _without_weights(rehearsal):
        said = rehearsal.run(*_night("third", epochs), "--promote")
        out.append(_ran(said))
        out.append("0 bytes of weights read")


@contextmanager
def _serving(rehearsal: Rehearsal) -> Iterator[str]:
    given = "models:extract@champion, profile huntable, an upstream for the rest"
    started, place = time.monotonic(), rehearsal.place
    with place.serving() as address:
        ready = until(lambda: get(f"{address}/readyz"))
        answered = [name for name, agent in ready["agents"].items() if agent["answered"]]
        out = f"{ready['model']} ready, answers {len(answered)} of {len(ready['agents'])} agents itself"
        rehearsal.rows.append(("serve", given, out, f"{time.monotonic() - started:,.0f}"))
        yield address


def _ask(rehearsal: Rehearsal, server: str, new: Any) -> None:
    with rehearsal.joint("the application asks", f"{len(new)} new articles, seven agents each") as out:
        rows = [stored_row(ask_all(server, record)) for record in new]
        found = sum(len(row["observables"]) for row in rows)
        with (
            closing(psycopg2.connect(rehearsal.place.database)) as connection,
            connection,
            connection.cursor() as cursor,
        ):
            models = {"agent_models": {"ExtractAgent": "ctiforge"}}
            for number, (record, row) in enumerate(zip(new, rows, strict=True)):
                fresh = record.model_copy(update={"url": f"https://new.invalid/{number}"})
                insert(cursor, fresh, "completed", row, models, 40_000 + number)
        out.append(f"{7 * len(new)} answers, {found} items, {len(rows)} rows stored")
    with rehearsal.joint("what is stored against a direct extraction", "our reader on the stored rows") as out:
        agent = load_named(find_model_uri("models:extract@champion", rehearsal.place.store.uri))
        direct = [agent.extract(record.content) for record in new]
        apart = [differs(row, each.observables) for row, each in zip(rows, direct, strict=True)]
        out.append(f"{sum(not each for each in apart)} of {len(new)} articles the same, {sum(apart)} values differ")
        assert not any(apart), apart


def _harvest_again(rehearsal: Rehearsal, epochs: int) -> None:
    before = rehearsal.artifact("second", "harvest_extract")
    with rehearsal.joint("the next night", "the database with the model's own answers in it") as out:
        with _without_weights(rehearsal):
            said = rehearsal.run(*_night("fourth", epochs), "--promote")
        after = rehearsal.artifact("fourth", "harvest_extract")
        same = _bytes(before, "records.jsonl") == _bytes(after, "records.jsonl")
        learnt = "no answer of its own is learnt" if same else "OTHER RECORDS THAN BEFORE"
        out += [learnt, _ran(said)]
        assert same


def _roll_back(rehearsal: Rehearsal, server: str, record: Any) -> None:
    with rehearsal.joint("rollback", "version 2 is in use, and serves") as out:
        rehearsal.run("rollback", "extract", "--why", "rehearsal")
        until(lambda: get(f"{server}/v1/models")["data"][0]["id"].endswith("@1"))
        answer = json.loads(ask(server, "CmdlineExtract", record.content))
        by = {each["model_version"] for each in answer["cmdline_items"]} or {"nothing found"}
        out.append(f"{_in_use(rehearsal)}; answers come from {', '.join(sorted(by))}")


def _night(run: str, epochs: int) -> list[str]:
    return [
        "run", "extract", "--from-database", "--model", "demo", "--test-set", "analysts", "--run-id", run,
        "--set", f"train_extract.epochs={epochs}",
    ]  # fmt: skip


@contextmanager
def _without_weights(rehearsal: Rehearsal) -> Iterator[None]:
    """Put zeros of the same size in the place of all weights of the store: whoever reads them notices."""
    store = rehearsal.place.store
    weights = {info.key: store.read(info.key) for info in store.list("artifacts") if info.key.endswith(".safetensors")}
    try:
        for key, data in weights.items():
            store.write(key, bytes(len(data)))
        yield
    finally:
        for key, data in weights.items():
            store.write(key, data)


def _harvested(rehearsal: Rehearsal, run: str) -> list[str]:
    report = _made(rehearsal, run, "harvest_extract", "report.json")
    formatted = _made(rehearsal, run, "format_extract", "format.json")
    return [f"{report['kept']} of {report['read']} kept", f"{formatted['report']['examples']} examples"]


def _made(rehearsal: Rehearsal, run: str, stage: str, name: str) -> Any:
    """Read a JSON file that a run's stage made."""
    return json.loads(_bytes(rehearsal.artifact(run, stage), name))


def _bytes(artifact: str, name: str) -> bytes:
    with tempfile.TemporaryDirectory() as scratch:
        return fetch_named(artifact, name, Path(scratch)).read_bytes()


def _f1(rehearsal: Rehearsal, run: str, stage: str) -> str:
    found = _made(rehearsal, run, stage, "evaluation.json")
    return f"{found['metrics']['micro_f1']['value']:.3f}"


def _in_use(rehearsal: Rehearsal) -> str:
    champion = json.loads(rehearsal.place.store.read("models/extract/champion.json"))
    return f"version {champion['version']} in use ({champion['history'][-1]['what']})"


def _ran(said: str) -> str:
    """Say which stages were done anew."""
    stages = re.findall(r"^(\w+): (started|cached|done)", said, re.M)
    anew = sorted({name for name, state in stages if state == "started"})
    return f"ran anew: {', '.join(anew) or 'nothing'}"


def _lines(records: Any) -> str:
    return "".join(each.model_dump_json() + "\n" for each in records)


def _last_line(said: str) -> str:
    return said.strip().splitlines()[-1]


if __name__ == "__main__":
    run_program(main)
