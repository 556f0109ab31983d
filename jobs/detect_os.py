"""Says which operating system one text is about, with a trained model."""

import json
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from ctiforge.program import run_program


def main(
    model: Annotated[str, typer.Option(help="A trained model or baseline: a folder or artifact.")],
    file: Annotated[str | None, typer.Argument(help="A text file, or - for standard input.")] = None,
    article_id: Annotated[str | None, typer.Option(help="An article of the database (DATABASE_URL) instead.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
) -> None:
    """Print label, confidence, the probability of every label and the window that speaks most for it, as JSON."""
    from ctiforge.data.texts import read_text
    from ctiforge.osbert.detectors import load_detector
    from ctiforge.store.artifacts import fetch

    text, _ = read_text(file, article_id)
    with TemporaryDirectory() as scratch:
        detector = load_detector(fetch(model, Path(scratch)), device=device)
    print(json.dumps(asdict(detector.detect_many([text])[0]), ensure_ascii=False, indent=1))


if __name__ == "__main__":
    run_program(main)
