"""An application as it asks its agents, a model that does as it is told, and the server between the two."""

import json
import shutil
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2

from ctiforge.extract.answering.extraction import Extraction, Source, Tell, WindowAnswer, WindowSpan
from ctiforge.records.observable import TYPES, Observable
from ctiforge.records.registry import ModelRecord
from ctiforge.serving.answering import ServedModel
from ctiforge.serving.app import DoorLimits, make_app
from ctiforge.serving.cache import ExtractionCache
from ctiforge.serving.chat import ChatOptions
from ctiforge.serving.engine import Engine
from ctiforge.serving.loading import LoadedModel
from ctiforge.serving.metrics import Metrics
from ctiforge.serving.profiles import load_profile
from ctiforge.serving.rollout import Hands, Rollout
from ctiforge.serving.running import GracefulServer, listen
from ctiforge.serving.upstream import Upstream
from ctiforge.store.artifacts import find_input
from ctiforge.store.models import Registry
from ctiforge.store.owned import own
from ctiforge.training.encoding import DEMO_MODEL, on_this_machine
from tests.making import candidate

KEYS = {
    "CmdlineExtract": ("cmdline_items", "command-line"),
    "ProcTreeExtract": ("process_lineage", "parent child process"),
    "RegistryExtract": ("registry_artifacts", "Windows registry"),
    "ServicesExtract": ("windows_services", "Windows service"),
    "ScheduledTasksExtract": ("scheduled_tasks", "scheduled task"),
    "HuntQueriesExtract": ("queries", "hunt query"),
    "NetworkIndicatorExtract": ("network_indicators", "network indicator"),
}
"""Agent → the key of its answer, and words of its role."""
ARTICLE = "The actor ran a command.\n\n`whoami /all` was seen on the host.\n"


def asks(agent: str, text: str = ARTICLE, **more: Any) -> dict[str, Any]:
    """The request of one of the application's agents about one article."""
    key, words = KEYS[agent]
    user = (
        f"Title: Report\nURL: https://x.invalid/1\n\nContent:\n{text}\n\nTask: find them all.\n\n"
        f"Output Format Specification: JSON.\n\nREQUIRED JSON STRUCTURE (example):\n"
        f'{{"{key}": [{{"value": "…"}}], "count": 1}}\n\nCRITICAL INSTRUCTIONS: JSON alone.\n'
    )
    messages = [{"role": "system", "content": f"You extract: {words}."}, {"role": "user", "content": user}]
    return {"model": "ctiforge", "messages": messages, "max_tokens": 8192, "temperature": 0, "seed": 1} | more


def says(text: str, **more: Any) -> dict[str, Any]:
    """A request of no agent."""
    return {"model": "sigma", "messages": [{"role": "user", "content": text}], "max_tokens": 500} | more


def register(registry: Registry, folder: Path, note: str) -> ModelRecord:
    """A model of its own content: the demo's weights, and a note beside them."""
    with on_this_machine(DEMO_MODEL) as demo:
        shutil.copytree(demo, folder)
    (folder / "README.md").write_text(note)
    model = find_input(str(folder))
    place = own(registry.store, "extract", model)
    changes = {"content": model.content, "files": model.files, "place": place, "artifact": str(folder)}
    return registry.register(candidate("a").model_copy(update={"name": "agent", **changes}))


@dataclass
class ToldModel:
    """Finds `whoami /all` in one window of each text, once its `gate` is open; `broken` texts make it fail."""

    gate: threading.Event | None = None
    broken: tuple[str, ...] = ()
    error: str | None = None
    is_json: bool = True
    name: str = "told"
    read: list[str] = field(default_factory=list)
    begun: threading.Event = field(default_factory=threading.Event)

    def extract(self, text: str, types: Sequence[str] | None = None, *, source_url: str | None = None) -> Extraction:
        return next(self.extract_many([Source(text, tuple(types) if types else None, source_url)]))

    def extract_many(self, sources: Sequence[Source], tell: Tell | None = None) -> Iterator[Extraction]:
        self.begun.set()
        if self.gate:
            assert self.gate.wait(60)
        for source in sources:
            if any(each in source.text for each in self.broken):
                raise ValueError("this text breaks it")
            self.read.append(source.text)
            found = Observable(type="cmdline", value="whoami /all", platform="Windows")
            seen = (found,) if found.value in source.text and self.is_json else ()
            raw = json.dumps({"observables": [{"type": each.type, "value": each.value} for each in seen]})
            window = WindowAnswer(0, len(source.text), raw, self.is_json, self.is_json, False, 0, 100, 10, self.error)
            yield Extraction(seen, (window,), 0.1, source.source_url, source.types or TYPES)

    def plan(self, source: Source) -> list[WindowSpan]:
        return [(0, len(source.text))]


