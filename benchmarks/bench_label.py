"""How long labeling takes against a slow endpoint, and what a run that is killed half-way costs."""

import random
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ctiforge.pod.entry import run_program

ROOT = Path(__file__).parents[1]
if TYPE_CHECKING:
    from tests.integration.endpoint import Asked, Endpoint, Reply

CHILD = (
    "import sys; from benchmarks.bench_label import label_all; label_all(sys.argv[1], sys.argv[2], 8, int(sys.argv[3]))"
)
TEXT = "The loader runs schtasks, writes to HKCU\\Software and starts a copy of itself. " * 90


def main(
    articles: Annotated[int, typer.Option(min=2, help="Synthetic articles of 7,000 characters.")] = 200,
    delay: Annotated[float, typer.Option(help="Seconds until the endpoint answers.")] = 0.3,
    runs: Annotated[int, typer.Option(min=1, help="Runs at concurrency 8; the median is printed.")] = 3,
    kills: Annotated[int, typer.Option(min=1, help="Runs that each signal ends, at a random moment.")] = 5,
    seed: int = 0,
) -> None:
    """Label at concurrency 8 and at 1; then kill half-way, go on, and count what the endpoint was asked."""
    sys.path.insert(0, str(ROOT))
    from ctiforge.tables import print_table

    eight = sorted(_timed(articles, delay, 8) for _ in range(runs))
    one = _timed(articles, delay, 1)
    median = statistics.median(eight)
    print_table(
        f"{articles} articles, an endpoint that answers after {delay * 1000:.0f} ms",
        ("concurrency", "runs", "median", "least", "most", "articles/s"),
        [
            (8, runs, f"{median:.1f} s", f"{eight[0]:.1f} s", f"{eight[-1]:.1f} s", f"{articles / median:.1f}"),
            (1, 1, f"{one:.1f} s", f"{one:.1f} s", f"{one:.1f} s", f"{articles / one:.1f}"),
        ],
    )
    print_table(
        f"killed half-way, then the same again, at concurrency 8; {kills} times each",
        ("signal", "requests", "answered", "asked about once", "answered twice", "cut off by the kill, asked again"),
        [_kill(articles, delay, number, kills, seed) for number in (signal.SIGTERM, signal.SIGKILL)],
    )


def label_all(url: str, store: str, concurrency: int, articles: int) -> None:
    """Label the synthetic articles."""
    from ctiforge.osbert.labeling.openai_labeler import OpenAiLabeler
    from ctiforge.osbert.opinions import Unlabeled
    from ctiforge.pod.entry import exit_on_error
    from ctiforge.store.objects import open_store

    made = (Unlabeled(str(n), f"article-{n}", f"article-{n}: {TEXT}", str(n)) for n in range(articles))
    labeler = OpenAiLabeler(url, "bench", open_store(store), concurrency=concurrency)
    exit_on_error(lambda: [opinion.label for _, opinion in labeler.label(made)].index("Windows"))


def _timed(articles: int, delay: float, concurrency: int) -> float:
    with _endpoint(delay) as endpoint, tempfile.TemporaryDirectory() as store:
        started = time.perf_counter()
        label_all(endpoint.url, store, concurrency, articles)
        seconds = time.perf_counter() - started
        assert len(endpoint.asked) == articles
    return seconds


def _kill(articles: int, delay: float, number: signal.Signals, kills: int, seed: int) -> tuple[object, ...]:
    """Requests, answers, articles asked about once, articles answered twice, and requests that nobody waited for."""
    moments = random.Random(seed)
    totals = [0] * 5
    for _ in range(kills):
        asked, answered = _killed(articles, delay, number, moments.uniform(0, delay))
        assert len(answered) == articles
        totals[0] += asked.total()
        totals[1] += answered.total()
        totals[2] += sum(count == 1 for count in asked.values())
        totals[3] += sum(count > 1 for count in answered.values())
        totals[4] += asked.total() - answered.total()
    return (number.name, *totals)


def _killed(articles: int, delay: float, number: signal.Signals, later_s: float) -> tuple[Counter[str], Counter[str]]:
    """End a run `later_s` after half of the requests, and do it again: requests and answers of each article."""
    half_way = threading.Event()

    def tell(asked: "Asked") -> None:
        if asked.number == articles // 2:
            half_way.set()

    with _endpoint(delay, tell) as endpoint, tempfile.TemporaryDirectory() as store:
        command = [sys.executable, "-c", CHILD, endpoint.url, store, str(articles)]
        first = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL)
        half_way.wait(60)
        time.sleep(later_s)
        first.send_signal(number)
        assert first.wait() != 0
        subprocess.run(command, cwd=ROOT, check=True)
        return endpoint.per_article(), endpoint.per_article(answered_only=True)


def _endpoint(delay: float, tell: "Callable[[Asked], None]" = lambda _: None) -> "Endpoint":
    from tests.integration.endpoint import Endpoint, answer

    def respond(asked: "Asked") -> "Reply":
        tell(asked)
        return answer("Windows", ("Windows", "schtasks"))

    return Endpoint(respond, delay)


if __name__ == "__main__":
    run_program(main)
