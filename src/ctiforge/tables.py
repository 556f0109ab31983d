"""Tables for people, on standard output."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print rows under a title; the first column is text, the others are aligned to the right."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    for index, column in enumerate(columns):
        table.add_column(column, justify="right" if index else "left", overflow="fold")
    for row in rows:
        table.add_row(*(str(cell) for cell in row))
    wide_console().print(table, markup=False, highlight=False)


def wide_console() -> "Console":
    """Give the console of standard output.

    A pipe has no width of its own: 80 columns would fold a table into ruins, so it gets 140.
    """
    from rich.console import Console

    console = Console()
    return console if console.is_terminal else Console(width=140)
