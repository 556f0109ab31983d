"""The rim of a harvest: opens database and files, runs it, prints its tables."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from ctiforge.data.articles import Article
from ctiforge.data.database import database_url, open_database
from ctiforge.data.json_files import JsonProblems, find_json_files, read_json_files, with_contents
from ctiforge.data.records import ArticleRecord, read_records
from ctiforge.errors import UsageError
from ctiforge.extract.harvest import HarvestOptions, check_minimum, harvest
from ctiforge.extract.harvest_report import print_report


@dataclass(frozen=True)
class Sources:
    """Where articles come from; `since` is an ISO date for the database's executions."""

    from_database: bool = False
    json_files: tuple[Path, ...] = ()
    auto_find_json: bool = False
    since: str | None = None

    def as_params(self) -> dict[str, Any]:
        """JSON-able, for a manifest."""
        return asdict(self) | {"json_files": [str(path) for path in self.json_files]}


def harvest_sources(
    sources: Sources,
    options: HarvestOptions,
    excluded_urls: Sequence[str],
    test_sets: Mapping[str, Path],
    out: Path,
    scratch: Path,
    *,
    force: bool = False,
) -> dict[str, Any]:
    """Harvest into `out` (records.jsonl, report.json), print the tables, return the report.

    Articles of JSON files that lack their content get it from the database where it is read, or
    where DATABASE_URL is set. Raises UsageError without a source, DataError below the minimum.
    """
    from rich.console import Console

    problems = JsonProblems()
    held_out = chain.from_iterable(_test_articles(name, path) for name, path in test_sets.items())
    with ExitStack() as stack:
        articles = _open(sources, options, problems, stack)
        report = harvest(articles, held_out, excluded_urls, options, out, scratch)
    report.files_set_aside = problems.files
    report.entries_set_aside = problems.entries
    counts = report.as_dict()
    (out / "report.json").write_text(json.dumps(counts, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    console = Console()
    print_report(report, console)
    warning = check_minimum(report, force)
    if warning:
        console.print(warning, style="yellow", markup=False)
    return counts


def read_urls(path: Path | None) -> list[str]:
    """The URLs of a file, one a line, sorted; empty lines and `#` comments are skipped. UsageError for no file."""
    if path is None:
        return []
    try:
        lines = path.read_text(encoding="utf-8-sig", errors="replace").splitlines()
    except OSError as error:
        raise UsageError(f"--exclude-urls {path}: {error.strerror}") from None
    return sorted({line.strip() for line in lines if line.strip() and not line.startswith("#")})


def _open(sources: Sources, options: HarvestOptions, problems: JsonProblems, stack: ExitStack) -> Iterator[Article]:
    paths = [*sources.json_files, *(find_json_files(Path()) if sources.auto_find_json else ())]
    if not sources.from_database and not paths:
        found = "--auto-find-json found none" if sources.auto_find_json else "nothing to read"
        raise UsageError(f"{found}: give --from-database, --json-files FILE or --auto-find-json")
    missing = [str(path) for path in sources.json_files if not path.exists()]
    if missing:
        raise UsageError(f"--json-files {missing[0]}: there is no such file")
    from_files = read_json_files(paths, problems)
    if not sources.from_database:
        return from_files
    database = stack.enter_context(open_database(database_url()))
    from_database = database.articles(options.status_filter, sources.since)
    return chain(from_database, with_contents(from_files, database.articles_by_id))


def _test_articles(name: str, path: Path) -> Iterator[tuple[str, ArticleRecord]]:
    reason = f"in test set {name.removeprefix('test_set:')}, or near to it"
    return ((reason, record) for record in read_records(path))
