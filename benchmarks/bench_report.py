"""The size of a run's report, and how long it takes to make it and to load it in a headless Chromium."""

import statistics
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from browser import CHROMIUM, Page, chromium
from ctiforge.pod.entry import run_program
from ctiforge.programs.flags import StoreFlag

ROOT = Path(__file__).parents[1]
_TIMING = """(() => {
  const [at] = performance.getEntriesByType("navigation");
  const painted = performance.getEntriesByName("first-contentful-paint")[0];
  return {loaded: at.loadEventEnd, painted: painted ? painted.startTime : null};
})()"""


def main(
    run: Annotated[str | None, typer.Argument(help="A run's id, or its beginning; default: the newest.")] = None,
    store: StoreFlag = None,
    loads: Annotated[int, typer.Option(min=1, help="Loads of the page; the median is printed.")] = 9,
) -> None:
    """Make the report, load it several times, and print bytes and milliseconds."""
    from ctiforge.errors import UsageError
    from ctiforge.tables import print_table

    if not CHROMIUM:
        raise UsageError("there is no Chromium on this machine: install it (Debian: apt-get install chromium)")
    with TemporaryDirectory() as folder, chromium() as browser:
        page = Path(folder) / "report.html"
        started = time.perf_counter()
        arguments = [*([run] if run else []), *(["--store", store] if store else []), "--output", str(page)]
        subprocess.run([sys.executable, str(ROOT / "jobs/report.py"), *arguments], check=True, stdout=sys.stderr)
        made = time.perf_counter() - started
        timings = [_load(browser, page) for _ in range(loads)]
        size = page.stat().st_size
        asked = sorted(set(browser.asked) - {page.as_uri()})
    loaded, painted = ([timing[name] for timing in timings if timing[name] is not None] for name in timings[0])
    rows = [
        ("size of the file", f"{size / 1e3:,.0f} KB"),
        ("making it, whole program", f"{made:.1f} s"),
        ("loaded (load event)", _spread(loaded)),
        ("first text painted", _spread(painted)),
        ("requests besides the file", str(len(asked))),
        ("messages on the console", str(len(browser.said))),
    ]
    print_table(f"report, {loads} loads", ("", "median (least, most)"), rows)


def _load(browser: Page, page: Path) -> dict[str, float | None]:
    """Milliseconds from the start of one load: until its load event is over, and until text is painted."""
    browser.open(page)
    timing: dict[str, float | None] = browser.run(f"new Promise((done) => setTimeout(() => done({_TIMING}), 200))")
    return timing


def _spread(milliseconds: list[float | None]) -> str:
    known = [each for each in milliseconds if each is not None]
    if not known:
        return "n/a"
    return f"{statistics.median(known):.0f} ms ({min(known):.0f}, {max(known):.0f})"


if __name__ == "__main__":
    run_program(main)
