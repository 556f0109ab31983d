"""The rim of a harvest: opens database and files, runs it, prints its tables."""

import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import Any

from ctiforge.data.articles import Article
from ctiforge.data.database import database_url, open_database
from ctiforge.data.json_files import JsonProblems, find_json_files, read_json_files, with_contents
from ctiforge.data.testsets import held_out_articles
from ctiforge.errors import UsageError
from ctiforge.extract.harvest.harvest import HarvestOptions, check_minimum, harvest
from ctiforge.extract.harvest.human_labels import read_human_labels
from ctiforge.extract.harvest.report import print_report
from ctiforge.records.human_label import HumanLabel
from ctiforge.store.objects import ObjectStore

_LABELS = "labels_"


@dataclass(frozen=True)
class Sources:
    """Where articles come from."""

    from_database: bool = False
    """Whether the database (DATABASE_URL) is read."""
    json_files: tuple[str, ...] = ()
    """Result files: paths of this machine or `s3://` URIs."""
    auto_find_json: bool = False
    """Whether to search the working folder for result files."""
    labels: tuple[str, ...] = ()
    """Labels of people: review files, or folders of the application's evaluation data."""
    since: str | None = None
    """An ISO date or time: of the database, executions that ended then or later; None: all."""

    def __post_init__(self) -> None:
        try:
            datetime.fromisoformat(self.since or "2000-01-01")
        except ValueError:
            raise UsageError(
                f"--since {self.since}: give a date or a time, like 2026-11-22 or 2026-11-22T10:00"
            ) from None

    def as_params(self) -> dict[str, Any]:
        """List the fields, as JSON can hold them, for a fingerprint."""
        return asdict(self)

    def inputs(self) -> dict[str, str]:
        """List what a stage has to fetch: the URI of each file that lies in a store, by a name for it."""
        files = {_input_name(n): uri for n, uri in enumerate(self.json_files) if "://" in uri}
        return files | {f"{_LABELS}{n}": uri for n, uri in enumerate(self.labels)}

    def paths(self, fetched: Mapping[str, Path]) -> dict[Path, str]:
        """Locate each file on this machine.

        Args:
            fetched: The stage's inputs: name (see `inputs`) → the file that was fetched.

        Returns:
            File → what people call it: the path or URI that they gave, or where it was found.
        """
        here = {fetched.get(_input_name(n), Path(uri)): uri for n, uri in enumerate(self.json_files)}
        found = find_json_files(Path()) if self.auto_find_json else []
        return here | {path: str(path) for path in found if path not in here}


def harvest_sources(
    sources: Sources,
    options: HarvestOptions,
    excluded_urls: Sequence[str],
    inputs: Mapping[str, Path],
    out: Path,
    scratch: Path,
    *,
    own_models: Collection[str] = (),
    registered: Iterable[HumanLabel] = (),
    cache_in: ObjectStore | None = None,
    force: bool = False,
) -> dict[str, Any]:
    """Harvest articles into `records.jsonl` and `report.json`, and print the tables.

    Articles of JSON files that lack their content get it from the database where it is read, or
    where DATABASE_URL is set.

    Args:
        sources: Where articles come from.
        options: What decides which are kept.
        excluded_urls: Pages that are left out, with their near duplicates.
        inputs: The sources' own fetched files, and test sets (`test_set:<name@version>`), whose articles are left out.
        out: The folder for the two files.
        scratch: A folder for what waits on disk.
        own_models: Names of models that came out of ctiforge.
        registered: Labels of people that the store keeps.
        cache_in: The store that keeps what was read of executions, so that the next harvest reads what is new.
        force: Whether to go on with fewer articles than the minimum.

    Returns:
        What `report.json` holds.

    Raises:
        UsageError: There is no source, no such file, or the database's URL is missing.
        DataError: Fewer articles than the minimum are kept; both files are written all the same.
        DatabaseError: The database cannot be reached or refuses.
    """
    from rich.console import Console

    problems = JsonProblems()
    paths = sources.paths(inputs)
    with ExitStack() as stack:
        files = [path for name, path in inputs.items() if name.startswith(_LABELS)]
        people = read_human_labels(files, registered)
        articles = _open(sources, paths, options, problems, cache_in, stack)
        report = harvest(articles, held_out_articles(inputs), excluded_urls, options, out, scratch, own_models, people)
    report.files_set_aside = {paths[Path(path)]: why for path, why in problems.files.items()}
    report.entries_set_aside = problems.entries
    record = report.as_record()
    record.write(out)
    console = Console()
    print_report(report, console)
    warning = check_minimum(report, force)
    if warning:
        console.print(warning, style="yellow", markup=False)
    return record.model_dump(mode="json")


def read_urls(path: Path | None) -> list[str]:
    """Read a list of URLs, one a line; empty lines and `#` comments are skipped.

    Args:
        path: The file; None: no URL.

    Returns:
        The URLs, each once, sorted.

    Raises:
        UsageError: The file cannot be read.
    """
    if path is None:
        return []
    try:
        lines = path.read_text(encoding="utf-8-sig", errors="replace").splitlines()
    except OSError as error:
        raise UsageError(f"--exclude-urls {path}: {error.strerror}") from None
    return sorted({line.strip() for line in lines if line.strip() and not line.startswith("#")})


def _open(
    sources: Sources,
    paths: Mapping[Path, str],
    options: HarvestOptions,
    problems: JsonProblems,
    cache_in: ObjectStore | None,
    stack: ExitStack,
) -> Iterator[Article]:
    if not sources.from_database and not paths and not sources.labels:
        found = "--auto-find-json found none" if sources.auto_find_json else "nothing to read"
        raise UsageError(f"{found}: give --from-database, --json-files FILE or --auto-find-json")
    missing = [name for path, name in paths.items() if not path.exists()]
    if missing:
        raise UsageError(f"--json-files {missing[0]}: there is no such file")
    from_files = read_json_files(list(paths), problems)
    if not sources.from_database and not os.environ.get("DATABASE_URL"):
        return from_files
    database = stack.enter_context(open_database(database_url()))
    completed = with_contents(from_files, database.articles_by_id)
    if not sources.from_database:
        return completed
    return chain(database.articles(options.status_filter, sources.since, cache_in), completed)


def _input_name(number: int) -> str:
    return f"json_file_{number}"
