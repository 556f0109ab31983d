"""One table for all who read: on a terminal, as plain text and as Markdown; a report's page shows the same."""

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from io import StringIO
from typing import TYPE_CHECKING, ClassVar, Literal

from ctiforge.visible import visible

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table as RichTable
    from rich.text import Text

Tone = Literal["good", "bad", "unsure", "plain"]
Look = Literal["lined", "flush", "bare", "even"]
"""On a terminal: a line below the heads; the same, not set in; no line; a line, and columns of one width."""

_CAPTIONS = {"lined": "bold", "flush": "italic", "bare": "bold", "even": ""}
_STYLES = {"good": "green", "bad": "red", "unsure": "yellow", "plain": ""}


@dataclass(frozen=True)
class Mark:
    """A judgement: never by color alone, so it has a word too, and mostly a symbol."""

    tone: Tone
    """Which color it has, where there are colors."""
    symbol: str
    """An arrow, a tick or the like; empty where the word is enough."""
    word: str
    """The judgement."""


@dataclass(frozen=True)
class IntervalPlot:
    """A dot with its whisker, which pages draw; positions in percent of the plot's width."""

    says: str
    """The same in words."""
    value: float
    """Where the dot is."""
    low: float | None = None
    """Where the whisker begins; None without one."""
    high: float | None = None
    """Where it ends."""
    zero: float | None = None
    """Where a line marks no difference."""
    bar: bool = False
    """Drawn as a bar from the left, instead of a dot."""


@dataclass(frozen=True)
class Cell:
    """One cell of a table, or a line of its own between tables."""

    text: str = ""
    """What it says, where neither a mark nor a plot says it."""
    below: str = ""
    """What stands smaller below it on a page, and in brackets behind it elsewhere."""
    mark: Mark | None = None
    """A judgement instead of the text."""
    plot: IntervalPlot | None = None
    """A drawing instead of the text."""
    shade: int | None = None
    """0 (none) to 5 (all of the row), of a cell that is one of a row's shares; pages show it."""
    strong: bool = False
    """Whether it is in bold."""
    code: bool = False
    """Whether it is a name or a command, which stands as it is."""

    @property
    def said(self) -> str:
        """All of it in words."""
        shown = self.text
        if self.mark:
            shown = f"{self.mark.symbol} {self.mark.word}".strip()
        elif self.plot:
            shown = self.plot.says
        return f"{shown} ({self.below})".strip() if self.below else shown


@dataclass(frozen=True)
class Column:
    """The head of a column; numbers are aligned to the right."""

    title: str
    """What its cells are."""
    is_number: bool = True
    """Whether they are aligned to the right."""


@dataclass(frozen=True)
class Table:
    """Rows under heads; the first cell of a row names it."""

    kind: ClassVar[str] = "table"
    caption: str
    """Stands above it; empty for none."""
    columns: tuple[Column, ...]
    """Their heads, from the left."""
    rows: tuple[tuple[Cell, ...], ...]
    """A cell for each column."""
    note: str = ""
    """Stands below it."""
    breaks: tuple[int, ...] = ()
    """Numbers of the rows that begin a section."""
    is_folded: bool = False
    """Shown on a page when it is asked for."""
    look: Look = "lined"
    """How a terminal shows it."""


def table_of(
    titles: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    caption: str = "",
    left: Collection[int] = (0,),
    breaks: Iterable[int] = (),
    look: Look = "lined",
) -> Table:
    """Build a table of cells or plain values.

    Args:
        titles: The heads of the columns.
        rows: A row a line; what is no cell becomes one by `str`.
        caption: Stands above the table.
        left: Places of the columns that hold text, from 0, or from -1 at the end; the others hold numbers.
        breaks: Numbers of the rows that begin a section.
        look: How a terminal shows it.

    Returns:
        The table.
    """
    places = {place % len(titles) for place in left}
    return Table(
        caption,
        tuple(Column(title, is_number=place not in places) for place, title in enumerate(titles)),
        tuple(tuple(each if isinstance(each, Cell) else Cell(str(each)) for each in row) for row in rows),
        breaks=tuple(breaks),
        look=look,
    )


