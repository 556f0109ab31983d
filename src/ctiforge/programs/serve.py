"""Serves a model to the application, which asks it as it asked its earlier endpoint."""

import os
from pathlib import Path
from typing import Annotated

import typer

from ctiforge.pod.entry import run_program
from ctiforge.programs.flags import ConstrainedFlag, DeviceFlag, StoreFlag, WindowsTogetherFlag

API_KEY = "CTIFORGE_SERVE_API_KEY"
_MODEL = "models:extract@champion is followed; or a version (models:extract@3), folder, artifact, hub name, regex."


def main(
    model: Annotated[str, typer.Argument(help=_MODEL)] = "models:extract@champion",
    profile: Annotated[str, typer.Option(help="How the application asks: huntable, or a TOML file.")] = "huntable",
    host: Annotated[
        str, typer.Option(help="Address to listen on; an application in Docker reaches 0.0.0.0 only.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any that is free.")] = 1234,
    alias: Annotated[
        list[str] | None, typer.Option(help="A name by which clients call the model; may be repeated [ctiforge].")
    ] = None,
    upstream: Annotated[
        str | None, typer.Option(help="OpenAI-compatible endpoint for all other requests, like http://host:1235/v1.")
    ] = None,
    upstream_model: Annotated[
        str | None, typer.Option(help="The model to ask for there when a request names this server's.")
    ] = None,
    upstream_engine: Annotated[
        str | None, typer.Option(help="OpenAI-compatible engine that serves the model itself; default: this process.")
    ] = None,
    concurrency: Annotated[int, typer.Option(min=1, help="Windows that the engine is asked about at once.")] = 4,
    api_key_file: Annotated[
        Path | None, typer.Option(help=f"A file with the key that clients must send; default: ${API_KEY}.")
    ] = None,
    max_body: Annotated[int, typer.Option(min=1, help="Megabytes of a request.")] = 8,
    queue: Annotated[int, typer.Option(min=1, help="Articles that may wait; more are answered with 429.")] = 64,
    timeout: Annotated[float, typer.Option(min=1, help="Seconds for one request.")] = 170.0,
    cache_mb: Annotated[int, typer.Option(min=0, help="Megabytes of extractions that are kept; 0: none.")] = 64,
    cache_minutes: Annotated[float, typer.Option(min=0, help="How long each is kept.")] = 60.0,
    poll: Annotated[float, typer.Option(min=1, help="Seconds between looks for another champion.")] = 15.0,
    still: Annotated[
        float, typer.Option(min=0, help="Seconds to answer on after SIGTERM, until everybody has heard.")
    ] = 5.0,
    calibrate_on: Annotated[
        str | None,
        typer.Option(
            help="The model's evaluation, a folder or artifact: it says what confidence is worth; default for a "
            "version: what its promotion kept of it."
        ),
    ] = None,
    constrained: ConstrainedFlag = False,
    batch_size: WindowsTogetherFlag = 32,
    device: DeviceFlag = "auto",
    store: StoreFlag = None,
) -> None:
    """Answer the application's extraction agents with a model that was trained here.

    A request that has the profile's shape is recognized, its article read once, window by window as in training, and
    the answer written in the application's own shape. Everything else goes to --upstream, whose key, where it needs
    one, is in OPENAI_API_KEY. GET /readyz says which agents are answered, and why others are not.
    """
    from ctiforge.errors import UsageError
    from ctiforge.extract.harvest.choosing import SERVED
    from ctiforge.serving.app import DoorLimits
    from ctiforge.serving.chat import ChatOptions
    from ctiforge.serving.loading import LoadOptions
    from ctiforge.serving.starting import ServeOrder, serve

    for name in alias or ():
        if not name.lower().startswith(SERVED):
            raise UsageError(
                f"--alias {name}: let it begin with {SERVED}: the application stores it, and by it a harvest tells our "
                "own answers, which are never learnt from"
            )
    serve(
        ServeOrder(
            model=model,
            profile=profile,
            host=host,
            port=port,
            load=LoadOptions(device, batch_size, constrained, upstream_engine, concurrency, calibrate_on),
            chat=ChatOptions(tuple(alias or (SERVED,)), timeout),
            limits=DoorLimits(read_key(api_key_file), max_body * 1_000_000),
            upstream=upstream,
            upstream_model=upstream_model,
            queue=queue,
            cache_bytes=cache_mb * 1_000_000,
            cache_seconds=cache_minutes * 60,
            poll=poll,
            still=still,
            store=store,
        )
    )


def read_key(file: Path | None) -> str | None:
    """Read the key that clients must send; None where none is set."""
    from ctiforge.errors import UsageError

    if file is None:
        named = os.environ.get(API_KEY)
        if named is not None and not named.strip():
            raise UsageError(f"{API_KEY} is set and blank: give it the key, or unset it to let everybody ask")
        return named and _one_line(named.strip(), API_KEY)
    try:
        key = file.read_text(encoding="utf-8", errors="replace").strip()
    except OSError as error:
        raise UsageError(f"--api-key-file {file}: {error.strerror}") from None
    if not key:
        raise UsageError(f"--api-key-file {file} is empty: write the key into it")
    return _one_line(key, f"--api-key-file {file}")


def _one_line(key: str, where: str) -> str:
    """Give a key that a header can hold back, so that not everybody is locked out."""
    from ctiforge.errors import UsageError

    if not key.isprintable():
        raise UsageError(f"{where} holds a line break, or a character that no header has: give the key alone")
    return key


if __name__ == "__main__":
    run_program(main)
