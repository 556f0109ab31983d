"""Writes into a chart's values which images it runs: repository and digest, as a build's metadata tells them.

usage: python -m releasing.pin_images CHART METADATA…

CHART is the folder of the chart, METADATA what `docker buildx bake --metadata-file` wrote, one or more.
"""

import json
import re
import sys
from pathlib import Path
from typing import Any, NamedTuple

import yaml

IMAGES = ("cpu", "train")
"""What the chart's `images` and the targets of docker/bake.hcl are both called."""


class Pin(NamedTuple):
    """An image that was pushed."""

    repository: str
    digest: str


def main(arguments: list[str]) -> int:
    """Pin both images in the chart; 1 where metadata do not name them, 2 for another usage."""
    if len(arguments) < 2:
        print(__doc__, file=sys.stderr)
        return 2
    values = Path(arguments[0]) / "values.yaml"
    try:
        pins = read_pins([json.loads(Path(path).read_text(encoding="utf-8")) for path in arguments[1:]])
        values.write_text(pinned(values.read_text(encoding="utf-8"), pins), encoding="utf-8")
    except (OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    for image, pin in pins.items():
        print(f"images.{image}: {pin.repository}@{pin.digest}")
    return 0


def read_pins(metadata: list[dict[str, Any]]) -> dict[str, Pin]:
    """Give the pin of each image.

    Args:
        metadata: What bake wrote, each by target: `containerimage.digest`, and `image.name` with its tag.

    Raises:
        ValueError: An image is in none of them, or what they say of it is no name and no digest.
    """
    told = {target: facts for each in metadata for target, facts in each.items()}
    return {image: _pin(image, told.get(image)) for image in IMAGES}


def pinned(values: str, pins: dict[str, Pin]) -> str:
    """Give the text of `values.yaml` with the images pinned, and all else as it was, comments included.

    Raises:
        ValueError: The values have no such image, or no `repository` and `digest` of it.
    """
    root = yaml.compose(values, Loader=yaml.SafeLoader)
    places = []
    for image, pin in pins.items():
        for key, text in pin._asdict().items():
            node = _at(root, ["images", image, key])
            places.append((node.start_mark.index, node.end_mark.index, json.dumps(text)))
    # from the end, so that the places before stay where they are
    for start, end, text in sorted(places, reverse=True):
        values = values[:start] + text + values[end:]
    return values


def _pin(image: str, facts: Any) -> Pin:
    if not isinstance(facts, dict):
        raise ValueError(f"no metadata of the image {image}: give the file of each target that bake built")
    name, digest = str(facts.get("image.name", "")), str(facts.get("containerimage.digest", ""))
    repository = re.sub(r":[^:/]+$", "", name.partition(",")[0])
    if not repository or not re.fullmatch(r"sha256:[0-9a-f]{64}", digest):
        raise ValueError(f"image {image}: {name!r} and {digest!r} are no name with its digest: was it pushed?")
    return Pin(repository, digest)


def _at(node: yaml.Node, path: list[str]) -> yaml.Node:
    for part in path:
        entries = node.value if isinstance(node, yaml.MappingNode) else []
        found = next((value for key, value in entries if key.value == part), None)
        if found is None:
            raise ValueError(f"values.yaml has no {'.'.join(path)}")
        node = found
    return node


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
