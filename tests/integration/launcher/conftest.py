"""Small programs that stand in for `jobs/`: they keep the contract of stages, and do next to nothing."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

STAGE = """
import inspect, json, os, sys, time
from pathlib import Path
from typing import Annotated
import typer
from ctiforge.program import run_program
from ctiforge.progress import Progress
from ctiforge.store.stages import Stage, StageFlags, run_stage
from ctiforge.errors import DataError, InterruptedRunError

NAME = Path(__file__).stem
READS_DATABASE = NAME in ("harvest_extract", "prepare_os")
STAGE = Stage(NAME, 1, keyed_by_output=READS_DATABASE)
CONTROL = Path(os.environ["CONTROL"])

def work(dirs):
    control = json.loads(CONTROL.read_text()).get(NAME, {})
    with (CONTROL.parent / "worked.txt").open("a") as file:
        print(NAME, file=file)
    print(f"{NAME} works")
    print("warning: of " + NAME, file=sys.stderr)
    print("noise of " + NAME, file=sys.stderr)
    if control.get("fails"):
        print("the last words", file=sys.stderr)
        raise DataError("too few examples")
    if control.get("waits"):
        (dirs.scratch / "checkpoint").write_text("step 3")
        print('{"event":"progress","stage":"x","done":3,"total":9,"eta_s":6.0,"metrics":{"loss":0.5}}',
              file=sys.stderr, flush=True)
        try:
            print(f"{NAME} waits")
            # in pieces: a signal that comes just before a sleep does not end it
            for _ in range(600):
                time.sleep(0.1)
        except SystemExit:
            raise InterruptedRunError("state saved") from None
    came_back = (dirs.scratch / "checkpoint").exists()
    seen = {name: sorted(p.name for p in path.iterdir()) if path.is_dir() else path.name
            for name, path in dirs.inputs.items()}
    database = os.environ.get("DATABASE_URL") if READS_DATABASE else None
    result = {"name": NAME, "seen": seen, "database": database, "argv": sys.argv[1:], "came_back": came_back}
    kept = {"rows": control.get("rows", 1)} if READS_DATABASE else result
    files = {"eval_extract": "evaluation.json", "eval_os_bert": "evaluation.json", "harvest_extract": "records.jsonl",
             "check_data": "check.json"}
    (dirs.out / files.get(NAME, "result.json")).write_text(json.dumps(kept))
    if NAME == "harvest_extract":
        (dirs.out / "report.json").write_text(json.dumps({"read": control.get("read", 10)}))
    (CONTROL.parent / f"{NAME}.result.json").write_text(json.dumps(result))
    return {}

def main(
    store: str = "", expect: str = None, plan: bool = False, model: str = None, input: str = None, data: str = None,
    test_data: str = None, training_data: str = None, baselines: str = None, base_model: str = None,
    max_length: int = 64, format: str = "", from_database: bool = False, epochs: int = 1,
    json_files: list[str] = [], records: str = None, constrained: bool = False,
) -> None:
    given = {"input": input, "data": data, "baselines": baselines, "records": records}
    given["model"] = model if model and "artifacts" in model else None
    inputs = {name: uri for name, uri in given.items() if uri}
    params = {"model": None if "model" in inputs else model, "max_length": max_length, "test": test_data,
              "epochs": epochs, "base_model": base_model, "constrained": constrained}
    run_stage(STAGE, params=params, inputs=inputs, output=None, flags=StageFlags(store, expect, plan), work=work)

if __name__ == "__main__":
    # the stand-in knows the flags that matter to it and passes over the others of the real program
    known = {"--" + name.replace("_", "-") for name in inspect.signature(main).parameters}
    sys.argv[1:] = [a for a in sys.argv[1:] if not a.startswith("--") or a.partition("=")[0] in known]
    run_program(main)
"""
COMPARE = """
import json
from ctiforge.program import run_program
from ctiforge.store.stages import Stage, StageFlags, run_stage

def main(evaluations: list[str], store: str = "", expect: str = None, plan: bool = False) -> None:
    def work(dirs):
        names = [json.loads((path / "evaluation.json").read_text())["argv"][0] for path in dirs.inputs.values()]
        for suffix in ("txt", "md"):
            (dirs.out / f"comparison.{suffix}").write_text("\\n".join([f"a table of {len(names)}", *names]))
        return {}
    inputs = {f"evaluation_{number}": uri for number, uri in enumerate(evaluations)}
    run_stage(Stage("compare", 1), params={}, inputs=inputs, output=None,
              flags=StageFlags(store, expect, plan), work=work)

