"""The chart of a release runs the images that were built with it, by digest."""

import re

import yaml

from releasing.pin_images import Pin, pinned
from tests.unit.chart.rendering import CHART, Chart

PINS = {
    image: Pin(f"registry.example/{image}", f"sha256:{letter * 64}") for image, letter in (("cpu", "a"), ("train", "b"))
}


def images(chart: Chart, *flags: str) -> set[str]:
    """Every image of the pods, from values that a release pinned."""
    values = yaml.safe_load(pinned((CHART / "values.yaml").read_text(encoding="utf-8"), PINS))
    done = chart.try_template("minimal", "-f", "-", *flags, stdin=yaml.safe_dump({"images": values["images"]}))
    assert done.returncode == 0, done.stderr
    return set(re.findall(r'^\s+image: "?([^"\n]+)', done.stdout, re.MULTILINE))


def test_every_pod_names_its_image_by_digest(chart: Chart) -> None:
    assert images(chart) == {f"{pin.repository}@{pin.digest}" for pin in PINS.values()}


def test_a_mirror_keeps_a_digest_and_an_image_of_ones_own_leaves_it_out(chart: Chart) -> None:
    own = "images.train.repository=own/train,images.train.tag=v1,images.train.digest="
    found = images(chart, "--set", f"global.imageRegistry=mirror.example:5000,{own}")
    assert found == {f"mirror.example:5000/cpu@{PINS['cpu'].digest}", "mirror.example:5000/own/train:v1"}
