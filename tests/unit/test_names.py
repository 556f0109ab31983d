"""A name means one thing in the whole package, and what is asked in many rooms is answered in one."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src" / "ctiforge"
TWICE = {
    "LineArgument": "the launcher's flags have a help of their own",
    "StoreFlag": "the launcher's flags have a help of their own",
}


def modules() -> Iterator[tuple[Path, str]]:
    for path in sorted(SOURCE.rglob("*.py")):
        yield path, path.read_text(encoding="utf-8")


def named(tree: ast.Module) -> Iterator[str]:
    """The classes anywhere in a module, and the names that it gives to types."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            yield node.name
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            name = node.targets[0].id
            if re.fullmatch(r"_?[A-Z]\w*[a-z]\w*", name) and not _is_type_variable(node.value):
                yield name


def _is_type_variable(value: ast.expr) -> bool:
    return isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id == "TypeVar"


def test_no_class_has_the_name_of_another() -> None:
    places = defaultdict(list)
    for path, text in modules():
        for name in named(ast.parse(text)):
            places[name].append(str(path.relative_to(SOURCE)))
    double = {name: found for name, found in places.items() if len(found) > 1}
    assert {name: found for name, found in double.items() if name not in TWICE} == {}
    assert set(TWICE) <= set(double)


@pytest.mark.parametrize(
    ("what", "pattern", "home"),
    [
        ("the platforms", r'"Windows", "Linux", "MacOS"[)\]]', "records/observable.py"),
        ("the arrow of a lineage", r'" -> "', "records/observable.py"),
        ("what is an endpoint's address", r"https\?://\[\^/\]", "endpoints.py"),
        ("that a quota is over", "insufficient_quota", "endpoints.py"),
    ],
)
def test_one_file_says(what: str, pattern: str, home: str) -> None:
    assert [str(path.relative_to(SOURCE)) for path, text in modules() if re.search(pattern, text)] == [home], what
