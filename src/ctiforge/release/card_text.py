"""How cards are written: templates of this package, tables, figures with their intervals; whatever text comes in."""

import re
from collections.abc import Iterable, Sequence
from importlib import resources
from typing import Any

from ctiforge.records.evaluation import MetricFigure
from ctiforge.release.names import public_labelers, public_name
from ctiforge.tables import Cell, markdown, markdown_cell, table_of

ABSENT = "–"

_METHODS = {
    "keywords": "fixed rules over the names of systems and of what is found on them",
    "openai": "a language model that was asked for a label and the passages that show it",
    "human": "a person",
}
"""What kind of labeler the first part of its name says."""


def render_text(template: str, values: dict[str, Any]) -> str:
    """Render a card's text from a template of this package; a value that is missing is an error."""
    import jinja2

    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )
    environment.filters |= _FILTERS
    source = (resources.files("ctiforge.release") / template).read_text("utf-8")
    return re.sub(r"\n{3,}", "\n\n", environment.from_string(source).render(values))


def card_table(titles: Sequence[str], rows: Iterable[Sequence[object]], *, left: tuple[int, ...] = (0,)) -> str:
    """Write a table; the columns `left` are aligned so."""
    return markdown([table_of(titles, rows, left=left)])


def figure_with_interval(figure: MetricFigure) -> str:
    """Write a figure, with its interval where it has one."""
    return with_interval(figure.value, figure.low, figure.high)


def with_interval(value: float | None, low: float | None, high: float | None) -> str:
    """Write a share, with its interval where it has one."""
    return share(value) if low is None or high is None else f"{share(value)} ({share(low)} to {share(high)})"


def share(value: float | None) -> str:
    """Write a share with three digits, or that there is none."""
    return ABSENT if value is None else f"{value:.3f}"


def plain(value: Any) -> str:
    """Write a number shortly, anything else as it is."""
    return ABSENT if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)


def code(text: str) -> str:
    """Write a name as code, whatever it holds."""
    return markdown_cell(Cell(text, code=True))


def _line(text: str) -> str:
    """Make one line of a text, whatever it holds."""
    return " ".join(text.split())


def _cell(text: str) -> str:
    return markdown_cell(Cell(text))


def _labeling(labelers: str) -> str:
    """Describe each labeler by what it is; several are joined by a plus."""
    said = []
    for labeler in public_labelers(labelers).split(" + "):
        method = _METHODS.get(labeler.partition(":")[0])
        said.append(f"{code(labeler)}, {method}" if method else code(labeler))
    return "; ".join(said)


_FILTERS: dict[str, Any] = {
    "block": lambda text: "\n".join(f"    {line}".rstrip() for line in text.splitlines()),
    "cell": _cell,
    "cite_key": lambda repo: re.sub(r"\W+", "_", repo.rpartition("/")[2], flags=re.ASCII),
    "code": code,
    "counts": lambda counts: ", ".join(f"{_line(public_labelers(name))} {count}" for name, count in counts.items()),
    "labeling": _labeling,
    "line": _line,
    "name_of": lambda repo: repo.rpartition("/")[2],
    "number": plain,
    "owner_of": lambda repo: repo.partition("/")[0],
    "percent": lambda share: f"{share:.0%}",
    "quoted": lambda names: ", ".join(code(name) for name in names),
    "public_labelers": public_labelers,
    "public_name": public_name,
    "share": share,
    "with_interval": figure_with_interval,
}
