"""Capture what a finished run of the Extract Agent's line shows: pictures, and text for the quickstart.

usage: python docs/pictures/capture.py [flags of `ctiforge run extract`]     in the folder that the run was made in

Writes terminal.svg (the run again, on a terminal), report.png (the report's first screen), and into docs/output the
plan, the test sets, the format stage's table and the comparison.
"""

import base64
import contextlib
import io
import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Sequence
from itertools import takewhile
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.text import Text

from ctiforge.data.testsets import load_testset
from ctiforge.errors import UsageError
from ctiforge.pod.entry import exit_on_error
from ctiforge.programs.format_extract import print_report
from ctiforge.settings import load_settings
from ctiforge.store.artifacts import fetch, read_manifest
from ctiforge.store.objects import open_store
from ctiforge.store.runs import RunRecord, load_run

HERE = Path(__file__).parent
OUTPUT = HERE.parent / "output"
sys.path.append(str(HERE.parents[1] / "benchmarks"))
from browser import CHROMIUM, chromium  # noqa: E402

COLUMNS, ROWS = 92, 40
COMMAND = [sys.executable, "-m", "ctiforge"]
BAR = re.compile(r". [a-z_]+ +━")
"""A stage's mark, its name and its bar, colors left out."""
CONTROL = re.compile(r"\x1b\[([\d;]*)([A-HJKSTfhlm])|\x1b\[\?\d+[hl]|\r")


def main(flags: Sequence[str]) -> None:
    """Write every capture."""
    if not CHROMIUM:
        raise UsageError("there is no Chromium on this machine: install it (Debian: apt-get install chromium)")
    OUTPUT.mkdir(exist_ok=True)
    store = load_settings().settings.store
    (OUTPUT / "command.txt").write_text(f"{shown(flags)}\n", encoding="utf-8")
    capture_plan(flags)
    capture_test_sets()
    capture_terminal(flags, store)
    run = load_run(open_store(store))
    capture_format(run)
    capture_comparison(run)
    capture_report(store)
    capture_extract(run, store)


def capture_plan(flags: Sequence[str]) -> None:
    """The plan of a first run, in an empty store."""
    with TemporaryDirectory() as empty:
        command = [*COMMAND, "run", "extract", "--dry-run", "--store", empty, *flags]
        text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        (OUTPUT / "plan.txt").write_text(text.replace(empty, ".ctiforge/store"), encoding="utf-8")


def shown(flags: Sequence[str]) -> str:
    """The command that is captured, as a person types it."""
    return " ".join(["ctiforge run extract", *flags])


def capture_test_sets() -> None:
    """The test sets of the store."""
    command = [*COMMAND, "testset", "list"]
    said = subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ, "COLUMNS": "110"})
    (OUTPUT / "testsets.txt").write_text(trimmed(said.stdout), encoding="utf-8")


def capture_terminal(flags: Sequence[str], store: str) -> None:
    """The same run started again on a terminal: its plan, its bars, and how it ends; all is cached but the harvest."""
    said = run_on_terminal([*COMMAND, "run", "extract", *flags]).replace(str(Path(store).absolute()), store)
    lines = screen(said)
    first = next(number for number, line in enumerate(lines) if line.startswith("run extract-"))
    plan = [lines[first], *takewhile(lambda line: line.startswith("  "), lines[first + 1 :])]
    bars = [line for line in lines if "━━" in line and BAR.match(CONTROL.sub("", line))]
    end = [line for line in lines if line.startswith("run extract-") and " is done" in line]
    kept = [f"$ {shown(flags)}", *plan, "…", *bars, "…", *end]
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True)
    console.print(Text.from_ansi("\n".join(line.rstrip() for line in kept)))
    picture = console.export_svg(title="ctiforge", unique_id="terminal")
    # fonts from elsewhere would be a request of whoever looks at it
    picture = re.sub(r"@font-face \{.*?\}\s*", "", picture, flags=re.DOTALL)
    (HERE / "terminal.svg").write_text(picture, encoding="utf-8")


