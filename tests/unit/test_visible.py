"""What of an article would command a terminal is written out wherever it is shown."""

import io
import json

import pytest
import typer
from rich.console import Console

from ctiforge.errors import DataError
from ctiforge.evaluation.tables.evaluation import article_view
from ctiforge.launcher.view import LiveView
from ctiforge.pod.entry import exit_on_error
from ctiforge.progress import warn
from ctiforge.records.evaluation import ArticleScore
from ctiforge.tables import Cell, Column, Mark, Table, print_tables
from ctiforge.visible import visible, visible_in_color
from tests.in_process import captured, exit_code

ODD = "a\x1b[2Jb\x1b]0;title\x07c\x9bd\u202ee\u2066f\rg\x7fh\ud800"
WRITTEN = r"a\u001b[2Jb\u001b]0;title\u0007c\u009bd\u202ee\u2066f\u000dg\u007fh\ud800"


def test_commands_are_written_out_and_layout_stays() -> None:
    assert visible(ODD) == WRITTEN
    kept = "one\ttwo\r\nthree\nnaïve → 東京 \U0001f600"
    assert visible(kept) == kept


def test_json_means_the_same_afterwards() -> None:
    text = json.dumps({"value": ODD}, ensure_ascii=False, indent=1)
    assert json.loads(visible(text)) == {"value": ODD}


def test_only_colors_of_our_own_programs_pass() -> None:
    assert visible_in_color("\x1b[1;31mred\x1b[0m\x1b[2J") == "\x1b[1;31mred\x1b[0m\\u001b[2J"


def test_tables_write_them_out_in_color() -> None:
    rows = ((Cell(ODD), Cell(mark=Mark("bad", "↓", ODD))),)
    table = Table(ODD, (Column(ODD), Column("mark")), rows, note=ODD)
    said = on_terminal(table, Cell(ODD, strong=True))
    assert said.count(WRITTEN) == 6
    assert "\x1b[31m" in said  # rich's own red
    assert visible_in_color(said) == said


def test_an_article_is_laid_out_without_them() -> None:
    score = ArticleScore.model_construct(id=ODD, title=ODD, url=ODD, error=ODD, counts={})
    said = on_terminal(*article_view(score))
    assert said.count(WRITTEN) == 4
    assert visible_in_color(said) == said


def test_errors_and_warnings_write_them_out() -> None:
    def fail() -> None:
        warn(ODD)
        raise DataError(f"{ODD}\nsecond line")

    with captured() as (_, errors):
        assert exit_code(lambda: exit_on_error(fail)) == 3
    assert errors.getvalue() == f"warning: {WRITTEN}\nerror: {WRITTEN}\nsecond line\n"


def test_what_a_stage_says_and_what_runs_are_called_is_written_out(
    monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    from ctiforge.launcher import looking

    said: list[str] = []
    monkeypatch.setattr(typer, "echo", said.append)
    monkeypatch.setattr("ctiforge.launcher.report.describe_runs", lambda _store: ODD)
    looking.runs(store=str(tmp_path))
    assert said == [WRITTEN]
    with io.StringIO() as file:
        LiveView([], Console(file=file, width=200)).say(ODD)
        assert file.getvalue() == f"{WRITTEN}\n"


def on_terminal(*parts: Table | Cell) -> str:
    with io.StringIO() as file:
        print_tables(parts, Console(file=file, width=400, color_system="standard", force_terminal=True))
        return file.getvalue()
