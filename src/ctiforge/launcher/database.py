"""The database of a run: the team's own, or the demo's, which is up for as long as the run takes."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ctiforge.errors import DataError
from ctiforge.launcher.backend import Command, Outcome
from ctiforge.launcher.failures import stage_failure

if TYPE_CHECKING:
    from ctiforge.launcher.run import LineRun

DEMO_DATABASE = "demo_database"


@contextmanager
def database_of(run: "LineRun") -> Iterator[None]:
    """Name the team's database to the run; without one, the demo database, up for as long as the run takes."""
    url = run.settings.database_url
    if url and run.backend.brings_demo:
        run.database = {"DATABASE_URL": url.get_secret_value()}
    if not takes_demo(run):
        yield
        return
    run.view.say(f"no DATABASE_URL: using the demo database ({run.line.demo_texts})")
    try:
        outcome = run.backend.run(Command(DEMO_DATABASE, ("up", "--store", run.store.uri)), lambda _event: None)
        if outcome.exit_code != 0:
            raise stage_failure(DEMO_DATABASE, outcome)
        answer = _demo_answer(outcome)
        run.database = {"DATABASE_URL": answer["database_url"]}
        if run.test_set == type(run.settings).model_fields[run.line.test_set].default:
            run.test_set = answer.get(run.line.test_set, run.test_set)
        yield
    finally:
        run.backend.run(Command(DEMO_DATABASE, ("down",)), lambda _event: None)


def takes_demo(run: "LineRun") -> bool:
    """Whether the run harvests the demo's database."""
    needed = run.settings.reads_database or not run.line.reads_files
    return needed and run.backend.brings_demo and not run.settings.database_url


def _demo_answer(outcome: Outcome) -> dict[str, str]:
    for line in reversed(outcome.lines):
        if line.startswith("{"):
            answer: dict[str, str] = json.loads(line)
            return answer
    raise DataError("the demo database did not say where it is")
