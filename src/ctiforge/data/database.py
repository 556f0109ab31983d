"""Reads the team's PostgreSQL in one read-only transaction, by primary key, so that the server sorts nothing.

Of the executions the ids come first, 32 bytes of memory each; their results follow in batches, those of an article
together, and only those that a cache does not know.
"""

import hashlib
import os
import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count
from typing import TYPE_CHECKING, Any

from ctiforge.data.articles import Article
from ctiforge.data.execution_batches import Batch, Listed, read_article_row, with_executions
from ctiforge.data.execution_query import EXECUTIONS, LISTED, SNAPSHOTS, executions_query
from ctiforge.data.identity import content_hash, fold
from ctiforge.data.os_verdicts import OsVerdict, choose_verdict, verdicts_query
from ctiforge.data.outcome_cache import OutcomeCache
from ctiforge.data.people import (
    ANNOTATIONS,
    ANNOTATIONS_QUERY,
    EVALUATIONS,
    EVALUATIONS_QUERY,
    IDS_BY_URL_QUERY,
    Annotation,
    ExpectedItems,
)
from ctiforge.data.states import TRUNCATED
from ctiforge.errors import CtiforgeError, DataError, UsageError
from ctiforge.records.article import ArticleRecord
from ctiforge.store.objects import ObjectStore

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection
    from psycopg2.sql import Composed

CONFIGURATIONS = "agentic_workflow_config"
"""The table of the application's configurations, one of which is in use."""
PROMPTS_QUERY = "SELECT agent_prompts FROM agentic_workflow_config WHERE is_active ORDER BY id DESC LIMIT 1"
# one batch of rows is about this many characters, whatever the length of an article
_BATCH_CHARACTERS = 1_000_000
_MOST_ROWS = 500

# metadata is whatever scrapers left there: its escapes (NUL, half a surrogate pair) are no text for
# PostgreSQL, so they are taken out unread
_BY_ID = r"""
SELECT a.id, a.canonical_url, a.title, a.content,
    regexp_replace(a.article_metadata::text, '\\(u[0-9a-fA-F]{4}|.)', '?', 'g')::json ->> 'threat_hunting_score',
    a.archived, s.identifier
FROM articles a LEFT JOIN sources s ON s.id = a.source_id WHERE a.id = ANY(%(ids)s)
"""

# only what is a plain number in the end is cast
_BY_SCORE = r"""
WITH told AS (
    SELECT a.id, btrim(regexp_replace(a.article_metadata::text, '\\(u[0-9a-fA-F]{4}|.)', '?', 'g')::json
    ->> 'threat_hunting_score') AS score FROM articles a
), scored AS (
    SELECT id, CASE WHEN score ~ '^[+-]?[0-9]{1,9}([.][0-9]{0,20})?([eE][+-]?[0-9]{1,2})?$'
        THEN score::double precision END AS score
    FROM told
)
SELECT a.id, a.canonical_url, a.title, a.content, s.score::text
FROM articles a JOIN scored s ON s.id = a.id
WHERE s.score >= %(least)s
ORDER BY s.score DESC, a.id LIMIT %(limit)s
"""


class DatabaseError(CtiforgeError):
    """The database refused, vanished or lacks the team's tables; may be tried again."""


