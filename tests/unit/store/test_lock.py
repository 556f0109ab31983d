from pathlib import Path

import pytest

import ctiforge
from ctiforge.errors import UsageError
from ctiforge.store import lock

ROOT = Path(ctiforge.__file__).parents[2]


def test_the_lock_of_this_repository_is_up_to_date() -> None:
    differences = lock.compare(lock.read(ROOT), lock.current(ROOT))
    assert not differences, (
        "\n".join(differences) + "\nRaise the version of each stage that now gives another output, "
        "then refresh the lock with `make stages-lock`."
    )


@pytest.fixture
def root(tmp_path: Path) -> Path:
    files = {
        "jobs/format_extract.py": (
            "from ctiforge.store.stages import Stage\n"
            "STAGE = Stage('format_extract', 3, packages=('transformers',))\n"
            "def main():\n    from ctiforge.extract import format\n"
        ),
        "jobs/testset.py": "import ctiforge.data.rows\n",
        "src/ctiforge/__init__.py": "",
        "src/ctiforge/constraints.txt": "torch==1",
        "src/ctiforge/store/__init__.py": "",
        "src/ctiforge/store/stages.py": "import json\n",
        "src/ctiforge/extract/__init__.py": "",
        "src/ctiforge/extract/format.py": "import ctiforge.data.records as r\nfrom ctiforge.data import rows\n",
        "src/ctiforge/extract/prompts/full.toml": "text = 'find'",
        "src/ctiforge/extract/unused.py": "",
        "src/ctiforge/data/__init__.py": "",
        "src/ctiforge/data/records.py": "",
        "src/ctiforge/data/rows.py": "def read():\n    from ctiforge.store import stages\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def test_what_a_program_reaches(root: Path) -> None:
    found = lock.reached(root, root / "jobs/format_extract.py")
    assert [path.relative_to(root).as_posix() for path in found] == [
        "jobs/format_extract.py",
        "src/ctiforge/__init__.py",
        "src/ctiforge/data/__init__.py",
        "src/ctiforge/data/records.py",
        "src/ctiforge/data/rows.py",
        "src/ctiforge/extract/__init__.py",
        "src/ctiforge/extract/format.py",
        "src/ctiforge/extract/prompts/full.toml",
        "src/ctiforge/store/__init__.py",
        "src/ctiforge/store/stages.py",
    ]


def test_only_programs_that_declare_a_stage_are_locked(root: Path) -> None:
    assert {name: entry.version for name, entry in lock.current(root).items()} == {"format_extract": 3}


@pytest.mark.parametrize(
    "path", ["jobs/format_extract.py", "src/ctiforge/data/rows.py", "src/ctiforge/extract/prompts/full.toml"]
)
def test_a_change_that_is_reached_is_noticed_until_the_lock_is_refreshed(
    root: Path, path: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert lock.main([], root) == 0
    assert lock.main(["--check"], root) == 0
    with (root / path).open("a") as file:
        file.write("\n# changed\n")
    assert lock.main(["--check"], root) == 1
    assert "its source changed, its version is still 3" in capsys.readouterr().out
    assert lock.main([], root) == 0
    assert lock.main(["--check"], root) == 0


def test_a_change_elsewhere_is_not_noticed(root: Path) -> None:
    lock.main([], root)
    (root / "src/ctiforge/extract/unused.py").write_text("x = 1")
    (root / "src/ctiforge/constraints.txt").write_text("torch==2")
    assert lock.main(["--check"], root) == 0


def test_versions_new_and_gone_stages_are_told(root: Path) -> None:
    one, two = lock.Locked(1, "a"), lock.Locked(2, "b")
    assert lock.compare({"x": one, "gone": one}, {"x": two, "new": one}) == [
        "gone: the stage is gone",
        "new: a new stage",
        "x: version 1 → 2: it will be run anew",
    ]


def test_a_version_that_cannot_be_read_is_an_error(root: Path) -> None:
    (root / "jobs/format_extract.py").write_text("Stage(NAME, version=next_version())\n")
    with pytest.raises(UsageError, match="plain constants"):
        lock.current(root)


def test_a_lock_that_cannot_be_read_is_an_error(root: Path) -> None:
    (root / lock.FILE).write_text("<<<<<<< ours")
    with pytest.raises(UsageError, match="make it anew"):
        lock.read(root)
