"""`stages.lock`: per stage its version and a hash of the source it reaches inside ctiforge.

When the source changed and the lock did not, somebody has to decide: the same output (refresh the
lock) or another (raise the stage's number in its program, then refresh it).
`python -m ctiforge.store.lock` refreshes, with `--check` it only compares.
"""

import ast
import hashlib
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import ctiforge
from ctiforge.errors import UsageError

FILE = "stages.lock"


@dataclass(frozen=True)
class Locked:
    """A stage's version and the SHA-256 of the source it reaches."""

    version: int
    source: str


def current(root: Path) -> dict[str, Locked]:
    """Each stage among `root/jobs/*.py`, as it is now: a program is a stage when it says `Stage(name, version, …)`."""
    stages = {}
    for program in sorted((root / "jobs").glob("*.py")):
        declared = _declared(program)
        if declared:
            name, version = declared
            stages[name] = Locked(version, _hash(root, reached(root, program)))
    return stages


def reached(root: Path, program: Path) -> list[Path]:
    """The files of ctiforge whose content can change what the program does, itself included, sorted.

    Those are the modules it imports, anywhere in the file, and so on from there; and the data
    files of every package among them but the outermost.
    """
    source = root / "src"
    found: set[Path] = {program}
    queue = [program]
    while queue:
        for module in _imports(queue.pop(), source):
            if module not in found:
                found.add(module)
                queue.append(module)
    packages = [path.parent for path in found if path.name == "__init__.py" and path.parent.parent != source]
    found.update(data for package in packages for data in _data_files(package))
    return sorted(found)


def compare(locked: dict[str, Locked], now: dict[str, Locked]) -> list[str]:
    """What differs, one line for each stage, with what it means."""
    lines = []
    for name in sorted(locked.keys() | now.keys()):
        old, new = locked.get(name), now.get(name)
        if old == new:
            continue
        if not old:
            lines.append(f"{name}: a new stage")
        elif not new:
            lines.append(f"{name}: the stage is gone")
        elif old.version == new.version:
            lines.append(f"{name}: its source changed, its version is still {new.version}: same output as before?")
        else:
            lines.append(f"{name}: version {old.version} → {new.version}: it will be run anew")
    return lines


def read(root: Path) -> dict[str, Locked]:
    """What the lock says; nothing when there is none. UsageError when it cannot be read."""
    path = root / FILE
    if not path.exists():
        return {}
    try:
        return {name: Locked(**entry) for name, entry in json.loads(path.read_text()).items()}
    except (ValueError, TypeError, AttributeError):
        raise UsageError(f"{path} cannot be read; make it anew with `make stages-lock`") from None


def main(arguments: list[str], root: Path) -> int:
    """Refresh the lock, or with `--check` only compare; 1 when it was to be compared and differs."""
    now = current(root)
    lines = compare(read(root), now)
    print("\n".join(lines) or f"{FILE} is up to date")
    if "--check" in arguments:
        if lines:
            print(
                "Raise the version in the program of each stage that now gives another output, "
                "then refresh the lock with `make stages-lock`.",
                file=sys.stderr,
            )
        return 1 if lines else 0
    text = json.dumps({name: asdict(entry) for name, entry in now.items()}, indent=1)
    (root / FILE).write_text(f"{text}\n")
    return 0


def _declared(program: Path) -> tuple[str, int] | None:
    for node in ast.walk(ast.parse(program.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Stage":
            arguments = dict(zip(("name", "version"), node.args, strict=False))
            arguments.update({keyword.arg: keyword.value for keyword in node.keywords if keyword.arg})
            name, version = (_constant(arguments.get(key)) for key in ("name", "version"))
            if not isinstance(name, str) or not isinstance(version, int):
                raise UsageError(f"{program}: write the stage's name and version as plain constants, for {FILE}")
            return name, version
    return None


def _constant(node: ast.expr | None) -> object:
    return node.value if isinstance(node, ast.Constant) else None


def _imports(path: Path, source: Path) -> Iterator[Path]:
    """The files of the modules of ctiforge that a file imports, with the packages around them."""
    if path.suffix != ".py":
        return
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            continue
        for name in names:
            if name.partition(".")[0] == "ctiforge":
                yield from _files(name, source)


def _files(name: str, source: Path) -> Iterator[Path]:
    path = source
    for part in name.split("."):
        path = path / part
        yield from (file for file in (path / "__init__.py", path.with_name(f"{part}.py")) if file.is_file())


def _data_files(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir():
        if path.is_dir() and path.name != "__pycache__" and not (path / "__init__.py").exists():
            yield from _data_files(path)
        elif path.is_file() and path.suffix not in (".py", ".pyc"):
            yield path


def _hash(root: Path, files: list[Path]) -> str:
    digest = hashlib.sha256()
    for path in files:
        digest.update(f"{path.relative_to(root).as_posix()}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:], Path(ctiforge.__file__).parents[2]))
