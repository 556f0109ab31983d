"""An image's Python packages as a CycloneDX document."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from releasing import sbom
from releasing.sbom import Package

ON_WINDOWS = "colorama; sys_platform == 'win32'"
PACKAGES = [
    Package("Rich", "15.0.0", "MIT", [], ["Pygments>=2", "ipywidgets; extra == 'jupyter'"]),
    Package("pygments", "2.21.0", None, ["License :: OSI Approved :: BSD License"], [ON_WINDOWS]),
    Package("tqdm", "4.70.1", "MPL-2.0 AND MIT", [], [ON_WINDOWS, "rich; extra == 'x'"]),
    Package("colorama", "0.4.6", "Copyright\nAll rights reserved.", [], []),
]


@pytest.fixture(scope="module")
def text() -> str:
    return sbom.sbom("ctiforge-cpu", "0.1.0", PACKAGES)


@pytest.fixture(scope="module")
def document(text: str) -> dict[str, Any]:
    return json.loads(text)


def test_the_document_is_one_of_cyclonedx(text: str, document: dict[str, Any]) -> None:
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    image = document["metadata"]["component"]
    assert (image["type"], image["name"], image["version"]) == ("container", "ctiforge-cpu", "0.1.0")


def test_every_package_has_its_name_in_the_index(document: dict[str, Any]) -> None:
    assert {each["purl"] for each in document["components"]} == {
        "pkg:pypi/rich@15.0.0", "pkg:pypi/pygments@2.21.0", "pkg:pypi/tqdm@4.70.1", "pkg:pypi/colorama@0.4.6",
    }  # fmt: skip


def test_a_license_is_an_identifier_an_expression_or_a_classifiers_name_never_a_text(document: dict[str, Any]) -> None:
    assert {each["name"]: each.get("licenses") for each in document["components"]} == {
        "Rich": [{"license": {"id": "MIT"}}],
        "pygments": [{"license": {"name": "BSD License"}}],
        "tqdm": [{"expression": "MPL-2.0 AND MIT"}],
        "colorama": None,
    }


def test_what_needs_what_leaves_out_extras_and_other_platforms(document: dict[str, Any]) -> None:
    needs = {each["ref"]: each.get("dependsOn", []) for each in document["dependencies"]}
    assert len(needs.pop("ctiforge-cpu:0.1.0")) == 4
    assert {ref: needed for ref, needed in needs.items() if needed} == {
        "pkg:pypi/rich@15.0.0": ["pkg:pypi/pygments@2.21.0"]
    }


def test_a_python_says_what_is_installed_beside_it(tmp_path: Path) -> None:
    about = """Metadata-Version: 2.4
Name: Thing
Version: 1.2
License-Expression: MIT OR Apache-2.0
Classifier: License :: OSI Approved :: MIT License
Classifier: Programming Language :: Python :: 3
Requires-Dist: other>=1; extra == "x"

Its description.
"""
    (tmp_path / "thing-1.2.dist-info").mkdir()
    (tmp_path / "thing-1.2.dist-info/METADATA").write_text(about, encoding="utf-8")
    listing = sbom.LISTING.read_text(encoding="utf-8")
    # -S: what is installed here stays out of it
    command, environment = [sys.executable, "-S", "-"], {"PYTHONPATH": str(tmp_path)}
    done = subprocess.run(command, env=environment, input=listing, capture_output=True, text=True, check=True)
    classifier, needed = "License :: OSI Approved :: MIT License", 'other>=1; extra == "x"'
    expected = Package("Thing", "1.2", "MIT OR Apache-2.0", [classifier], [needed])
    assert [Package(**json.loads(line)) for line in done.stdout.splitlines()] == [expected]


def test_an_image_that_cannot_run_is_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def fail(command: list[str], **_: Any) -> "subprocess.CompletedProcess[str]":
        return subprocess.CompletedProcess(command, 125, "", "No such image")

    monkeypatch.setattr(subprocess, "run", fail)
    assert sbom.main(["nothing:1", "0.1.0"]) == 1
    assert "nothing:1 does not say what is installed in it: No such image" in capsys.readouterr().err
    assert sbom.main([]) == 2