def loaded(extractor: Any, version: int = 3, **more: Any) -> LoadedModel:
    """A model as it is loaded from the registry."""
    return LoadedModel(ServedModel("told", str(version)), extractor, TYPES, version=version, **more)


@dataclass
class Serving:
    """A running server, and a client of it."""

    url: str
    client: httpx2.Client
    rollout: Rollout
    app: Any

    def ask(self, sent: Any, **more: Any) -> httpx2.Response:
        return self.client.post("/v1/chat/completions", json=sent, **more)

    def answer(self, agent: str, text: str = ARTICLE) -> dict[str, Any]:
        """What an agent is told, parsed."""
        found = self.ask(asks(agent, text))
        assert found.status_code == 200, found.text
        parsed: dict[str, Any] = json.loads(found.json()["choices"][0]["message"]["content"])
        return parsed

    def figure(self, line: str) -> float:
        """The value of one line of the metrics; 0 where it is not there."""
        lines = self.client.get("/metrics").text.splitlines()
        return float(next((each.rpartition(" ")[2] for each in lines if each.startswith(line)), 0))

    def ready(self) -> dict[str, Any]:
        found: dict[str, Any] = self.client.get("/readyz").json()
        return found


def hands(metrics: Metrics, load: Callable[[Any], LoadedModel] | None = None, *, queue: int = 64, **more: Any) -> Hands:
    """What a rollout works with: engines with a cache of a megabyte."""

    def none(_: Any) -> LoadedModel:
        raise AssertionError("nothing is to be loaded")

    def engine(of: LoadedModel) -> Engine:
        return Engine(of, ExtractionCache(1_000_000, 60), metrics, queue=queue)

    return Hands(load or none, engine, **more)


@contextmanager
def serving(
    model: LoadedModel | None,
    *,
    upstream: str | None = None,
    upstream_model: str | None = None,
    rollout: Rollout | None = None,
    metrics: Metrics | None = None,
    queue: int = 64,
    limits: DoorLimits | None = None,
    options: ChatOptions | None = None,
    seconds: float = 20.0,
    listener: socket.socket | None = None,
) -> Iterator[Serving]:
    """A server on a free port of this machine or on a listener of the test's, with a model in use."""
    metrics = metrics or Metrics()
    rollout = rollout or Rollout(hands(metrics, queue=queue), metrics)
    if model:
        rollout.use(model)
    behind = Upstream(upstream, seconds=seconds, model=upstream_model) if upstream else None
    options = options or ChatOptions(seconds=60, keep_alive=5)
    app = make_app(
        load_profile("huntable"), rollout, metrics, upstream=behind, options=options, limits=limits or DoorLimits()
    )
    with running(app, listener) as url, httpx2.Client(base_url=url, timeout=60) as client:
        yield Serving(url, client, rollout, app)


@contextmanager
def running(app: Any, listener: socket.socket | None = None) -> Iterator[str]:
    """Serves an application on a free port of this machine or on a listener; gives its address."""
    listener = listener or listen("127.0.0.1", 0)
    server = GracefulServer(app, lambda: None, still=0)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


def events(body: str) -> list[Any]:
    """The events of a stream; `[DONE]` as it is, comments left out."""
    lines = [line.removeprefix("data: ") for line in body.splitlines() if line.startswith("data: ")]
    return [line if line == "[DONE]" else json.loads(line) for line in lines]
