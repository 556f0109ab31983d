"""Says which operating system one text is about, with a trained model."""

import json
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from ctiforge.pod.entry import run_program
from ctiforge.programs.flags import ArticleFlag, DeviceFlag, StoreFlag, TextArgument


def main(
    model: Annotated[
        str, typer.Option(help="A trained model or baseline: a folder, an artifact, or models:os-bert@champion.")
    ],
    file: TextArgument = None,
    article_id: ArticleFlag = None,
    strategy: Annotated[
        str, typer.Option(help="model, or cascade: the rule of keywords first, the model where that sees no system.")
    ] = "model",
    endpoint: Annotated[
        str | None,
        typer.Option(help="Of the cascade: asked where the model is not sure; key in OPENAI_API_KEY."),
    ] = None,
    endpoint_model: Annotated[str | None, typer.Option(help="The model to ask there.")] = None,
    device: DeviceFlag = "auto",
    store: StoreFlag = None,
) -> None:
    """Print label, confidence, probabilities, the window that speaks most for it and all platforms, as JSON."""
    from ctiforge.data.texts import read_text
    from ctiforge.osbert.detectors import load_detector
    from ctiforge.osbert.service import with_strategy
    from ctiforge.store.artifacts import fetch
    from ctiforge.store.named_models import find_model_uri
    from ctiforge.visible import visible

    text, _ = read_text(file, article_id)
    with TemporaryDirectory() as scratch:
        trained = load_detector(fetch(find_model_uri(model, store), Path(scratch)), device=device)
        detector = with_strategy(trained, strategy, endpoint, endpoint_model)
    print(visible(json.dumps(asdict(detector.detect_many([text])[0]), ensure_ascii=False, indent=1)))


if __name__ == "__main__":
    run_program(main)
