from pathlib import Path

import pytest

import ctiforge
from ctiforge.store import stages


def test_an_installed_package_has_its_public_version() -> None:
    version = stages.package_version("pydantic")
    assert version[0].isdigit()
    assert "+" not in version


def test_a_package_that_is_not_installed_has_its_pinned_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "src" / "ctiforge"
    package.mkdir(parents=True)
    lines = "# pins\nnot-there==1.2.3+cpu ; python_version > '3.10'  # why\nother >= 2\nNot_Here.Either==4\n"
    (tmp_path / "constraints.txt").write_text(lines)
    monkeypatch.setattr(ctiforge, "__file__", str(package / "__init__.py"))
    stages.pinned_versions.cache_clear()
    try:
        assert stages.package_version("not_there") == "1.2.3"
        assert stages.package_version("not-here-either") == "4"
        assert stages.package_version("nowhere") == "absent"
    finally:
        stages.pinned_versions.cache_clear()
