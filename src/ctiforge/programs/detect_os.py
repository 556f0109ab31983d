"""Says which operating system one text is about, with a trained model."""

import json
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from ctiforge.pod.entry import run_program
from ctiforge.programs.flags import ArticleFlag, DeviceFlag, TextArgument


def main(
    model: Annotated[str, typer.Option(help="A trained model or baseline: a folder or artifact.")],
    file: TextArgument = None,
    article_id: ArticleFlag = None,
    device: DeviceFlag = "auto",
) -> None:
    """Print label, confidence, the probability of every label and the window that speaks most for it, as JSON."""
    from ctiforge.data.texts import read_text
    from ctiforge.osbert.detectors import load_detector
    from ctiforge.store.artifacts import fetch
    from ctiforge.visible import visible

    text, _ = read_text(file, article_id)
    with TemporaryDirectory() as scratch:
        detector = load_detector(fetch(model, Path(scratch)), device=device)
    print(visible(json.dumps(asdict(detector.detect_many([text])[0]), ensure_ascii=False, indent=1)))


if __name__ == "__main__":
    run_program(main)
