"""What one room offers another says what it takes, what it gives back and how it fails."""

import ast
import inspect
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from ctiforge import errors

SOURCE = Path(__file__).parents[2] / "src" / "ctiforge"
# The command line documents itself (docs/reference/command-line.md); the launcher is imported by it alone.
LEFT_OUT = ("cli", "programs", "launcher", "reporting.view")
ERRORS = {name for name, value in vars(errors).items() if inspect.isclass(value) and issubclass(value, Exception)}
Function = ast.FunctionDef | ast.AsyncFunctionDef


@cache
def modules() -> dict[str, ast.Module]:
    """Every module of the package by its name, without the package's own."""
    found = {}
    for path in sorted(SOURCE.rglob("*.py")):
        name = ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix("__init__").rstrip(".")
        found[name] = ast.parse(path.read_text(encoding="utf-8"))
    return found


def room(module: str) -> str:
    return module.split(".")[0]


def offered() -> Iterator[tuple[str, Function | ast.ClassDef]]:
    """The functions and classes that a module of another room imports."""
    wanted = {
        (node.module.removeprefix("ctiforge").lstrip("."), alias.name)
        for importer, tree in modules().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "ctiforge"
        for alias in node.names
        if room(node.module.removeprefix("ctiforge").lstrip(".")) != room(importer)
    }
    for module, tree in modules().items():
        if any(module == left or module.startswith(f"{left}.") for left in LEFT_OUT):
            continue
        for node in tree.body:
            if isinstance(node, Function | ast.ClassDef) and (module, node.name) in wanted:
                yield module, node


def functions() -> Iterator[tuple[str, Function]]:
    """The functions that are offered, and the public methods of the classes that are."""
    for module, node in offered():
        if isinstance(node, ast.ClassDef):
            for method in node.body:
                if isinstance(method, Function) and not method.name.startswith("_"):
                    yield f"{module}.{node.name}.{method.name}", method
        else:
            yield f"{module}.{node.name}", node


def parameters(function: Function) -> list[str]:
    found = function.args
    every = [*found.posonlyargs, *found.args, found.vararg, *found.kwonlyargs, found.kwarg]
    return [each.arg for each in every if each is not None and each.arg not in ("self", "cls")]


def section(doc: str, title: str) -> dict[str, str] | None:
    """What stands in one section of a docstring, by name; None where there is no such section."""
    lines = doc.splitlines()
    if f"{title}:" not in lines:
        return None
    named: dict[str, str] = {}
    for line in lines[lines.index(f"{title}:") + 1 :]:
        if line and not line.startswith(" "):
            break
        if entry := re.match(r" {4}\*{0,2}(\w+)(?: \([^)]*\))?: (.+)", line):
            named[entry[1]] = entry[2]
    return named


def own_nodes(function: Function) -> Iterator[ast.AST]:
    """The nodes of a function's body, without those of the functions inside it."""
    waiting: list[ast.AST] = list(function.body)
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, Function | ast.ClassDef | ast.Lambda):
            waiting.extend(ast.iter_child_nodes(node))


def raised(function: Function) -> set[str]:
    """The errors of `ctiforge.errors` that a function raises itself."""
    found = set()
    for node in own_nodes(function):
        if isinstance(node, ast.Raise) and node.exc is not None:
            error = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
            if isinstance(error, ast.Name):
                found.add(error.id)
    return found & ERRORS


def gives_back(function: Function) -> bool:
    returns = function.returns
    nothing = isinstance(returns, ast.Constant) and returns.value is None
    never = isinstance(returns, ast.Name) and returns.id in ("NoReturn", "Never")
    return returns is not None and not nothing and not never


def faults(function: Function) -> Iterator[str]:
    doc = ast.get_docstring(function) or ""
    taken = parameters(function)
    said = section(doc, "Args")
    if taken and said is None:
        yield "no Args"
    elif list(said or {}) != taken:
        yield f"Args has {list(said or {})}, the function {taken}"
    if gives_back(function) and taken and "\nReturns:\n" not in doc and "\nYields:\n" not in doc:
        yield "no Returns or Yields"
    if untold := raised(function) - set(section(doc, "Raises") or {}):
        yield f"Raises lacks {sorted(untold)}"


def fields(record: ast.ClassDef) -> set[str]:
    return {
        node.target.id
        for node in record.body
        if isinstance(node, ast.AnnAssign)
        and isinstance(node.target, ast.Name)
        and not node.target.id.startswith("_")
        and not ast.unparse(node.annotation).startswith("ClassVar")
    }


def described_fields(record: ast.ClassDef) -> set[str]:
    """The fields that a class describes: under Attributes, in a string below or in `description=`."""
    told = set(section(ast.get_docstring(record) or "", "Attributes") or {})
    for node, behind in zip(record.body, [*record.body[1:], None], strict=True):
        if not isinstance(node, ast.AnnAssign) or not isinstance(node.target, ast.Name):
            continue
        below = isinstance(behind, ast.Expr) and isinstance(behind.value, ast.Constant)
        in_field = isinstance(node.value, ast.Call) and any(k.arg == "description" for k in node.value.keywords)
        if below or in_field:
            told.add(node.target.id)
    return told


@pytest.mark.parametrize("function", [pytest.param(function, id=name) for name, function in functions()])
def test_a_function_says_what_it_takes_gives_and_raises(function: Function) -> None:
    assert list(faults(function)) == []


@pytest.mark.parametrize(
    "record",
    [pytest.param(node, id=f"{module}.{node.name}") for module, node in offered() if isinstance(node, ast.ClassDef)],
)
def test_a_class_says_what_its_fields_are(record: ast.ClassDef) -> None:
    assert fields(record) - described_fields(record) == set()


def test_what_is_looked_at_is_most_of_the_package() -> None:
    names = [name for name, _ in functions()]
    assert len(names) > 200
    assert {"store.artifacts.fetch", "store.objects.ObjectStore.read", "training.trainer.train"} <= set(names)
