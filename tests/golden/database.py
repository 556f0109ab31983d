"""A PostgreSQL of the run's own that holds the rows of a file."""

import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg2
from psycopg2 import sql

from ctiforge.demo.database import create_tables
from ctiforge.demo.postgres import start_postgres, stop_postgres


@contextmanager
def running_database(rows: Path) -> Iterator[str]:
    """Start a server, fill the application's tables from a JSON file of table → rows; gives its URL, stops it."""
    # the server runs as another user, who may not enter the folders that tests have
    folder = Path(tempfile.mkdtemp(prefix="ctiforge-golden-"))
    folder.chmod(0o755)
    try:
        url = start_postgres(folder)
        with closing(psycopg2.connect(url)) as connection:
            create_tables(connection)
            _fill(connection, json.loads(rows.read_text(encoding="utf-8")))
        yield url
    finally:
        stop_postgres(folder)
        shutil.rmtree(folder, ignore_errors=True)


def _fill(connection: Any, tables: dict[str, list[dict[str, Any]]]) -> None:
    with connection, connection.cursor() as cursor:
        for table, rows in tables.items():
            for row in rows:
                statement = sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
                    sql.Identifier(table),
                    sql.SQL(", ").join(map(sql.Identifier, row)),
                    sql.SQL(", ").join(sql.Placeholder() * len(row)),
                )
                cursor.execute(statement, [_value(name, each) for name, each in row.items()])


def _value(column: str, value: Any) -> Any:
    """As PostgreSQL takes it: the two JSON columns as text, an SQL null where the row has none."""
    is_json = column in ("article_metadata", "extraction_result")
    return json.dumps(value) if is_json and value is not None else value
