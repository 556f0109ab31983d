"""What people said in the application, as its tables hold it: annotations of passages, and expected items."""

from dataclasses import dataclass
from typing import Any

ANNOTATIONS, EVALUATIONS = "article_annotations", "subagent_evaluations"
ANNOTATIONS_QUERY = """
SELECT article_id, user_id::text, annotation_type::text, selected_text, start_position, end_position, usage::text
FROM article_annotations ORDER BY id
"""
EVALUATIONS_QUERY = """
SELECT article_id, article_url, subagent_name::text, expected_count, expected_items
FROM subagent_evaluations ORDER BY id
"""
IDS_BY_URL_QUERY = "SELECT id FROM articles WHERE canonical_url = ANY(%(urls)s)"


@dataclass(frozen=True)
class Annotation:
    """One row of `article_annotations`."""

    article_id: int
    """The article's id."""
    user: Any
    """The application's user, a number or a text; None where nobody noted it."""
    type: str | None
    """`annotation_type`."""
    quote: str | None
    """`selected_text`."""
    start: int | None
    """The place of its first character, as the page counted it."""
    end: int | None
    """One past its last."""
    usage: str | None
    """`train`, `eval` or `gold`."""


@dataclass(frozen=True)
class ExpectedItems:
    """One row of `subagent_evaluations`."""

    article_id: int | None
    """None where the application never met the article."""
    url: str | None
    """`article_url`."""
    agent: str | None
    """`subagent_name`."""
    count: int | None
    """`expected_count`."""
    items: Any
    """`expected_items`; None where only a count is known."""