def wide_console(width: int = 140) -> "Console":
    """Open standard output for tables.

    Args:
        width: Columns where it is no terminal, as 80 of them would fold tables into ruins.

    Returns:
        A console of rich.
    """
    from rich.console import Console

    console = Console()
    return console if console.is_terminal else Console(width=width)


def print_tables(parts: Iterable[Table | Cell], console: "Console") -> None:
    """Print tables, and cells as lines between them; texts are never taken for markup nor for commands of the terminal.

    Args:
        parts: What is printed, in order.
        console: A console of rich.
    """
    from rich.text import Text

    for part in parts:
        if isinstance(part, Cell):
            console.print(_styled(part))
            continue
        if part.caption:
            console.print(Text(visible(part.caption), style=_CAPTIONS[part.look]))
        console.print(_grid(part))
        if part.note:
            console.print(Text(visible(part.note)))


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print rows under a title on standard output.

    Args:
        title: Stands above the table.
        columns: Their heads; the first column is text, the others are numbers.
        rows: A row a line.
    """
    print_tables([table_of(columns, rows, caption=title, look="flush")], wide_console())


def plain_text(parts: Iterable[Table | Cell], width: int) -> str:
    """Render what `print_tables` prints, as a terminal without colors shows it.

    Args:
        parts: Tables, and cells as lines between them.
        width: Columns of the terminal.

    Returns:
        Lines with an end each.
    """
    from rich.console import Console

    with StringIO() as file:
        print_tables(parts, Console(file=file, width=width, color_system=None))
        return file.getvalue()


def markdown(parts: Iterable[Table | Cell]) -> str:
    """Render the same as Markdown (GitHub's tables), a caption as a heading of the third level.

    Args:
        parts: Tables, and cells as lines between them.

    Returns:
        Text without a last end of line.
    """
    return "\n\n".join(markdown_cell(part) if isinstance(part, Cell) else _markdown_table(part) for part in parts)


def markdown_cell(cell: Cell) -> str:
    """Render a cell as one line that breaks no table and no markup.

    Args:
        cell: What it says.

    Returns:
        Markdown.
    """
    text = " ".join(cell.said.split())
    if cell.code:
        return "`" + text.replace("|", r"\|").replace("`", "") + "`"
    # a backslash before what is escaped would be taken for the escape
    escaped = re.sub(r"(\\*)([|<])", r"\1\1\\\2", text)
    return f"**{escaped}**" if cell.strong and escaped else escaped


def _grid(table: Table) -> "RichTable":
    from rich.box import SIMPLE_HEAD
    from rich.table import Table as RichTable
    from rich.text import Text

    is_even = table.look == "even"
    grid = RichTable(box=None if table.look == "bare" else SIMPLE_HEAD, pad_edge=table.look != "flush", expand=is_even)
    for column in table.columns:
        grid.add_column(
            Text(visible(column.title)),
            justify="right" if column.is_number else "left",
            overflow="fold",
            ratio=1 if is_even else None,
        )
    for number, row in enumerate(table.rows):
        if number in table.breaks:
            grid.add_section()
        grid.add_row(*map(_styled, row))
    return grid


def _styled(cell: Cell) -> "Text":
    from rich.text import Text

    text = Text(visible(cell.said))
    text.stylize(_STYLES[cell.mark.tone] if cell.mark else "bold" if cell.strong else "")
    return text


def _markdown_table(table: Table) -> str:
    heads = [markdown_cell(Cell(column.title)) for column in table.columns]
    rule = "".join("---:|" if column.is_number else "---|" for column in table.columns)
    grid = [_line(heads), f"|{rule}", *(_line(map(markdown_cell, row)) for row in table.rows)]
    caption, note = (markdown_cell(Cell(text)) for text in (table.caption, table.note))
    return "\n\n".join(part for part in (f"### {caption}" if caption else "", "\n".join(grid), note) if part)


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
