"""The golden files: what is held against them, how one is written, and what a person is told to do."""

import json
from itertools import islice
from pathlib import Path
from typing import Any

from ctiforge.errors import UsageError
from tests.golden.picture import TOLERANCES, differences

FOLDER = Path(__file__).parent
_LINES = 12


def file_of(stage: str, version: int, folder: Path = FOLDER) -> Path:
    """The golden file of a stage's version."""
    return folder / f"{stage}-{version}.json"


def complaint(picture: dict[str, Any], folder: Path = FOLDER) -> str | None:
    """What is wrong with a stage's output, and what to do; None where it is as it is held."""
    stage, version = picture["stage"], picture["version"]
    file = file_of(stage, version, folder)
    if not file.is_file():
        return f"{stage} {version} has no golden output: `make golden ARGS={stage}` writes tests/golden/{file.name}"
    held = json.loads(file.read_text(encoding="utf-8"))
    moved = _moved(held, picture)
    if not moved:
        return None
    lines = [
        f"{stage} {version} makes something else than tests/golden/{file.name} holds:",
        *(f"  {line}" for line in islice(moved, _LINES)),
        *([f"  and {len(moved) - _LINES} more"] if len(moved) > _LINES else []),
        f'If it is meant, raise the number in Stage("{stage}", {version}, …), then `make golden ARGS={stage}`.',
    ]
    others = list(differences(held["made_of"], picture["made_of"], 0))
    if others:
        lines += [
            f"What it is made of is different too: {'; '.join(others)}.",
            f"If that is why, the version stays: remove tests/golden/{file.name}, then `make golden ARGS={stage}`.",
        ]
    return "\n".join(lines)


def check_free(stage: str, version: int, folder: Path = FOLDER) -> None:
    """Raise UsageError where this version's output is held already."""
    file = file_of(stage, version, folder)
    if file.exists():
        raise UsageError(
            f"tests/golden/{file.name} exists and is not overwritten: "
            f'raise the version in the stage\'s program, Stage("{stage}", {version}, …)'
        )


def write(picture: dict[str, Any], folder: Path = FOLDER) -> list[str]:
    """Write a stage's golden file and remove its older versions'; gives back what moved since the newest of them.

    Raises UsageError where this version has one.
    """
    stage, version = picture["stage"], picture["version"]
    check_free(stage, version, folder)
    text = json.dumps(picture, indent=1, ensure_ascii=False)
    file_of(stage, version, folder).write_text(f"{text}\n", encoding="utf-8")
    older = [file for number in range(version) if (file := file_of(stage, number, folder)).exists()]
    moved = _moved(json.loads(older[-1].read_text(encoding="utf-8")), picture) if older else []
    for file in older:
        file.unlink()
    return moved


def _moved(held: dict[str, Any], picture: dict[str, Any]) -> list[str]:
    tolerance = TOLERANCES.get(picture["stage"], TOLERANCES[""])
    # as it would be read back
    now = json.loads(json.dumps(picture))
    return [
        line
        for part in ("artifacts", "registry")
        for line in differences(held.get(part), now.get(part), tolerance, part)
    ]
