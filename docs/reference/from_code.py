"""What the reference pages say, taken from the code; cog puts it into them (make docs-reference)."""

import ast
import importlib
import pkgutil
import sys
from collections.abc import Iterator
from inspect import cleandoc, getsource
from itertools import pairwise
from pathlib import Path
from typing import Any

from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption
from typer.main import get_command

from ctiforge import records, settings
from ctiforge.cli import app
from ctiforge.records.base import File, Record
from ctiforge.settings import setting_names

Command = TyperCommand | TyperGroup
ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "helm"))
import values_table  # noqa: E402


def command_line() -> str:
    """Every verb of the command: what it does, its arguments and flags."""
    return "\n".join(part for name, command in commands() for part in _described(name, command))


def commands() -> Iterator[tuple[str, Command]]:
    """Every verb that does something, by the words that name it, in the order of `ctiforge --help`."""
    root = get_command(app)
    assert isinstance(root, TyperGroup)
    yield from _below("ctiforge", root)


def settings_table() -> str:
    """Every setting under all of its names: in `ctiforge.toml`, as a variable, a flag and a chart's value."""
    texts = _docstrings(settings.Settings)
    rows = [
        f"| `{name}` | `{names.variable}` | {_name(names.flag)} | {_name(names.chart)} | {_default(field.default)} "
        f"| {_cell(field.description or texts[name])} |"
        for name, field in settings.settings_class().model_fields.items()
        for names in [setting_names(name)]
    ]
    head = "| in `ctiforge.toml` | environment | flag of `ctiforge run` | chart | default | what it is |"
    return "\n".join([head, "|---|---|---|---|---|---|", *rows, ""])


def _name(name: str | None) -> str:
    return f"`{name}`" if name else "–"


def chart_values() -> str:
    """The table of the chart's values."""
    values = (values_table.CHART / "values.yaml").read_text(encoding="utf-8")
    table = values_table.with_table(values_table.BEGIN + values_table.END, values)
    return table.removeprefix(values_table.BEGIN).removesuffix(values_table.END)


def schemas_page() -> str:
    """Every file that one room writes and another reads: what it is, its keys, a link to its JSON Schema."""
    return "\n".join(part for kind in file_kinds() for part in _file(kind))


def file_kinds() -> list[type[File]]:
    """Every model of a file, by the file's name."""
    for module in pkgutil.iter_modules(records.__path__):
        importlib.import_module(f"ctiforge.records.{module.name}")
    return sorted(_kinds(File), key=lambda kind: (kind.NAME, kind.__name__))


def _kinds(parent: type[File]) -> Iterator[type[File]]:
    for kind in parent.__subclasses__():
        if hasattr(kind, "NAME"):
            yield kind
        yield from _kinds(kind)


def _file(kind: type[File]) -> Iterator[str]:
    texts = _docstrings(kind)
    yield f"## `{kind.NAME}` ({kind.__name__})\n"
    link = f'<a href="../schemas/{kind.__name__}.json">JSON Schema</a>'
    yield f"{cleandoc(kind.__doc__ or '')}\n\nSchema number {kind.SCHEMA} · {link}\n"
    yield "| key | type | what it is |\n|---|---|---|"
    for name, value in kind.model_json_schema()["properties"].items():
        yield f"| `{name}` | {_type(value)} | {_cell(texts.get(name, ''))} |"
    yield ""


def _type(schema: dict[str, Any]) -> str:
    """The type of a value in words."""
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(map(_type, schema["anyOf"])))
    if "$ref" in schema:
        return f"`{schema['$ref'].rpartition('/')[2]}`"
    if "const" in schema or "enum" in schema:
        return " or ".join(f"`{value}`" for value in schema.get("enum", [schema.get("const")]))
    if schema.get("type") == "array" and "items" in schema:
        return f"list of {_type(schema['items'])}"
    if schema.get("type") == "object" and isinstance(schema.get("additionalProperties"), dict):
        return f"{_type(schema['additionalProperties'])} by name"
    return str(schema.get("format") or schema.get("type") or "any")


def _below(name: str, command: Command) -> Iterator[tuple[str, Command]]:
    if not isinstance(command, TyperGroup):
        yield name, command
        return
    if command.invoke_without_command:
        yield name, command
    for word, each in command.commands.items():
        assert isinstance(each, TyperCommand | TyperGroup)
        yield from _below(f"{name} {word}", each)


def _described(name: str, command: Command) -> Iterator[str]:
    arguments = [each for each in command.params if isinstance(each, TyperArgument)]
    options = [each for each in command.params if isinstance(each, TyperOption) and not _is_common(each)]
    words = [_metavar(each) for each in arguments]
    yield f"## {name}\n"
    yield cleandoc(command.help or "") + "\n"
    yield f"```text\n{' '.join([name, *words, *(['[OPTIONS]'] if options else [])])}\n```\n"
    if arguments:
        yield "\n".join(["| argument | what it is |", "|---|---|"])
        yield from (f"| `{_metavar(each)}` | {_cell(each.help or '')} |" for each in arguments)
        yield ""
    if options:
        yield "\n".join(["| flag | what it is | default |", "|---|---|---|"])
        yield from (f"| {_flags(each)} | {_cell(each.help or '')} | {_default(each.default)} |" for each in options)
        yield ""


def _is_common(option: TyperOption) -> bool:
    return bool({"--help", "--install-completion", "--show-completion"} & set(option.opts))


def _metavar(argument: TyperArgument) -> str:
    name = (argument.metavar or argument.name or "").strip("[]").upper()
    words = f"{name} …" if argument.nargs == -1 else name
    return words if argument.required else f"[{words}]"


def _flags(option: TyperOption) -> str:
    names = ", ".join(f"`{each}`" for each in option.opts)
    return names + "".join(f" / `{each}`" for each in option.secondary_opts)


def _default(value: Any) -> str:
    if value is None or value in ((), [], {}, "") or value is False or repr(value) == "Sentinel.UNSET":
        return ""
    return "on" if value is True else f"`{value}`"


def _cell(text: str) -> str:
    words = " ".join(text.replace("|", r"\|").split()).split("`")
    # inside a code span nothing is markup
    return "`".join(part if number % 2 else part.replace("<", "&lt;") for number, part in enumerate(words))


def _docstrings(kind: type) -> dict[str, str]:
    """The text below each field of a class, those of its parents included."""
    texts: dict[str, str] = {"schema": "Which schema the file follows."} if issubclass(kind, File) else {}
    for each in reversed(kind.__mro__):
        if not each.__module__.startswith("ctiforge.") or each in (File, Record):
            continue
        body = ast.parse(getsource(each)).body[0]
        assert isinstance(body, ast.ClassDef)
        for field, text in pairwise(body.body):
            is_field = isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
            if is_field and isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant):
                texts[field.target.id] = str(text.value.value)
    return texts
