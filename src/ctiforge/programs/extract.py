"""Extracts the observables of one text with a trained model."""

import json
import sys
from typing import Annotated

import typer

from ctiforge.pod.entry import run_program
from ctiforge.programs.flags import (
    ArticleFlag,
    ConstrainedFlag,
    DeviceFlag,
    StoreFlag,
    TextArgument,
    WindowsTogetherFlag,
)


def main(
    file: TextArgument = None,
    article_id: ArticleFlag = None,
    model: Annotated[
        str, typer.Option(help="A trained model: folder, artifact, hub name, or models:extract@champion.")
    ] = "demo",
    types: Annotated[
        list[str] | None, typer.Option(help="Types to ask for; default: those it was trained for.")
    ] = None,
    constrained: ConstrainedFlag = False,
    batch_size: WindowsTogetherFlag = 32,
    device: DeviceFlag = "auto",
    store: StoreFlag = None,
) -> None:
    """Print the observables of a text as JSON, in the shape that the application stores."""
    from ctiforge.data.texts import read_text
    from ctiforge.errors import UsageError
    from ctiforge.extract.answering.merging import application_result
    from ctiforge.extract.evaluate import load_named
    from ctiforge.records.observable import TYPES
    from ctiforge.store.hub import pin
    from ctiforge.store.named_models import find_model_uri
    from ctiforge.visible import visible

    unknown = [name for name in types or () if name not in TYPES]
    if unknown:
        raise UsageError(f"--types {unknown[0]}: there is no such type; repeat the flag with {', '.join(TYPES)}")
    text, url = read_text(file, article_id)
    agent = load_named(pin(find_model_uri(model, store)), device=device, batch_size=batch_size, constrained=constrained)
    extraction = agent.extract(text, types, source_url=url)
    broken = [window for window in extraction.windows if window.error or not window.json_parsed]
    if broken:
        print(f"{len(broken)} of {len(extraction.windows)} windows gave no valid JSON", file=sys.stderr)
    print(visible(json.dumps(application_result(extraction.observables, url), ensure_ascii=False, indent=1)))


if __name__ == "__main__":
    run_program(main)
