"""Requests per second and latency of `ctiforge serve` at 1, 8 and 32 clients at once, with and without its cache.

    python benchmarks/bench_serve.py [--models regex demo] [--seconds 10] [--clients 1 8 32]

Each client does as the application does: seven agents ask about one article, then about the next; no two clients ask
about the same one. `regex` shows what the server itself costs, `demo` a small model that was not trained for it.
"""

import argparse
import os
import platform
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import httpx2

from ctiforge.demo.articles import make_corpus
from ctiforge.serving.profiles import load_profile
from ctiforge.tables import print_table

COLUMNS = ("model", "cache", "clients", "answered", "requests/s", "p50 ms", "p95 ms", "articles read")


def main(models: list[str], seconds: float, clients: list[int]) -> None:
    """Print the table."""
    articles = [each.content for each in make_corpus(0).test]
    rows = []
    for model in models:
        for cache in (True, False):
            for count in clients:
                with served(model, cache) as url:
                    rows.append((model, "on" if cache else "off", str(count), *measure(url, articles, count, seconds)))
                    print(*rows[-1], file=sys.stderr, flush=True)
    length = statistics.median(map(len, articles))
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    print_table(f"articles of {length:,.0f} characters (median), {seconds:g} s each; {machine}", COLUMNS, rows)


@contextmanager
def served(model: str, cache: bool) -> Iterator[str]:
    """The command on a free port; gives its address."""
    command = [sys.executable, "-m", "ctiforge", "serve", model, "--port=0", "--device=cpu", "--still=0", "--queue=256"]
    # held to the schema: a model that was not trained for it answers with no JSON, which is an error
    command += ["--constrained"] * (model != "regex")
    process = subprocess.Popen([*command, f"--cache-mb={64 * cache}"], stdout=subprocess.PIPE, text=True)
    assert process.stdout
    try:
        found = re.match(r"-> (http://\S+)/v1", process.stdout.readline())
        assert found, "the server did not start"
        yield found[1]
    finally:
        process.terminate()
        process.communicate()


def measure(url: str, articles: list[str], count: int, seconds: float) -> tuple[str, ...]:
    """Ask for so long with so many clients: answered of asked, requests/s, p50, p95, articles that the model read."""
    end = time.monotonic() + seconds
    started = time.monotonic()
    with ThreadPoolExecutor(count) as pool:
        taken = [
            each
            for found in pool.map(lambda number: ask_on(url, articles, number, end), range(count))
            for each in found
        ]
    lasted = time.monotonic() - started
    figures = httpx2.get(f"{url}/metrics").text
    read = re.search(r'articles_total\{source="model"\} (\S+)', figures)
    times = sorted(each for each, _ in taken)
    good = sum(ok for _, ok in taken)
    p50, p95 = (1000 * times[min(len(times) - 1, int(share * len(times)))] for share in (0.5, 0.95))
    return f"{good} of {len(taken)}", f"{good / lasted:.1f}", f"{p50:,.0f}", f"{p95:,.0f}", read[1] if read else "0"


def ask_on(url: str, articles: list[str], number: int, end: float) -> list[tuple[float, bool]]:
    """Ask as one application until it is time to end: the seconds of each request, and whether it was answered."""
    profile = load_profile("huntable")
    taken: list[tuple[float, bool]] = []
    with httpx2.Client(base_url=url, timeout=200) as client:
        for turn in range(10**6):
            text = f"Report {number}-{turn}.\n\n{articles[(number * 31 + turn) % len(articles)]}"
            for shape in profile.agent.values():
                if time.monotonic() >= end:
                    return taken
                sent = request(shape.answer.key, " ".join(shape.recognize.system), text)
                began = time.monotonic()
                status = client.post("/v1/chat/completions", json=sent).status_code
                taken.append((time.monotonic() - began, status == 200))
    return taken


def request(key: str, words: str, text: str) -> dict[str, object]:
    """The request of an agent, as the application writes it."""
    user = (
        f"Title: T\nURL: https://x.invalid/1\n\nContent:\n{text}\n\nTask: extract.\n\n"
        "Output Format Specification: JSON.\n\n"
        f'REQUIRED JSON STRUCTURE (example):\n{{"{key}": [], "count": 0}}\n\nCRITICAL INSTRUCTIONS: JSON alone.\n'
    )
    turns = [{"role": "system", "content": f"You extract: {words}."}, {"role": "user", "content": user}]
    return {"model": "ctiforge", "messages": turns, "max_tokens": 8192, "temperature": 0}


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--models", nargs="+", default=["regex", "demo"])
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--clients", nargs="+", type=int, default=[1, 8, 32])
    main(**vars(parser.parse_args()))
