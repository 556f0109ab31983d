"""Writes the report of a run: one HTML file that needs nothing else."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from ctiforge.pod.entry import run_program


def main(
    run: Annotated[
        str | None, typer.Argument(metavar="[RUN]", help="A run's id, or its beginning; default: the newest.")
    ] = None,
    store: Annotated[
        str | None, typer.Option(help="Where artifacts and runs lie: a folder or s3://bucket/prefix.")
    ] = None,
    output: Annotated[Path | None, typer.Option(help="The file; default: outputs/reports/<run>.html.")] = None,
) -> None:
    """Write what a run came to: verdict, before and after, training, errors, lineage, as one HTML file.

    What the new model gives, nobody labeled and the article says is written beside it as a review file.
    """
    from ctiforge.records.review import write_review
    from ctiforge.reporting.build import build_report
    from ctiforge.reporting.label_gaps import find_label_gaps
    from ctiforge.reporting.reading import read_run
    from ctiforge.reporting.render import render
    from ctiforge.settings import load_settings
    from ctiforge.store.objects import open_to_look

    loaded = load_settings({"store": store})
    settings = loaded.settings
    files = read_run(open_to_look(settings.store, is_named=loaded.is_named("store")), run)
    path = output or Path(settings.outputs) / "reports" / f"{files.record.id}.html"
    gaps = find_label_gaps(files, path.with_name(f"{files.record.id}-label-gaps.jsonl"))
    report = build_report(files, find_cues, gaps)
    write(render(report), path)
    print(report.verdict.sentence)
    if gaps.lines and gaps.path.exists():
        print(f"{gaps.path} is kept as it is: somebody may have corrected it")
    elif gaps.lines:
        write_review(gaps.path, gaps.lines)
        print(f"items judged wrong that stand in their article: ctiforge label --input {gaps.path} --annotator NAME")
    print(f"-> {path}")


def find_cues(text: str) -> Sequence[tuple[str, int, int]]:
    """Where a text speaks for which operating system."""
    from ctiforge.osbert.labeling.keywords import find_evidence

    return [(each.label, each.start, each.end) for each in find_evidence(text)]


def write(page: str, path: Path) -> None:
    """Write the page, making its folder. Raises UsageError where that cannot be done."""
    from ctiforge.errors import UsageError

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(page, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path} cannot be written ({error.strerror}): name another file with --output") from None


if __name__ == "__main__":
    run_program(main)
