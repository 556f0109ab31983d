import ast
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from ctiforge.pod.extras import EXTRAS, how_to_install

ROOT = Path(__file__).parents[3]
CORE = ("botocore", "obstore", "pydantic", "pydantic_core", "pydantic_settings", "rich", "typer")
"""What comes with the package itself."""
ALONG = {"httpx2", "markupsafe", "pyarrow", "safetensors", "tokenizers", "urllib3", "yaml"}
"""What comes with a package of the extra."""


def test_every_package_that_the_code_imports_is_known() -> None:
    known = {*CORE, *(module for modules in EXTRAS.values() for module in modules)}
    assert imported() - known == set()


@pytest.mark.parametrize("extra", EXTRAS)
def test_modules_stand_under_the_extra_that_brings_them(extra: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    named = [each.partition(";")[0].partition("<")[0].strip() for each in project["optional-dependencies"][extra]]
    distributions = packages_distributions()
    for module in {*EXTRAS[extra]} - ALONG:
        assert {name.lower() for name in distributions[module]} & {*named}, module


def test_the_page_about_machines_has_every_extra() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    page = (ROOT / "docs/machines.md").read_text(encoding="utf-8")
    for extra in project["optional-dependencies"]:
        assert f"\n| `{extra}` | " in page


def test_what_is_missing_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg2", None)
    missing = ModuleNotFoundError("No module named 'psycopg2'", name="psycopg2.extensions")
    assert how_to_install(missing) == "this needs psycopg2, which is not installed here: pip install 'ctiforge[cpu]'"


@pytest.mark.parametrize("name", ["ctiforge.nothing", "nothing", "numpy.nothing", None])
def test_a_fault_of_the_code_is_none_of_the_installation(name: str | None) -> None:
    assert how_to_install(ModuleNotFoundError("No module", name=name)) is None


def imported() -> set[str]:
    """The packages that the code imports somewhere, other than Python's own and itself."""
    found: set[str] = set()
    for path in (ROOT / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {each.name.partition(".")[0] for each in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                found.add(node.module.partition(".")[0])
    return found - {*sys.stdlib_module_names, "ctiforge"}
