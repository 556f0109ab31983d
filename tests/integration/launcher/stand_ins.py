"""Programs that stand in for those of the package: they keep the contract of stages, and do next to nothing.

`python -m tests.integration.launcher.stand_ins PROGRAM ARGS…` runs one in a process of its own.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from ctiforge.errors import CtiforgeError, DataError, ExitCode, InterruptedRunError, UsageError
from ctiforge.launcher import local
from ctiforge.pod.entry import run_program
from ctiforge.programs.plan import answer
from ctiforge.store.objects import open_store
from ctiforge.store.stages import Stage, StageDirs, StageFlags, run_stage
from tests import making

READ_DATABASE = ("harvest_extract", "prepare_os")
FILES = {
    "eval_extract": "evaluation.json",
    "eval_os_bert": "evaluation.json",
    "harvest_extract": "records.jsonl",
    "check_data": "check.json",
    "export_model": "export.json",
}
InputFlag = Annotated[str | None, typer.Option("--input")]
FormatFlag = Annotated[str, typer.Option("--format")]
SWEPT = "swept"
"""What the control names when the training is one whose flags a sweep tries."""


def program_of(name: str, arguments: Sequence[str]) -> Callable[..., None]:
    """The function that stands in for the program, which remembers with which arguments."""
    special: dict[str, Callable[..., None]] = {"compare": compare, "promote": promote, "demo_database": demo_database}
    if name == "train_extract" and SWEPT in _control():
        return train
    return special.get(name) or _stage(name, arguments)


def run(name: str, arguments: Sequence[str]) -> None:
    """Run one and exit, as a program does."""
    program = program_of(name, arguments)
    run_program(program, known(program, arguments))


def known(program: Callable[..., None], arguments: Sequence[str]) -> list[str]:
    """The arguments that the stand-in has; it passes over the other flags of the real program."""
    if program is train:
        return list(arguments)
    app = typer.Typer()
    app.command()(program)
    flags = {flag for parameter in typer.main.get_command(app).params for flag in parameter.opts}
    return [each for each in arguments if not each.startswith("--") or each.partition("=")[0] in flags]


def command_of(program: str, arguments: Sequence[str]) -> list[str]:
    """The command line that starts one in a process of its own."""
    return [sys.executable, "-m", __spec__.name if __name__ == "__main__" else __name__, program, *arguments]


def answer_plans() -> None:
    """Answer on standard output what the programs asked about on standard input would make."""
    for line in sys.stdin:
        asked = json.loads(line)
        if asked.get("estimate"):
            print(json.dumps({"lines": [f"memory of {asked['program']}"]}), flush=True)
            continue
        if asked["flags_only"]:  # the stand-ins take any
            print(json.dumps({"fingerprint": None, "cached": False}), flush=True)
            continue
        program = program_of(asked["program"], asked["arguments"])
        print(json.dumps(answer(program, known(program, asked["arguments"]))), flush=True)


def start_ctiforge(arguments: Sequence[str]) -> None:
    """Be the command `ctiforge`, whose programs are these, each in a process of its own."""
    local.LocalBackend = partial(local.LocalBackend, command_of)  # type: ignore[misc, assignment]
    from ctiforge.cli import main

    sys.argv[1:] = arguments
    main()


def _stage(name: str, arguments: Sequence[str]) -> Callable[..., None]:
    reads_database = name in READ_DATABASE

    def main(
        store: str = "",
        expect: str | None = None,
        plan: bool = False,
        model: str | None = None,
        source: InputFlag = None,
        data: str | None = None,
        test_data: str | None = None,
        training_data: str | None = None,
        baselines: str | None = None,
        base_model: str | None = None,
        max_length: int = 64,
        text_format: FormatFlag = "",
        from_database: bool = False,
        epochs: int = 1,
        json_files: list[str] | None = None,
        records: str | None = None,
        constrained: bool = False,
    ) -> None:
        named = {"input": source, "data": data, "baselines": baselines, "records": records}
        named["model"] = model if model and "artifacts" in model else None
        inputs = {key: uri for key, uri in named.items() if uri}
        run_stage(
            Stage(name, 1, keyed_by_output=reads_database),
            params={
                "model": None if "model" in inputs else model, "max_length": max_length, "test": test_data,
                "epochs": epochs, "base_model": base_model, "constrained": constrained,
            },
            inputs=inputs,
            output=None,
            flags=StageFlags(store, expect, plan),
            work=lambda dirs: _work(name, dirs, list(arguments)),
        )  # fmt: skip

    return main


def _work(name: str, dirs: StageDirs, argv: list[str]) -> dict[str, Any]:
    control = _control().get(name, {})
    _note_work(name)
    print(f"{name} works")
    print("warning: of " + name, file=sys.stderr)
    print("noise of " + name, file=sys.stderr)
    if control.get("fails"):
        print("the last words", file=sys.stderr)
        raise DataError("too few examples")
    if reason := control.get("refused"):
        raise NotPassedError(reason)
    if control.get("waits"):
        (dirs.scratch / "checkpoint").write_text("step 3")
        progress = {"event": "progress", "stage": "x", "done": 3, "total": 9, "eta_s": 6.0, "metrics": {"loss": 0.5}}
        print(json.dumps(progress, separators=(",", ":")), file=sys.stderr, flush=True)
        _wait(f"{name} waits")
    seen = {
        key: sorted(each.name for each in path.iterdir()) if path.is_dir() else path.name
        for key, path in dirs.inputs.items()
    }
    result = {
        "name": name,
        "seen": seen,
        "database": os.environ.get("DATABASE_URL") if name in READ_DATABASE else None,
        "argv": argv,
        "came_back": (dirs.scratch / "checkpoint").exists(),
    }
    kept = {"rows": control.get("rows", 1)} if name in READ_DATABASE else result
    (dirs.out / FILES.get(name, "result.json")).write_text(json.dumps(kept))
    if name == "harvest_extract":
        (dirs.out / "report.json").write_text(json.dumps({"read": control.get("read", 10)}))
    (_folder() / f"{name}.result.json").write_text(json.dumps(result))
    return {}


def train(
    data: str = "",
    model: str | None = None,
    text_format: FormatFlag = "",
    epochs: float = 1,
    learning_rate: float = 1e-3,
    pooling: str = "mean",
    store: str = "",
    expect: str | None = None,
    plan: bool = False,
) -> None:
    """A training that refuses flags that it does not know, and leaves a validation loss."""
    if pooling not in ("mean", "max"):
        raise UsageError(f"--pooling {pooling}: give mean or max")

    def work(dirs: StageDirs) -> dict[str, Any]:
        control = _control().get("train_extract", {})
        _note_work(f"train:{learning_rate}:{epochs:g}")
        if learning_rate in control.get("fails", []):
            raise DataError("too few examples")
        if learning_rate in control.get("crashes", []):
            raise SystemExit(137)
        if learning_rate in control.get("told_to_end", []):
            raise InterruptedRunError("state saved")
        if learning_rate in control.get("waits", []):
            _wait("the point waits")
        loss = None if control.get("no_loss") else learning_rate * 1000 + 1 / epochs
        found = making.training(best_validation_loss=loss, best_step=7, seconds=61.4, pooling=pooling)
        (dirs.out / "training_metadata.json").write_text(json.dumps(found))
        return {}

    run_stage(
        Stage("train_extract", 1),
        params={"model": model, "epochs": epochs, "learning_rate": learning_rate, "pooling": pooling},
        inputs={"data": data},
        output=None,
        flags=StageFlags(store, expect, plan),
        work=work,
    )


def compare(evaluations: list[str], store: str = "", expect: str | None = None, plan: bool = False) -> None:
    """Writes a table that only counts."""

    def work(dirs: StageDirs) -> dict[str, Any]:
        names = [json.loads((path / "evaluation.json").read_text())["argv"][0] for path in dirs.inputs.values()]
        for suffix in ("txt", "md"):
            (dirs.out / f"comparison.{suffix}").write_text("\n".join([f"a table of {len(names)}", *names]))
        return {}

    run_stage(
        Stage("compare", 1),
        params={},
        inputs={f"evaluation_{number}": uri for number, uri in enumerate(evaluations)},
        output=None,
        flags=StageFlags(store, expect, plan),
        work=work,
    )


class NotPassedError(CtiforgeError):
    """The gate's answer."""

    exit_code = ExitCode.GATE


