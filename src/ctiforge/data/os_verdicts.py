"""Which operating system the application itself said that an article is about.

It keeps that twice: with the article since it was scored (`article_metadata.os_classification`), and with each
execution (`error_log.os_detection_result`), where a language model may have looked once more.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ctiforge.data.item_values import clean_text, fold_platform
from ctiforge.records.article import SYSTEMS, OsLabel

if TYPE_CHECKING:
    from psycopg2.sql import Composed

NO_VERDICT = "the application has not looked"
_NOT_LOOKED = "eval_skip"
"""The method of an evaluation run: it says Windows, whatever the article."""
_SEVERAL = ("multiple", "cross platform")
_NONE = ("unknown", "none", "")
_UNREADABLE = "what the application says cannot be read"
_SHOWN = 40

# escapes of the metadata are taken out unread, as where its score is read
_QUERY = r"""
SELECT a.id,
    regexp_replace(a.article_metadata::text, '\\(u[0-9a-fA-F]{{4}}|.)', '?', 'g')::json -> 'os_classification',
    {executions}
FROM articles a WHERE a.id = ANY(%(ids)s)
"""
_EXECUTIONS = """(
    SELECT json_agg(e.error_log -> 'os_detection_result'
        ORDER BY coalesce(e.completed_at, e.started_at, e.created_at) DESC NULLS LAST, e.id DESC)
    FROM agentic_workflow_executions e
    WHERE e.article_id = a.id AND e.error_log -> 'os_detection_result' IS NOT NULL)"""


@dataclass(frozen=True, slots=True)
class OsVerdict:
    """What the application says about one article; without a label it says why."""

    label: OsLabel | None
    """What the article is about."""
    problem: str | None = None
    """Why there is no label; None where there is one."""
    unsure: bool = False
    """Whether the application itself calls its confidence low."""


def verdicts_query(columns: Collection[str]) -> "Composed":
    """Write the query of what the application says about the articles of some ids.

    Args:
        columns: The columns that the table of executions has in this database.

    Returns:
        SQL with the parameter `ids`, for rows of id, what is kept with the article, what is kept with its executions
        (the newest first).
    """
    from psycopg2.sql import SQL

    return SQL(_QUERY).format(executions=SQL(_EXECUTIONS if "error_log" in columns else "NULL::json"))


def choose_verdict(of_article: Any, of_executions: Any) -> OsVerdict:
    """Choose among all that is kept of one article: the newest execution that can be read, else the article's own.

    Args:
        of_article: The value of `os_classification`; None where there is none.
        of_executions: A list of values of `os_detection_result`, the newest first; None where there is none.

    Returns:
        The verdict; where nothing can be read, the first reason.
    """
    kept = [*(of_executions or ()), *([] if of_article is None else [of_article])]
    read = [read_verdict(each) for each in kept]
    return next((each for each in read if each.label), read[0] if read else OsVerdict(None, NO_VERDICT))


def read_verdict(stored: Any) -> OsVerdict:
    """Read one value as the application stores it: any JSON value."""
    if not isinstance(stored, dict):
        return OsVerdict(None, _UNREADABLE)
    if _NOT_LOOKED in (stored.get("method"), stored.get("detection_method")):
        return OsVerdict(None, NO_VERDICT)
    unsure = (clean_text(stored.get("confidence")) or "").lower() == "low"
    systems: set[str] = set()
    for name in _names(stored):
        if not isinstance(name, str | None):
            # an object or a list is not "unknown"
            return OsVerdict(None, _UNREADABLE)
        folded = (clean_text(name) or "").lower().replace("_", " ")
        system = fold_platform(folded)
        if folded in _SEVERAL:
            return OsVerdict("multiple", unsure=unsure)
        if system:
            systems.add(system)
        elif folded not in _NONE:
            return OsVerdict(None, f"the application names a system that is no label: {folded[:_SHOWN]!r}")
    return OsVerdict(label_of(systems) or "Unknown", unsure=unsure)


def label_of(systems: Collection[str | None]) -> OsLabel | None:
    """Tell what label some operating systems come to.

    Args:
        systems: Names out of `SYSTEMS`, and others, which count as none.

    Returns:
        The one system, `multiple`, or None where there is none.
    """
    labels = [label for label in SYSTEMS if label in systems]
    return "multiple" if len(labels) > 1 else labels[0] if labels else None


def _names(stored: dict[str, Any]) -> Iterator[Any]:
    """Yield the platforms it lists; where it lists none, the one system that it names."""
    listed = stored.get("platforms_detected")
    if isinstance(listed, list) and listed:
        yield from listed
        return
    yield next((stored[key] for key in ("detected_os", "operating_system") if stored.get(key) is not None), "nothing")
