"""Files that cross a wall are typed and named in `ctiforge.records`, and nowhere else."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import ctiforge
from ctiforge.records.article import RECORDS_NAME, TESTSET_NAME
from ctiforge.records.formatted import TRAINED_ON
from ctiforge.records.review import REVIEW_NAME
from ctiforge.records.training import LOG_NAME
from tests.kinds import kinds

PACKAGE = Path(ctiforge.__file__).parent
ROWS = {LOG_NAME, RECORDS_NAME, REVIEW_NAME, TESTSET_NAME, TRAINED_ON}
NAMES = {kind.NAME for kind in kinds() if "<" not in kind.NAME} | ROWS
MODELS = {"BaseModel", "RootModel", "Record", "File"}
EXCEPTIONS = {
    "lines/extract.py": "stages, and what is handed on and collected of them, are all told by name there",
    "lines/os_bert.py": "likewise",
    "programs/testset.py": "a flag's default, which --help shows without importing a model",
}
"""Modules that write such names out, each with why."""


def modules() -> list[Path]:
    return [path for path in sorted(PACKAGE.rglob("*.py")) if path.parent != PACKAGE / "records"]


def names_of(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def named_in(source: str) -> set[str]:
    """The names of files in the texts of a module that are for the program, not for people."""
    tree = ast.parse(source)
    texts = {each for each in ast.walk(tree) if isinstance(each, ast.Constant) and isinstance(each.value, str)}
    texts -= set(for_people(tree))
    return {name for text in texts for name in NAMES if re.search(rf"(?<![\w.<-]){re.escape(name)}(?!\w)", text.value)}


def for_people(tree: ast.AST) -> Iterator[ast.Constant]:
    """Docstrings, helps of flags, and what errors and warnings say."""
    for each in ast.walk(tree):
        if isinstance(each, ast.Expr):
            yield from constants(each.value) if isinstance(each.value, ast.Constant) else ()
        elif isinstance(each, ast.keyword) and each.arg == "help":
            yield from constants(each.value)
        elif isinstance(each, ast.Call) and called(each).endswith(("Error", "print", "warn", "echo")):
            yield from constants(each)


def constants(node: ast.AST) -> Iterator[ast.Constant]:
    return (each for each in ast.walk(node) if isinstance(each, ast.Constant))


def called(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def models_in(source: str) -> list[str]:
    """The classes of a module that are models of pydantic."""
    classes = [each for each in ast.walk(ast.parse(source)) if isinstance(each, ast.ClassDef)]
    return [each.name for each in classes if MODELS & {base.split("[")[0] for base in map(ast.unparse, each.bases)}]


@pytest.mark.parametrize("path", modules(), ids=names_of)
def test_no_other_room_types_a_file_or_names_one(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    assert models_in(source) == [], "what is handed over in a file has its model in ctiforge.records"
    expected = names_of(path) in EXCEPTIONS
    assert bool(named_in(source)) == expected, f"{named_in(source)}: take the model's NAME"


def test_every_exception_is_of_a_module_that_is_there() -> None:
    assert set(EXCEPTIONS) <= set(map(names_of, modules()))


@pytest.mark.parametrize(
    "text",
    ['"evaluation.json"', 'f"{uri}/evaluation.json"', 'fetch(uri + "/manifest.json")', '["log.jsonl"]',
     "re.compile('train|report.json')"],
)  # fmt: skip
def test_a_name_is_found_in_what_is_for_the_program(text: str) -> None:
    assert len(named_in(f"x = {text}")) == 1


@pytest.mark.parametrize(
    "text",
    ['"""Reads evaluation.json."""', 'Option(help="A file, evaluation.json.")', '"my-evaluation.json"',
     '"evaluation.jsonp"',
     'raise UsageError(f"{path}: give its evaluation.json")'],
)  # fmt: skip
def test_a_text_for_people_names_what_it_will(text: str) -> None:
    assert named_in(text) == set()
