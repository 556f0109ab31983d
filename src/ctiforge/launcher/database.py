"""The database of a run: the team's own, or the demo's, which is up for as long as the run takes."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from ctiforge.errors import DataError
from ctiforge.launcher.backend import Backend, Command, Outcome
from ctiforge.launcher.failures import stage_failure
from ctiforge.lines.line import Line
from ctiforge.settings import Settings

DEMO_DATABASE = "demo_database"


@dataclass(frozen=True)
class RunDatabase:
    """What a run has of its database."""

    environment: dict[str, str] = field(default_factory=dict)
    """What a stage that reads the database finds in its environment."""
    test_set: str | None = None
    """The test set that the demo's database comes with; None where it is not the demo's."""


@contextmanager
def database_of(
    settings: Settings, line: Line, backend: Backend, store: str, say: Callable[[str], None]
) -> Iterator[RunDatabase]:
    """Give a run the team's database; without one, the demo's, up for as long as the run takes.

    Args:
        settings: The run's settings.
        line: Its line.
        backend: What runs programs.
        store: The URI of its store, for the demo's test set.
        say: Is told where the demo's database is taken.

    Yields:
        The database.

    Raises:
        CtiforgeError: The demo's database did not come up.
    """
    if not takes_demo(settings, line, backend):
        url = settings.database_url
        yield RunDatabase({"DATABASE_URL": url.get_secret_value()} if url and backend.brings_demo else {})
        return
    say(f"no DATABASE_URL: using the demo database ({line.demo_texts})")
    try:
        outcome = backend.run(Command(DEMO_DATABASE, ("up", "--store", store)), lambda _event: None)
        if outcome.exit_code != 0:
            raise stage_failure(DEMO_DATABASE, outcome)
        answer = _demo_answer(outcome)
        yield RunDatabase({"DATABASE_URL": answer["database_url"]}, answer.get(line.test_set))
    finally:
        backend.run(Command(DEMO_DATABASE, ("down",)), lambda _event: None)


def takes_demo(settings: Settings, line: Line, backend: Backend) -> bool:
    """Tell whether a run harvests the demo's database.

    Args:
        settings: The run's settings.
        line: Its line.
        backend: What runs programs.

    Returns:
        True where a database is needed, none is named, and the backend brings the demo's.
    """
    needed = settings.reads_database or not line.reads_files
    return needed and backend.brings_demo and not settings.database_url


def _demo_answer(outcome: Outcome) -> dict[str, str]:
    for line in reversed(outcome.lines):
        if line.startswith("{"):
            answer: dict[str, str] = json.loads(line)
            return answer
    raise DataError("the demo database did not say where it is")
