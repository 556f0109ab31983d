"""The documentation builds without a warning, and what is made of the code is as the code is."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from ctiforge.errors import ExitCode
from ctiforge.settings import setting_names, settings_class

ROOT = Path(__file__).parents[3]
DOCS = ROOT / "docs"
MADE_OF_CODE = ("command-line", "settings", "chart-values", "schemas")
DRAWINGS = ("pipeline", "windows", "pod-states", "interval")


@pytest.fixture(scope="module", autouse=True)
def _paths() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for folder in ("pictures", "reference"):
            patch.syspath_prepend(str(DOCS / folder))
        yield


def test_the_documentation_builds_without_a_warning(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "sphinx", "--fail-on-warning", "--quiet", "-d", str(tmp_path / "doctrees")]
    done = subprocess.run([*command, str(DOCS), str(tmp_path / "html")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "html/reference/schemas.html").read_text(encoding="utf-8")
    linked = re.findall(r'href="(\.\./schemas/[^"]+)"', page)
    assert len(linked) == len(set(linked)) > 5
    for target in linked:
        schema = json.loads((tmp_path / "html/reference" / target).read_text(encoding="utf-8"))
        Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize("page", MADE_OF_CODE)
def test_pages_that_are_made_of_the_code_are_current(page: str) -> None:
    path = DOCS / f"reference/{page}.md"
    command = [sys.executable, "-m", "cogapp", "-I", str(DOCS / "reference"), "--check", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.stdout}{done.stderr}run: make docs-reference"


def test_every_verb_and_every_flag_has_a_text() -> None:
    from from_code import commands

    for name, command in commands():
        assert command.help, name


def test_every_setting_is_on_its_page() -> None:
    page = (DOCS / "reference/settings.md").read_text(encoding="utf-8")
    for name in settings_class().model_fields:
        assert re.search(rf"^\| `{name}` \| `{setting_names(name).variable}` \| .* \| \S", page, re.MULTILINE), name


def test_every_exit_code_is_on_its_page() -> None:
    page = (DOCS / "reference/exit-codes.md").read_text(encoding="utf-8")
    assert [int(code) for code in re.findall(r"^\| (\d+) \|", page, re.MULTILINE)] == sorted({*ExitCode, 130})


def test_the_tables_of_the_gate_are_those_that_were_measured() -> None:
    page = (DOCS / "concepts/evidence.md").read_text(encoding="utf-8")
    block = page.partition("<!-- gate:begin -->")[2].partition("<!-- gate:end -->")[0]
    rows = [line for line in block.splitlines() if line.startswith("|")]
    measured = max((ROOT / "benchmarks/results").glob("gate-*.md")).read_text(encoding="utf-8").splitlines()
    assert len(rows) > 20
    assert [row for row in rows if row not in measured] == []


@pytest.mark.parametrize("name", DRAWINGS)
def test_drawings_are_those_of_their_script(name: str) -> None:
    from draw import pictures

    assert pictures()[name] == (DOCS / f"pictures/{name}.svg").read_text(encoding="utf-8"), "run: make pictures"


def test_drawings_and_captures_ask_for_nothing_from_elsewhere() -> None:
    for picture in (DOCS / "pictures").glob("*.svg"):
        urls = re.findall(r"https?://[^\s\"')]+", picture.read_text(encoding="utf-8"))
        assert {url for url in urls if not url.startswith(("http://www.w3.org/", "https://www.textualize.io"))} == set()


def test_a_terminals_bars_are_read_as_they_stay() -> None:
    from capture import screen

    frames = (
        "plan\r\n\x1b[?25la 0%\r\nb 0%\r\n"
        + "\x1b[1A\x1b[2K\x1b[1A\x1b[2K\x1b[32ma 100%\x1b[0m\r\nb 100%\r\n"
        + "end\r\n"
    )
    assert screen(frames) == ["plan", "\x1b[32ma 100%\x1b[0m", "b 100%", "end", ""]


def test_captured_text_names_no_folder_of_the_machine_that_it_was_made_on() -> None:
    for path in (DOCS / "output").iterdir():
        assert not re.search(r"(?<![\w.])/(tmp|home|root|work|Users)/", path.read_text(encoding="utf-8")), path.name
    assert "/tmp/" not in (DOCS / "pictures/terminal.svg").read_text(encoding="utf-8")
