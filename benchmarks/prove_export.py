"""A real checkpoint to GGUF: SmolLM2-135M from the package index, with memory, scratch and seconds.

    python benchmarks/prove_export.py [--types q8_0,bf16] [--articles 0] [--results FILE]

Nobody has trained it for the task, so that its F1 says nothing: what counts is whether a file answers as its source.
Asked about articles (--articles), it writes each window full, for many minutes on a CPU.
"""

import argparse
import platform
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from ctiforge.demo.articles import DemoSizes, make_corpus
from ctiforge.records.exported import ExportReport
from ctiforge.tables import markdown, table_of


def main() -> None:
    """Add the model to a store of its own, export it, and print what it took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--types", default="q8_0,bf16")
    parser.add_argument("--articles", type=int, default=0)
    parser.add_argument("--results", type=Path)
    flags = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        store, out = f"{scratch}/store", f"{scratch}/out"
        base = _run("model", "add", "smollm2", f"--store={store}").strip().splitlines()[-1].removeprefix("-> ")
        wanted = ["--format=gguf", f"--quantize={flags.types}", "--margin=1"]
        if flags.articles:
            test_data = Path(scratch) / "articles.jsonl"
            articles = make_corpus(5, DemoSizes(1, 0, flags.articles, 0, 0)).test
            test_data.write_text("".join(f"{each.model_dump_json()}\n" for each in articles), encoding="utf-8")
            wanted.append(f"--test-data={test_data}")
        _run("export", f"--model={base}", *wanted, f"--output={out}")
        report = ExportReport.load(Path(out))
    text = describe(report, flags.articles)
    print(text)
    if flags.results:
        flags.results.write_text(text, encoding="utf-8")


def describe(report: ExportReport, articles: int) -> str:
    """Write the report as a page of figures."""
    assert report.cost
    parity = {each.file_type: each for each in report.parity}
    rows = [
        (
            each.type,
            f"{each.bytes / 1e6:.1f}",
            each.texts_read_alike,
            each.prompts_rendered_alike,
            f"{parity[each.type].same_windows} of {parity[each.type].windows}" if parity else "not asked",
            f"{parity[each.type].same_articles} of {parity[each.type].articles}" if parity else "not asked",
        )
        for each in report.files
    ]
    cost = report.cost
    titles = ("type", "MB", "texts alike", "prompts alike", "windows answered alike", "articles alike")
    return (
        f"# Export of {report.name}, {datetime.now(UTC):%Y-%m-%d}\n\n"
        f"{platform.machine()}, `make prove-export`; not trained for the task; "
        f"{articles or 'no'} articles of the demo were asked.\n\n"
        f"{markdown([table_of(titles, rows)])}\n\n"
        f"- memory: {cost.peak_memory / 1e9:.2f} GB taken, at most {cost.memory_expected / 1e9:.2f} GB said before\n"
        f"- scratch: {cost.scratch / 1e9:.2f} GB written, {cost.scratch_expected / 1e9:.2f} GB said before\n"
        f"- {cost.seconds:.0f} s\n"
    )


def _run(*arguments: str) -> str:
    command = [sys.executable, "-m", "ctiforge", *arguments]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


if __name__ == "__main__":
    main()
