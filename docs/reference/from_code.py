"""What the reference pages say, taken from the code; cog puts it into them (make docs-reference)."""

import ast
import sys
from collections.abc import Iterator
from inspect import cleandoc, getsource
from pathlib import Path
from typing import Any

from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption
from typer.main import get_command

from ctiforge import settings
from ctiforge.cli import app

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
    """Every setting: name in `ctiforge.toml`, variable, default, text."""
    texts = _docstrings()
    rows = [
        f"| `{name}` | `CTIFORGE_{name.upper()}` | {_default(field.default)} | {_cell(texts[name])} |"
        for name, field in settings.Settings.model_fields.items()
    ]
    return "\n".join(["| in `ctiforge.toml` | environment | default | what it is |", "|---|---|---|---|", *rows, ""])


def chart_values() -> str:
    """The table of the chart's values."""
    values = (values_table.CHART / "values.yaml").read_text(encoding="utf-8")
    table = values_table.with_table(values_table.BEGIN + values_table.END, values)
    return table.removeprefix(values_table.BEGIN).removesuffix(values_table.END)


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
    return " ".join(text.replace("|", r"\|").replace("<", "&lt;").split())


def _docstrings() -> dict[str, str]:
    """The text below each field of the settings."""
    body = ast.parse(getsource(settings.Settings)).body[0]
    assert isinstance(body, ast.ClassDef)
    texts = {}
    for field, text in zip(body.body, body.body[1:], strict=False):
        is_text = isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant)
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and is_text:
            texts[field.target.id] = str(text.value.value)  # type: ignore[attr-defined]
    return texts