class Database:
    """One read-only transaction: everything read is of one moment."""

    def __init__(self, connection: "Connection") -> None:
        self._connection = connection
        self._numbers = count()

    def articles(
        self, statuses: Sequence[str] = (), since: str | None = None, cache_in: ObjectStore | None = None
    ) -> Iterator[Article]:
        """Stream every article with an execution that passes the filter, by id, with those executions.

        Args:
            statuses: Statuses of executions; empty: any.
            since: The ISO date or time that an execution ended at or after; None: any.
            cache_in: The store that keeps what was read of them before; None: none does.

        Yields:
            The articles.

        Raises:
            DatabaseError: The connection is lost.
        """
        cache = OutcomeCache(cache_in, self._identity()) if cache_in else None
        listed = Listed(self._stream("listed", LISTED, {"statuses": list(statuses) or None, "since": since}))
        query = executions_query(self._columns(EXECUTIONS), self._snapshot_column())
        with self._asking() as ahead:
            size, at = 1, 0
            end = listed.batch(at, size)
            fetching = ahead.submit(self._read_batch, listed, at, end, query, cache)
            while at < end:
                batch = fetching.result()
                size = max(1, min(_MOST_ROWS, 2 * size, _BATCH_CHARACTERS * len(batch.articles) // (len(batch) + 1)))
                at, end = end, listed.batch(end, size)
                # while this batch is worked on, the server is at the next
                fetching = ahead.submit(self._read_batch, listed, at, end, query, cache)
                yield from with_executions(batch, cache)
        if cache:
            cache.close()

    def count_executions(self) -> int:
        """Count the executions of articles; DatabaseError or UsageError where the tables cannot be read."""
        rows = self._fetch("SELECT count(*) FROM articles a JOIN agentic_workflow_executions e ON e.article_id = a.id")
        return int(rows[0][0])

    def articles_by_score(self, least: float, limit: int | None) -> Iterator[Article]:
        """Stream the best articles, by score and id; without executions.

        Args:
            least: The smallest score; one that is no number reaches nothing.
            limit: Articles at most; None: all.

        Yields:
            The articles.

        Raises:
            DatabaseError: The connection is lost.
        """
        for row in self._stream("articles_by_score", _BY_SCORE, {"least": least, "limit": limit}):
            yield read_article_row(row)

    def articles_by_id(self, ids: Sequence[int]) -> dict[int, Article]:
        """Read articles by their ids, without executions.

        Args:
            ids: The ids.

        Returns:
            The articles by id; those that do not exist are missing.

        Raises:
            DatabaseError: The connection is lost.
        """
        return {int(row[0]): read_article_row(row) for row in self._fetch(_BY_ID, {"ids": list(ids)})}

    def os_verdicts(self, ids: Sequence[int]) -> dict[int, OsVerdict]:
        """Read which operating system the application says that articles are about.

        Args:
            ids: The articles' ids.

        Returns:
            The verdicts by id; articles that do not exist are missing.

        Raises:
            DatabaseError: The connection is lost.
        """
        query = verdicts_query(self._columns(EXECUTIONS))
        return {int(id_): choose_verdict(*kept) for id_, *kept in self._fetch(query, {"ids": list(ids)})}

    def annotations(self) -> list[Annotation]:
        """Read what people marked in articles; nothing where the application has no such table."""
        return [Annotation(*row) for row in self._rows(ANNOTATIONS, ANNOTATIONS_QUERY)]

    def expected_items(self) -> list[ExpectedItems]:
        """Read what people expect of the application's agents, the oldest first; nothing without such a table."""
        return [ExpectedItems(*row) for row in self._rows(EVALUATIONS, EVALUATIONS_QUERY)]

    def agent_prompts(self) -> Any:
        """Read the prompts of the application's agents, of the configuration in use; None where it has none."""
        rows = self._rows(CONFIGURATIONS, PROMPTS_QUERY)
        return rows[0][0] if rows else None

    def ids_by_url(self, urls: Sequence[str]) -> list[int]:
        """Look up the ids of articles by their addresses.

        Args:
            urls: The addresses, spelled as the application has them.

        Returns:
            The ids of those that exist.

        Raises:
            DatabaseError: The connection is lost.
        """
        return [int(row[0]) for row in self._fetch(IDS_BY_URL_QUERY, {"urls": list(urls)})]

    def _rows(self, table: str, query: str) -> list[tuple[Any, ...]]:
        """Read all rows of a query over a table that not every version of the application has."""
        return self._fetch(query) if self._columns(table) else []

    def _read_batch(self, listed: Listed, start: int, end: int, query: "Composed", cache: OutcomeCache | None) -> Batch:
        """Read the articles of listed executions `start` to `end`, and the executions that no cache knows."""
        batch = Batch()
        if start == end:
            return batch
        unknown: list[int] = []
        for article_id, ids, xmins in listed.by_article(start, end):
            known = cache.known(article_id, ids, xmins) if cache else {}
            batch.known.update({(article_id, id_): execution for id_, execution in known.items()})
            batch.xmins.update(zip(ids, xmins, strict=True))
            unknown += [id_ for id_ in ids if id_ not in known]
        with _explained(), self._connection.cursor() as cursor:
            cursor.execute(_BY_ID, {"ids": listed.article_ids(start, end)})
            batch.articles = cursor.fetchall()
            if unknown:
                cursor.execute(query, {"ids": unknown, "truncated": TRUNCATED})
                batch.executions = cursor.fetchall()
        return batch

    def _identity(self) -> str:
        """Name this database as no other is named, and no restored copy of it."""
        rows = self._fetch(
            "SELECT current_database(), inet_server_addr()::text, inet_server_port(), d.oid, to_regclass(%s)::oid "
            "FROM pg_database d WHERE datname = current_database()",
            (EXECUTIONS,),
        )
        return hashlib.sha256(repr(rows[0]).encode()).hexdigest()[:16]

    def _columns(self, table: str, types: Sequence[str] = ()) -> list[str]:
        """List the columns of a table, all or those of some types; none where there is no such table."""
        rows = self._fetch(
            "SELECT attname FROM pg_attribute WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped "
            "AND (%s::text[] IS NULL OR format_type(atttypid, NULL) = ANY(%s)) ORDER BY attnum",
            (table, list(types) or None, list(types)),
        )
        return [str(row[0]) for row in rows]

    def _snapshot_column(self) -> str | None:
        """Name the column in which the application keeps configurations apart; None where it does not."""
        return next(iter(self._columns(SNAPSHOTS, ("jsonb", "json"))), None)

    def _stream(self, name: str, query: str, parameters: dict[str, Any]) -> Iterator[tuple[Any, ...]]:
        """Stream the rows of a server-side cursor, fetched in batches sized by the length of what came last.

        While one batch is worked on, the server is at the next.
        """
        with self._asking() as ahead:
            with _explained():
                cursor = self._connection.cursor(f"{name}_{next(self._numbers)}")
                ahead.submit(cursor.execute, query, parameters).result()
            size = 1
            fetching = ahead.submit(cursor.fetchmany, size)
            while True:
                with _explained():
                    rows = fetching.result()
                if not rows:
                    return
                characters = sum(len(value) for row in rows for value in row if isinstance(value, str))
                size = max(1, min(_MOST_ROWS, 2 * size, _BATCH_CHARACTERS * len(rows) // (characters + 1)))
                fetching = ahead.submit(cursor.fetchmany, size)
                yield from rows

    def _fetch(
        self, query: "str | Composed", parameters: Sequence[Any] | dict[str, Any] | None = None
    ) -> list[tuple[Any, ...]]:
        """Ask for all rows of a query; what psycopg2 raises as one line."""

        def ask() -> list[tuple[Any, ...]]:
            with self._connection.cursor() as cursor:
                cursor.execute(query, parameters)
                return cursor.fetchall()

        with self._asking() as thread, _explained():
            return thread.submit(ask).result()

    @contextmanager
    def _asking(self) -> Iterator[ThreadPoolExecutor]:
        """Give a thread that asks the server: this one hears a signal while it waits, which then ends the query."""
        with ThreadPoolExecutor(1) as thread:
            try:
                yield thread
            except (KeyboardInterrupt, SystemExit):
                self._connection.cancel()
                raise


@contextmanager
def open_database(url: str) -> Iterator[Database]:
    """Connect to the application's database for reading only, and close the connection at the end.

    Args:
        url: `postgresql://user:password@host/database`; the driver that SQLAlchemy names in it is passed over.

    Yields:
        The database as it is at this moment: one read-only transaction.

    Raises:
        UsageError: The URL cannot be read.
        DatabaseError: The server cannot be reached or refuses; in one line without the password.
    """
    import psycopg2

    # the application's own URL names SQLAlchemy's driver
    url = re.sub(r"^postgres(ql)?\+\w+://", "postgresql://", url)
    try:
        connection = psycopg2.connect(url, connect_timeout=15, application_name="ctiforge")
    except psycopg2.OperationalError as error:
        raise DatabaseError(f"cannot connect to the database: {_one_line(error, url)}; check DATABASE_URL") from None
    except psycopg2.Error as error:
        raise UsageError(f"DATABASE_URL is no database URL: {_one_line(error, url)}") from None
    try:
        with _explained():
            # one snapshot for both cursors; the connection may be one that a pooler shares
            connection.set_session(isolation_level="REPEATABLE READ", readonly=True)
            connection.set_client_encoding("UTF8")
        yield Database(connection)
    finally:
        connection.close()


def read_article(url: str | None, article_id: str) -> ArticleRecord:
    """Read one article of the database, without labels.

    Args:
        url: The database's URL; None where nobody set one.
        article_id: The article's id, digits only.

    Returns:
        The article.

    Raises:
        UsageError: There is no URL, the id is no number, or there is no such article.
        DataError: The article holds no text.
        DatabaseError: The server cannot be reached or refuses.
    """
    if not url:
        raise UsageError(
            "--article-id reads the database: set DATABASE_URL to postgresql://user:password@host/database"
        )
    if not (article_id.isascii() and article_id.isdigit()):
        raise UsageError(f"--article-id {article_id}: ids of the database are whole numbers")
    with open_database(url) as database:
        article = database.articles_by_id([int(article_id)]).get(int(article_id))
    if article is None:
        raise UsageError(f"--article-id {article_id}: the database holds no such article")
    if not article.content or not article.content.strip():
        raise DataError(f"article {article_id} has no content in the database")
    hash_ = content_hash(fold(article.content))
    return ArticleRecord(
        id=article.id, url=article.url, title=article.title, content=article.content, content_hash=hash_
    )


def database_url() -> str:
    """Read the database's URL from the environment (DATABASE_URL).

    Returns:
        The URL as it is set.

    Raises:
        UsageError: It is not set.
    """
    url = os.environ.get("DATABASE_URL", "").strip()
    if not url:
        raise UsageError(
            "set DATABASE_URL to postgresql://user:password@host/database, or name files to read instead (see --help)"
        )
    return url


@contextmanager
def _explained() -> Iterator[None]:
    """Turn what psycopg2 raises into one line that a person can act on."""
    import psycopg2

    try:
        yield
    except psycopg2.errors.DiskFull as error:
        raise DatabaseError(f"the database server's disk is full: {_one_line(error)}") from None
    except (psycopg2.errors.UndefinedTable, psycopg2.errors.UndefinedColumn) as error:
        raise UsageError(f"this database does not hold the application's tables: {_one_line(error)}") from None
    except psycopg2.errors.InsufficientPrivilege as error:
        raise UsageError(f"the database user may not read: {_one_line(error)}; grant SELECT") from None
    except psycopg2.errors.InvalidDatetimeFormat as error:
        raise UsageError(f"--since is no date or time: {_one_line(error)}") from None
    except psycopg2.Error as error:
        raise DatabaseError(f"the database stopped answering: {_one_line(error)}; run the same command again") from None


def _one_line(error: Exception, url: str = "") -> str:
    from psycopg2.extensions import parse_dsn

    text = " ".join(str(error).split()) or type(error).__name__
    try:
        password = parse_dsn(url).get("password")
    except Exception:
        # not even the driver can read it: show nothing that it quotes
        return text.split('"')[0].strip()
    return text.replace(password, "***") if password else text