if __name__ == "__main__":
    run_program(main)
"""
PROMOTE = """
import json, os, sys
from pathlib import Path
from ctiforge.errors import CtiforgeError
from ctiforge.program import run_program
from ctiforge.store.stages import Stage, StageFlags, run_stage

class NotPassedError(CtiforgeError):
    exit_code = 5

def main(line: str, model: str = "", evaluation: str = "", against: list[str] = [], store: str = "") -> None:
    reason = json.loads(Path(os.environ["CONTROL"]).read_text()).get("promote", {}).get("reason")
    def work(dirs):
        with (Path(os.environ["CONTROL"]).parent / "worked.txt").open("a") as file:
            print("promote", file=file)
        (dirs.out / "decision.json").write_text(json.dumps({"line": line, "model": model, "against": against}))
        (dirs.out / "decision.txt").write_text(f"the table of {line}")
        return {}
    run_stage(Stage("promote", 1, keyed_by_output=True), params={"line": line}, inputs={"evaluation": evaluation},
              output=None, flags=StageFlags(store), work=work)
    if reason:
        raise NotPassedError(reason)

if __name__ == "__main__":
    run_program(main)
"""
DEMO_DATABASE = """
import json, os, sys
from pathlib import Path
log = Path(os.environ["CONTROL"]).parent / "database.txt"
with log.open("a") as file:
    print(sys.argv[1], file=file)
if sys.argv[1] == "up":
    from ctiforge.store.objects import open_store
    for name in ("demo", "demo-os"):
        open_store(sys.argv[3]).write(f"testsets/{name}/1/testset.json", b"{}")
    print("starting", file=sys.stderr)
    answer = {"database_url": "postgresql://demo:s3cr3t@localhost/demo"}
    print(json.dumps(answer | {"test_set": "demo@1", "os_test_set": "demo-os@1"}))
"""


@dataclass
class World:
    """A working folder with the stand-ins, and what can be seen of them afterwards."""

    folder: Path
    environment: dict[str, str]

    def control(self, **programs: dict[str, object]) -> None:
        """Tell programs how to behave from now on."""
        (self.folder / "control.json").write_text(json.dumps(programs))

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        """Start `ctiforge` with these arguments."""
        return subprocess.Popen(
            [sys.executable, "-c", "from ctiforge.cli import main; main()", *arguments],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            # a shell's background job ignores Ctrl-C, and what it starts inherits that
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )

    def ctiforge(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run `ctiforge` with these arguments to its end."""
        process = self.start(*arguments)
        output, errors = process.communicate(timeout=300)
        return subprocess.CompletedProcess(arguments, process.returncode, output, errors)

    def worked(self) -> list[str]:
        """The programs that have worked since the last look, in order."""
        path = self.folder / "worked.txt"
        names = path.read_text().split() if path.exists() else []
        path.unlink(missing_ok=True)
        return names

    def result(self, program: str) -> dict[str, object]:
        """What the program saw when it worked last."""
        found: dict[str, object] = json.loads((self.folder / f"{program}.result.json").read_text())
        return found

    def database(self) -> list[str]:
        """What the demo database was told."""
        path = self.folder / "database.txt"
        return path.read_text().split() if path.exists() else []


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A fresh working folder with an empty store."""
    jobs = tmp_path / "programs"
    jobs.mkdir()
    extract = ("harvest_extract", "format_extract", "check_data", "train_extract", "eval_extract")
    for name in (*extract, "prepare_os", "train_os_bert", "baselines_os", "eval_os_bert"):
        (jobs / f"{name}.py").write_text(STAGE)
    (jobs / "compare.py").write_text(COMPARE)
    (jobs / "promote.py").write_text(PROMOTE)
    (jobs / "demo_database.py").write_text(DEMO_DATABASE)
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("CTIFORGE_", "DATABASE_URL"))}
    world = World(
        tmp_path,
        {
            **clean,
            "CTIFORGE_JOBS": str(jobs),
            "CTIFORGE_MODEL": "some/base",
            "CONTROL": str(tmp_path / "control.json"),
            "COLUMNS": "200",
        },
    )
    world.control()
    return world
