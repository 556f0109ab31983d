"""One table says the same on a terminal, in plain text, in Markdown and on a report's page."""

import ast
import html
import io
import re
from pathlib import Path

import pytest
from rich.console import Console

from ctiforge.reporting.render import render
from ctiforge.reporting.view import Report, Section, Verdict
from ctiforge.tables import Cell, IntervalPlot, Mark, Table, markdown, plain_text, print_tables, table_of

SOURCE = Path(__file__).parents[2] / "src" / "ctiforge"
ROWS = [
    ["all", 0.4, Cell("0.857", strong=True), Cell(mark=Mark("good", "↑", "better"))],
    ["cmdline", 0.5, Cell("0.25", below="0.2 … 0.3"), Cell(mark=Mark("bad", "↓", "worse"))],
    ["length: long", "n/a", "n/a", Cell(mark=Mark("unsure", "·", "underpowered"))],
]
TABLE = table_of(("", "before", "after", "verdict"), ROWS, caption="old against new", left=(0, -1), breaks=(2,))
ODD = ["a | b", "a\\| b", "[red]x[/red]", "<b>&amp;</b>", ":smile:", "`code`", "one\ntwo", "**"]


def terminal(table: Table, width: int = 120) -> str:
    with io.StringIO() as file:
        print_tables([table], Console(file=file, width=width, color_system="standard", force_terminal=True))
        return file.getvalue()


def page(table: Table) -> str:
    verdict = Verdict(Mark("plain", "–", "no verdict"), "")
    return render(Report("run", "", "", (), verdict, (Section("tables", "", "", (table,)),)))


def on_page(table: Table) -> list[list[str]]:
    """The texts of the cells of the page's table, as a browser shows them."""
    rows = re.findall(r"<tr>(.*?)</tr>", page(table), re.DOTALL)[1:]
    found = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL) for row in rows]
    return [[html.unescape(re.sub("<[^>]*>", "", cell)).replace("\xa0", " ") for cell in row] for row in found]


def in_markdown(table: Table) -> list[list[str]]:
    """The texts of the cells, read as GitHub's Markdown does."""
    lines = [line for line in markdown([table]).splitlines() if line.startswith("|")][2:]
    escape = re.compile(r"\\([!-/:-@\[-`{-~])")
    cells = [re.findall(r"((?:\\.|[^|\\])*)\|", line[1:]) for line in lines]
    return [[escape.sub(r"\1", cell).strip() for cell in row] for row in cells]


def test_every_renderer_shows_the_same_cells() -> None:
    said = [[cell.said for cell in row] for row in TABLE.rows]
    assert said[0] == ["all", "0.4", "0.857", "↑ better"]
    assert [re.split(" {3,}", line.strip()) for line in plain_text([TABLE], 120).splitlines()[4:]] == [
        *said[:2],
        [""],
        said[2],
        [""],
    ]
    assert in_markdown(TABLE) == [["all", "0.4", "**0.857**", "↑ better"], *said[1:]]
    assert on_page(TABLE) == [said[0], ["cmdline", "0.5", "0.250.2 … 0.3", "↓ worse"], said[2]]


def test_caption_heads_and_note_are_in_all_three() -> None:
    noted = Table(TABLE.caption, TABLE.columns, TABLE.rows, note="what it rests on")
    for text in (plain_text([noted], 120), markdown([noted]), page(noted)):
        at = [text.index(part) for part in ("old against new", "before", "cmdline", "what it rests on")]
        assert at == sorted(at)
    assert markdown([noted]).startswith("### old against new\n\n|  | before | after | verdict |\n|---|---:|---:|---|\n")


def test_numbers_are_right_aligned_and_judgements_have_a_tone() -> None:
    shown = terminal(TABLE)
    assert "\x1b[32m↑ better\x1b[0m" in shown
    assert "\x1b[31m↓ worse\x1b[0m" in shown
    assert "\x1b[33m· underpowered\x1b[0m" in shown
    head, *rows = [line for line in plain_text([TABLE], 120).splitlines() if re.search("before|all|n/a", line)]
    end = head.index("before") + len("before")
    assert {line[:end].rstrip() == line[:end] for line in rows} == {True}
    text = page(TABLE)
    assert '<td class="number">0.4</td>' in text
    assert '<span class="said good">' in text


def test_a_section_is_set_off() -> None:
    lines = [line.strip() for line in plain_text([TABLE], 120).splitlines()]
    assert lines[lines.index(next(line for line in lines if line.startswith("length"))) - 1] == ""
    assert page(TABLE).count("<tbody>") == 2


@pytest.mark.parametrize("odd", ODD)
def test_odd_texts_are_shown_as_they_are_and_break_nothing(odd: str) -> None:
    table = table_of(("", odd), [["first", odd], [odd, 1]], caption=odd)
    one_line = " ".join(odd.split())
    assert in_markdown(table) == [["first", one_line], [one_line, "1"]]
    assert on_page(table) == [["first", odd], [odd, "1"]]
    for shown in (plain_text([table], 120), terminal(table)):
        assert shown.count(odd.splitlines()[-1]) >= 4


def test_code_in_markdown_cannot_be_left() -> None:
    assert markdown([Cell("a`b | <c>", code=True)]) == r"`ab \| <c>`"


def test_a_picture_is_told_where_none_can_be_drawn() -> None:
    table = table_of(("", "0 to 1"), [["all", Cell(plot=IntervalPlot("F1 0.5, interval 0.4 … 0.6", 50, 40, 60))]])
    assert "F1 0.5, interval 0.4 … 0.6" in plain_text([table], 120)
    assert in_markdown(table) == [["all", "F1 0.5, interval 0.4 … 0.6"]]
    assert 'aria-label="F1 0.5, interval 0.4 … 0.6"' in page(table)


def test_a_word_too_wide_for_its_column_is_folded_not_cut() -> None:
    name = "publisher/" + "x" * 60
    assert name in re.sub(r"\s", "", plain_text([table_of(("", "articles"), [[name, 1]])], 40)).replace("1", "")


def test_a_cell_between_tables_is_a_line() -> None:
    parts = [TABLE, Cell("[note] for | all")]
    assert plain_text(parts, 120).endswith("\n[note] for | all\n")
    assert markdown(parts).endswith("|\n\n[note] for \\| all")


@pytest.mark.parametrize(("drawing", "home"), [("rich.table", "tables.py"), ("matplotlib", "plots.py")])
def test_one_module_draws(drawing: str, home: str) -> None:
    def imports(path: Path) -> set[str]:
        found = set()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        return {name for name in found if f"{name}.".startswith(f"{drawing}.")}

    assert [str(path.relative_to(SOURCE)) for path in sorted(SOURCE.rglob("*.py")) if imports(path)] == [home]
