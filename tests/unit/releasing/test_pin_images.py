"""A released chart names its images by digest, and nothing else of its values changes."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from releasing import pin_images

VALUES = (Path(__file__).parents[3] / "helm/ctiforge/values.yaml").read_text(encoding="utf-8")
CPU, TRAIN = f"sha256:{'a' * 64}", f"sha256:{'b' * 64}"
HOST = "registry.example:5000/team"


def told(image: str, digest: str, name: str = "") -> dict[str, Any]:
    """What bake writes of a target."""
    facts = {"containerimage.digest": digest, "image.name": name or f"{HOST}/ctiforge-{image}:0.1.0"}
    return {image: facts, "buildx.build.warnings": []}


def test_digests_and_repositories_stand_in_the_values_and_comments_stay() -> None:
    pins = pin_images.read_pins([told("cpu", CPU), told("train", TRAIN)])
    text = pin_images.pinned(VALUES, pins)
    expected = yaml.safe_load(VALUES)
    expected["images"]["cpu"] |= {"repository": f"{HOST}/ctiforge-cpu", "digest": CPU}
    expected["images"]["train"] |= {"repository": f"{HOST}/ctiforge-train", "digest": TRAIN}
    assert yaml.safe_load(text) == expected
    changed = [line for line, before in zip(text.splitlines(), VALUES.splitlines(), strict=True) if line != before]
    assert len(changed) == 4
    # a chart that is pinned can be pinned anew
    assert pin_images.pinned(text, pins) == text


def test_one_file_may_tell_of_both_images_and_a_name_may_have_several_tags() -> None:
    both = {**told("cpu", CPU, f"{HOST}/c:1,{HOST}/c:latest"), **told("train", TRAIN)}
    assert pin_images.read_pins([both])["cpu"] == (f"{HOST}/c", CPU)


@pytest.mark.parametrize(
    ("metadata", "why"),
    [
        ([told("cpu", CPU)], "no metadata of the image train"),
        ([told("cpu", CPU), told("train", "")], "image train: .*was it pushed"),
        ([told("cpu", CPU), told("train", "sha256:abc")], "image train: .*was it pushed"),
        ([told("cpu", CPU), {"train": {"containerimage.digest": TRAIN}}], "image train: .*was it pushed"),
    ],
)
def test_an_image_without_a_digest_is_refused(metadata: list[dict[str, Any]], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        pin_images.read_pins(metadata)


def test_values_of_another_chart_are_refused() -> None:
    with pytest.raises(ValueError, match=r"no images\.cpu\.digest"):
        pin_images.pinned("images: {cpu: {repository: a}}", {"cpu": pin_images.Pin("a", CPU)})


def test_a_chart_on_disk_is_pinned_or_left_as_it_was(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    values = tmp_path / "values.yaml"
    values.write_text(VALUES, encoding="utf-8")
    files = [tmp_path / "cpu.json", tmp_path / "train.json"]
    files[0].write_text(json.dumps(told("cpu", CPU)), encoding="utf-8")
    assert pin_images.main([str(tmp_path), str(files[0])]) == 1
    assert "no metadata of the image train" in capsys.readouterr().err
    assert values.read_text(encoding="utf-8") == VALUES
    files[1].write_text(json.dumps(told("train", TRAIN)), encoding="utf-8")
    assert pin_images.main([str(tmp_path), *map(str, files)]) == 0
    assert yaml.safe_load(values.read_text(encoding="utf-8"))["images"]["train"]["digest"] == TRAIN
    assert pin_images.main([str(tmp_path)]) == 2
