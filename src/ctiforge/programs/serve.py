"""Serves a model to the application, which asks it as it asked its earlier endpoint."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ctiforge.pod.entry import run_program
from ctiforge.programs.flags import ConstrainedFlag, DeviceFlag, StoreFlag, WindowsTogetherFlag

if TYPE_CHECKING:
    from collections.abc import Callable

    from ctiforge.records.registry import ModelRecord
    from ctiforge.serving.engine import Engine
    from ctiforge.serving.loading import LoadedModel, LoadOptions
    from ctiforge.serving.metrics import Metrics
    from ctiforge.serving.rollout import Hands, Rollout
    from ctiforge.store.models import Registry

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
    import threading

    from ctiforge.progress import warn
    from ctiforge.serving.app import Limits, make_app
    from ctiforge.serving.chat import ChatOptions
    from ctiforge.serving.loading import LoadOptions
    from ctiforge.serving.metrics import Metrics
    from ctiforge.serving.profiles import load_profile
    from ctiforge.serving.running import GracefulServer, listen, watch
    from ctiforge.serving.upstream import Upstream

    read = load_profile(profile)
    limits = Limits(read_key(api_key_file), max_body * 1_000_000)
    options = ChatOptions(tuple(alias or ("ctiforge",)), timeout)
    passed_on = Upstream(upstream, seconds=timeout, model=upstream_model) if upstream else None
    metrics = Metrics()
    how = LoadOptions(device, batch_size, constrained, upstream_engine, concurrency)
    rollout = make_rollout(model, store, how, metrics, queue=queue, kept=(cache_mb * 1_000_000, cache_minutes * 60))
    socket = listen(host, port)
    if limits.api_key is None and host not in ("127.0.0.1", "localhost", "::1"):
        warn(f"whoever reaches this machine may ask: set {API_KEY} to let in only who has the key")
    app = make_app(read, rollout, metrics, upstream=passed_on, options=options, limits=limits)

    def stop() -> None:
        app.state.door.stopping = True

    stopped = threading.Event()
    thread = threading.Thread(target=watch, args=(rollout, poll, stopped), name="rollout", daemon=True)
    thread.start()
    named = f"[{host}]" if ":" in host else host
    print(f"-> http://{named}:{socket.getsockname()[1]}/v1 (ready: /readyz); Ctrl-C ends it", flush=True)
    try:
        GracefulServer(app, stop, still=still).run(sockets=[socket])
    finally:
        stopped.set()


def read_key(file: Path | None) -> str | None:
    """Read the key that clients must send; None where none is set."""
    from ctiforge.errors import UsageError

    if file is None:
        return os.environ.get(API_KEY, "").strip() or None
    try:
        key = file.read_text(encoding="utf-8", errors="replace").strip()
    except OSError as error:
        raise UsageError(f"--api-key-file {file}: {error.strerror}") from None
    if not key:
        raise UsageError(f"--api-key-file {file} is empty: write the key into it")
    return key


def make_rollout(
    model: str, store: str | None, how: "LoadOptions", metrics: "Metrics", *, queue: int, kept: tuple[int, float]
) -> "Rollout":
    """Make what decides which model answers: a fixed one is loaded at once, the champion is followed."""
    import secrets
    import socket

    from ctiforge.errors import UsageError
    from ctiforge.lines import find_line
    from ctiforge.serving.cache import ExtractionCache
    from ctiforge.serving.engine import Engine
    from ctiforge.serving.lease import TurnLease
    from ctiforge.serving.loading import LoadedModel, load_fixed, load_version
    from ctiforge.serving.rollout import Rollout
    from ctiforge.settings import load_settings
    from ctiforge.store.hub import pin
    from ctiforge.store.models import Registry
    from ctiforge.store.named_models import PREFIX, find_version
    from ctiforge.store.objects import open_store

    def engine(loaded: LoadedModel) -> Engine:
        return Engine(loaded, ExtractionCache(*kept), metrics, queue=queue)

    if not model.startswith(PREFIX):
        rollout = Rollout(_hands(None, how, engine), metrics)
        rollout.use(load_fixed(pin(model), how))
        return rollout
    line, _, which = model.removeprefix(PREFIX).partition("@")
    if line != "extract":
        raise UsageError(f"{model}: only models of the line extract are served")
    registry = Registry(open_store(load_settings({"store": store}).settings.store), find_line(line).name)
    if which == "champion":
        lease = TurnLease(registry.store, line, f"{socket.gethostname()}-{secrets.token_hex(4)}")
        return Rollout(_hands(registry, how, engine), metrics, registry, lease)
    rollout = Rollout(_hands(registry, how, engine), metrics)
    rollout.use(load_version(registry, find_version(registry, which), how))
    return rollout


def _hands(registry: "Registry | None", how: "LoadOptions", engine: "Callable[[LoadedModel], Engine]") -> "Hands":
    from ctiforge.errors import UsageError
    from ctiforge.serving.loading import free_memory_of, load_version, weights_of
    from ctiforge.serving.rollout import Hands

    def load(record: "ModelRecord") -> "LoadedModel":
        if registry is None:
            raise UsageError("a model of no registry has no versions")
        return load_version(registry, record, how)

    if registry is None or how.engine:
        return Hands(load, engine, retries=True)
    # without a GPU weights are computed in fp32: twice what most files hold
    on_gpu, free = free_memory_of(how.device)
    times = 1 if on_gpu else 2
    return Hands(load, engine, lambda record: times * weights_of(registry, record), free)


if __name__ == "__main__":
    run_program(main)
