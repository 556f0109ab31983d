import pytest

from ctiforge.store import versions

LINES = "# pins\nnot-there==1.2.3+cpu ; python_version > '3.10'  # why\nother >= 2\nNot_Here.Either==4\npydantic==0.1\n"


@pytest.fixture(autouse=True)
def pins(monkeypatch: pytest.MonkeyPatch) -> None:
    found = versions.read_pins(LINES)
    monkeypatch.setattr(versions, "pinned_versions", lambda: found)


def test_an_installed_package_has_its_public_version() -> None:
    version = versions.package_version("pydantic")
    assert version[0].isdigit()
    assert version != "0.1"
    assert "+" not in version


def test_a_package_that_is_not_installed_has_its_pinned_version() -> None:
    assert versions.package_version("not_there") == "1.2.3"
    assert versions.package_version("not-here-either") == "4"
    assert versions.package_version("nowhere") == "absent"


def test_a_plan_for_an_image_takes_the_images_versions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(versions.VERSIONS_VARIABLE, "image")
    assert versions.package_version("pydantic") == "0.1"
    assert versions.package_version("rich") != "absent", "one that no image pins is the installed one"


def test_the_package_brings_the_pins_of_its_images() -> None:
    from importlib.resources import files

    pinned = versions.read_pins(files("ctiforge").joinpath("constraints.txt").read_text(encoding="utf-8"))
    assert {"torch", "transformers", "peft", "bitsandbytes", "numpy"} <= set(pinned)
