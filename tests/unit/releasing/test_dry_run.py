"""A dry run makes what its tools allow, says what it leaves out, and ends with a table."""

import hashlib
import json
import os
import shutil
from pathlib import Path

import pytest
import yaml

from ctiforge import __version__
from releasing import dry_run

DIGEST = f"sha256:{'c' * 64}"
METADATA = {
    image: {"image.name": f"{dry_run.REGISTRY}/ctiforge-{image}:{__version__}", "containerimage.digest": DIGEST}
    for image in ("cpu", "train")
}
INSTALLED = {"name": "rich", "version": "15.0.0", "license": "MIT", "classifiers": [], "requires": []}
DOCKER = f"""#!/bin/bash
case "$*" in
    "buildx version") exit $BUILDX ;;
    info) exit $ENGINE ;;
    *--print*) echo '{{}}' ;;
    *--metadata-file*)
        echo "$REGISTRY $TAG"
        while [ "$1" != --metadata-file ]; do shift; done
        [ $BUILD != 0 ] || echo '{json.dumps(METADATA)}' > "$2"
        exit $BUILD ;;
    run*) echo '{json.dumps(INSTALLED)}' ;;
    *) exit 9 ;;
esac
"""
HELM = """#!/bin/bash
[ "$1" != package ] || cp "$2/values.yaml" "$4/ctiforge.tgz"
"""


@pytest.fixture
def output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(dry_run, "OUTPUT", tmp_path / "release")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    (tmp_path / "bin").mkdir()
    return tmp_path / "release"


@pytest.fixture
def tools(output: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stand-ins on the path, with the tools that they need; an engine answers and builds."""
    folder = output.parent / "bin"
    for tool in ("cp", "git"):
        (folder / tool).symlink_to(shutil.which(tool, path=os.defpath) or f"/usr/bin/{tool}")
    for name, text in (("docker", DOCKER), ("helm", HELM)):
        (folder / name).write_text(text, encoding="utf-8")
        (folder / name).chmod(0o755)
    monkeypatch.setenv("BUILDX", "0")
    monkeypatch.setenv("ENGINE", "0")
    monkeypatch.setenv("BUILD", "0")


def test_without_any_tool_the_notes_are_made_and_the_rest_is_said(
    output: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert dry_run.main([]) == 0
    told = capsys.readouterr().out
    for line in (
        "build plan: left out: docker is not on PATH", "images: left out: docker is not on PATH",
        "SBOMs: left out: no image was built", "chart: left out: helm is not on PATH",
    ):  # fmt: skip
        assert line in told
    assert [path.name for path in output.iterdir()] == ["NOTES.md"]
    assert hashlib.sha256((output / "NOTES.md").read_bytes()).hexdigest() in told


@pytest.mark.usefixtures("tools")
def test_without_an_engine_no_image_is_built_and_the_chart_is_packaged_as_it_is(
    output: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ENGINE", "1")
    assert dry_run.main([]) == 0
    told = capsys.readouterr().out
    assert "images: left out: no Docker engine answers" in told
    assert "chart: its images are not pinned" in told
    assert sorted(path.name for path in output.iterdir()) == ["NOTES.md", "bake.json", "ctiforge.tgz"]
    assert yaml.safe_load((output / "ctiforge.tgz").read_text(encoding="utf-8"))["images"]["cpu"]["digest"] == ""


@pytest.mark.usefixtures("tools")
def test_a_docker_without_buildx_is_said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("BUILDX", "1")
    assert dry_run.main([]) == 0
    told = capsys.readouterr().out
    assert "build plan: left out: docker has no buildx" in told
    assert "images: left out: docker has no buildx" in told


@pytest.mark.usefixtures("tools")
def test_with_all_tools_each_image_has_its_sbom_and_the_chart_its_digests(
    output: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert dry_run.main([]) == 0
    assert sorted(path.name for path in output.iterdir()) == [
        "NOTES.md", "bake.json", "build.log", "ctiforge-cpu.cdx.json", "ctiforge-train.cdx.json", "ctiforge.tgz",
        "images.json",
    ]  # fmt: skip
    assert (output / "build.log").read_text(encoding="utf-8") == f"{dry_run.REGISTRY} {__version__}\n"
    images = yaml.safe_load((output / "ctiforge.tgz").read_text(encoding="utf-8"))["images"]
    assert images["train"]["repository"] == f"{dry_run.REGISTRY}/ctiforge-train"
    assert {image["digest"] for image in images.values()} == {DIGEST}
    assert "SBOM of ctiforge-train: 1 packages" in capsys.readouterr().out


@pytest.mark.usefixtures("tools")
def test_a_build_that_fails_fails_the_dry_run_and_the_rest_is_made(
    output: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("BUILD", "1")
    assert dry_run.main([]) == 1
    told = capsys.readouterr()
    assert "error: images: the build failed" in told.err
    assert (output / "ctiforge.tgz").exists()


def test_images_can_be_left_out(output: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert dry_run.main(["--no-images"]) == 0
    assert "images: left out: --no-images was given" in capsys.readouterr().out
    assert dry_run.main(["--images"]) == 2