def promote(
    line: str, model: str = "", evaluation: str = "", against: list[str] | None = None, store: str = ""
) -> None:
    """Decides as the control says."""
    reason = _control().get("promote", {}).get("reason")

    def work(dirs: StageDirs) -> dict[str, Any]:
        _note_work("promote")
        (dirs.out / "decision.json").write_text(json.dumps({"line": line, "model": model, "against": against or []}))
        (dirs.out / "decision.txt").write_text(f"the table of {line}")
        return {}

    run_stage(
        Stage("promote", 1, keyed_by_output=True),
        params={"line": line},
        inputs={"evaluation": evaluation},
        output=None,
        flags=StageFlags(store),
        work=work,
    )
    if reason:
        raise NotPassedError(reason)


def demo_database(what: str, store: str = "") -> None:
    """Says where a database would be."""
    with (_folder() / "database.txt").open("a") as file:
        print(what, file=file)
    if what == "up":
        for name in ("demo", "demo-os"):
            open_store(store).write(f"testsets/{name}/1/testset.json", b"{}")
        print("starting", file=sys.stderr)
        where = {"database_url": "postgresql://demo:s3cr3t@localhost/demo"}
        print(json.dumps(where | {"test_set": "demo@1", "os_test_set": "demo-os@1"}))


def _wait(says: str) -> None:
    print(says, flush=True)
    try:
        # in pieces: a signal that comes just before a sleep does not end it
        for _ in range(600):
            time.sleep(0.1)
    except SystemExit:
        raise InterruptedRunError("state saved") from None


def _note_work(name: str) -> None:
    with (_folder() / "worked.txt").open("a") as file:
        print(name, file=file)


def _control() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(Path(os.environ["CONTROL"]).read_text())
    return found


def _folder() -> Path:
    return Path(os.environ["CONTROL"]).parent


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["plan"]:
            answer_plans()
        case ["ctiforge", *rest]:
            start_ctiforge(rest)
        case [name, *rest]:
            run(name, rest)
