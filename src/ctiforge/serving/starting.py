"""Starts the server as it was ordered: the profile, the model that answers, what is behind it, the port."""

import secrets
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass

from ctiforge.errors import UsageError
from ctiforge.lines import find_line
from ctiforge.progress import warn
from ctiforge.records.registry import ModelRecord
from ctiforge.serving.app import DoorLimits, make_app
from ctiforge.serving.cache import ExtractionCache
from ctiforge.serving.chat import ChatOptions
from ctiforge.serving.engine import Engine
from ctiforge.serving.lease import TurnLease
from ctiforge.serving.loading import (
    LoadedModel,
    LoadOptions,
    free_memory_of,
    load_fixed,
    load_version,
    weights_of,
)
from ctiforge.serving.metrics import Metrics
from ctiforge.serving.profiles import load_profile
from ctiforge.serving.rollout import Hands, Rollout
from ctiforge.serving.running import listen, run, watch
from ctiforge.serving.upstream import Upstream
from ctiforge.settings import load_settings
from ctiforge.store.hub import pin
from ctiforge.store.models import Registry
from ctiforge.store.named_models import PREFIX, find_version
from ctiforge.store.objects import open_store

LOOPBACK = ("127.0.0.1", "localhost", "::1")
"""Addresses that only this machine reaches."""


@dataclass(frozen=True)
class ServeOrder:
    """What is to be served, and how."""

    model: str
    """`models:extract@champion`, which is followed; another version, a folder, artifact, hub name, or `regex`."""
    profile: str
    """How the application asks: a name, or a file."""
    host: str
    """The address to listen on."""
    port: int
    """0: any that is free."""
    load: LoadOptions
    """How models are loaded."""
    chat: ChatOptions
    """How requests are answered."""
    limits: DoorLimits
    """What is let in."""
    upstream: str | None = None
    """The endpoint for all other requests; None: they are refused."""
    upstream_model: str | None = None
    """What is asked for there in the place of this server's model."""
    queue: int = 64
    """Articles that may wait."""
    cache_bytes: int = 64_000_000
    """Of extractions that are kept; 0: none are."""
    cache_seconds: float = 3600.0
    """How long each is kept."""
    poll: float = 15.0
    """Seconds between looks for another champion."""
    still: float = 5.0
    """Seconds to answer on after SIGTERM, until everybody has heard of it."""
    store: str | None = None
    """The store with the registry; None: that of the settings."""


def serve(order: ServeOrder) -> None:
    """Serve until a signal comes.

    Args:
        order: What is to be served, and how.

    Raises:
        UsageError: There is no such profile, model or version, or the port cannot be had.
        DataError: The model, which is none that is followed, answers its canary otherwise than in its evaluation.
        StoreError: The store does not answer.
    """
    profile = load_profile(order.profile)
    upstream = None
    if order.upstream:
        upstream = Upstream(order.upstream, seconds=order.chat.seconds, model=order.upstream_model)
    metrics = Metrics()
    rollout = make_rollout(order, metrics)
    opened = listen(order.host, order.port)
    if order.limits.api_key is None and order.host not in LOOPBACK:
        warn("whoever reaches this machine may ask: set CTIFORGE_SERVE_API_KEY to let in only who has the key")
    app = make_app(profile, rollout, metrics, upstream=upstream, options=order.chat, limits=order.limits)

    def stop() -> None:
        app.state.door.stopping = True

    stopped = threading.Event()
    threading.Thread(target=watch, args=(rollout, order.poll, stopped), name="rollout", daemon=True).start()
    host = f"[{order.host}]" if ":" in order.host else order.host
    print(f"-> http://{host}:{opened.getsockname()[1]}/v1 (ready: /readyz); Ctrl-C ends it", flush=True)
    try:
        run(app, opened, stop, still=order.still)
    finally:
        stopped.set()


def make_rollout(order: ServeOrder, metrics: Metrics) -> Rollout:
    """Make what decides which model answers: a fixed one is loaded at once, the champion is followed."""

    def engine(loaded: LoadedModel) -> Engine:
        return Engine(loaded, ExtractionCache(order.cache_bytes, order.cache_seconds), metrics, queue=order.queue)

    def unversioned(_: ModelRecord) -> LoadedModel:
        raise UsageError(f"{order.model} has no versions")

    if not order.model.startswith(PREFIX):
        rollout = Rollout(Hands(unversioned, engine), metrics)
        rollout.use(load_fixed(pin(order.model), order.load))
        return rollout
    line, _, which = order.model.removeprefix(PREFIX).partition("@")
    if line != "extract":
        raise UsageError(f"{order.model}: only models of the line extract are served")
    registry = Registry(open_store(load_settings({"store": order.store}).settings.store), find_line(line).name)
    hands = _hands(registry, order.load, engine)
    if which == "champion":
        lease = TurnLease(registry.store, line, f"{socket.gethostname()}-{secrets.token_hex(4)}")
        return Rollout(hands, metrics, registry, lease)
    rollout = Rollout(hands, metrics)
    rollout.use(hands.load(find_version(registry, which)))
    return rollout


def _hands(registry: Registry, how: LoadOptions, engine: Callable[[LoadedModel], Engine]) -> Hands:
    def load(record: ModelRecord) -> LoadedModel:
        return load_version(registry, record, how)

    if how.engine:
        return Hands(load, engine, retries=True)
    on_gpu, free = free_memory_of(how.device)
    # without a GPU weights are computed in fp32: twice what most files hold
    times = 1 if on_gpu else 2
    return Hands(load, engine, lambda record: times * weights_of(registry, record), free)