def capture_format(run: RunRecord) -> None:
    """The format stage's table, from its artifact."""
    manifest = read_manifest(open_store(artifact(run, "format_extract")))
    assert manifest
    with contextlib.redirect_stdout(io.StringIO()) as said:
        print_report(manifest.summary)
    (OUTPUT / "format.txt").write_text(trimmed(said.getvalue()), encoding="utf-8")


def capture_comparison(run: RunRecord) -> None:
    """The new model beside the rules: the figures for all items and for each type."""
    with TemporaryDirectory() as folder:
        text = fetch(f"{artifact(run, 'compare_extract')}/comparison.txt", Path(folder)).read_text(encoding="utf-8")
    last = re.split(r"\n(?=\S.* \(before\) against )", text)[-1]
    rows = last.split("F1, values not in training")[0]
    notes = last[last.index("Rows named after items") :]
    (OUTPUT / "comparison.txt").write_text(f"{trimmed(rows)}  …\n\n{trimmed(notes)}", encoding="utf-8")


def capture_report(store: str) -> None:
    """The first screen of the newest run's report, in a headless Chromium."""
    with TemporaryDirectory() as folder, chromium() as browser:
        page = Path(folder) / "report.html"
        subprocess.run([*COMMAND, "report", "--store", store, "--output", str(page)], check=True)
        browser.open(page, width=1200)
        answer = browser.send("Page.captureScreenshot", format="png")
        (HERE / "report.png").write_bytes(base64.b64decode(answer["data"]))


def capture_extract(run: RunRecord, store: str) -> None:
    """A short article of the test set, and what the run's model finds in it."""
    _, articles = load_testset(open_store(store), "demo")
    article = min((each for each in articles if len(each.observables) > 1), key=lambda each: len(each.content))
    (OUTPUT / "article.txt").write_text(f"{article.content.strip()}\n", encoding="utf-8")
    command = [*COMMAND, "extract", str(OUTPUT / "article.txt"), "--model", artifact(run, "train_extract")]
    found = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    (OUTPUT / "extract.json").write_text(f"{json.dumps(found, indent=2, ensure_ascii=False)}\n", encoding="utf-8")


def artifact(run: RunRecord, name: str) -> str:
    """Where the artifact of a stage lies."""
    return next(str(stage.artifact) for stage in run.stages if stage.name == name)


def run_on_terminal(command: Sequence[str]) -> str:
    """What the command writes on a terminal, control sequences included."""
    terminal, end = pty.openpty()
    size = {"COLUMNS": str(COLUMNS), "LINES": str(ROWS), "TERM": "xterm-256color"}
    with subprocess.Popen(command, stdin=end, stdout=end, stderr=end, env={**os.environ, **size}) as process:
        os.close(end)
        try:
            said = b"".join(iter(lambda: _read(terminal), b""))
        except BaseException:
            # nobody reads on: it would wait for that for ever
            process.terminate()
            raise
    os.close(terminal)
    if process.returncode:
        raise UsageError(f"{' '.join(command)} ended with exit code {process.returncode}: see what it says by hand")
    return said.decode()


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:
        # Linux says so that the other end is closed
        return b""


def screen(said: str) -> list[str]:
    """The lines that stay on a terminal, colors left in: bars are drawn over themselves, line by line."""
    lines, row = [""], 0
    for number, line in enumerate(said.split("\n")):
        if number:
            row += 1
            lines += [""] * (row + 1 - len(lines))
        rest = line
        while found := CONTROL.search(rest):
            lines[row] += rest[: found.start()]
            rest = rest[found.end() :]
            if found[2] == "A":
                row = max(0, row - int(found[1] or 1))
            elif found[2] == "K":
                lines[row] = ""
            elif found[2] == "m":
                lines[row] += found[0]
        lines[row] += rest
    return lines


def trimmed(text: str) -> str:
    """The text without empty columns at the right and without empty lines around it."""
    return "\n".join(line.rstrip() for line in text.splitlines()).strip("\n") + "\n"


if __name__ == "__main__":
    exit_on_error(lambda: main(sys.argv[1:]))
