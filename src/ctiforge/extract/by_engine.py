"""A model as an engine answers for it: the engine is started with its files, and asked as the model is asked."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from ctiforge.errors import UsageError
from ctiforge.extract.answering.endpoint import Endpoint
from ctiforge.extract.answering.engine import RunningEngine, running
from ctiforge.extract.answering.engine_command import EngineCommand, read_engine, tell_version
from ctiforge.extract.answering.extraction import Extractor
from ctiforge.extract.evaluate import inner_folder, load_served
from ctiforge.extract.models import REGEX, find_model, trained_name
from ctiforge.records.evaluation import EngineInfo
from ctiforge.training.encoding import on_this_machine

_TOKENIZER = "tokenizer_config.json"


@dataclass(frozen=True)
class EngineUse:
    """An engine and how it is asked."""

    command: EngineCommand
    """What starts it."""
    version: str | None
    """What its program says of itself; None where it does not: the server is asked then."""
    concurrency: int = 4
    """Requests under way at once."""
    timeout_s: float = 300.0
    """Seconds to wait for one answer."""
    wait_s: float = 900.0
    """Seconds within which it must be ready."""


def find_engine(command: str, *, concurrency: int, timeout_s: float, wait_s: float) -> EngineUse:
    """Read an engine's command and ask its program for its version; nothing is started yet.

    Args:
        command: The command, with `{model}` and `{port}`.
        concurrency: Requests under way at once.
        timeout_s: Seconds to wait for one answer.
        wait_s: Seconds within which it must be ready.

    Returns:
        The engine.

    Raises:
        UsageError: The command lacks a place, or there is no such program.
    """
    read = read_engine(command)
    return EngineUse(read, tell_version(read), concurrency, timeout_s, wait_s)


def find_engine_model(model: str) -> tuple[dict[str, str], dict[str, str]]:
    """Say how a model that an engine serves enters a fingerprint: as `find_model` says, or a file by its content.

    Args:
        model: A folder, artifact, hub name, `demo`, or a file like a GGUF.

    Returns:
        Inputs, by content, and parameters, by name; one of them is empty.

    Raises:
        UsageError: It is the rules, which no engine serves, or there is no such model.
    """
    if model == REGEX:
        raise UsageError("--model regex is the rules, which no engine serves: leave out --engine")
    return ({"model": model}, {}) if Path(model).is_file() else find_model(model)


@contextmanager
def open_engine(
    engine: EngineUse, model: str, inputs: Mapping[str, Path], *, constrained: bool = False
) -> Iterator[tuple[Extractor, EngineInfo]]:
    """Start an engine with a model's files and connect to it, for as long as the block lasts.

    Args:
        engine: The engine.
        model: A folder, artifact, hub name, `demo`, or a file like a GGUF.
        inputs: What was fetched, each where there is one: `model`; `asked_as`, `prepared` and `as_served` as for
            `load_served`. Without `asked_as` the model is asked as its own folder says.
        constrained: Whether the engine is to hold answers to the schema.

    Yields:
        What answers, and what is kept of the engine.

    Raises:
        UsageError: It serves several models and none under a name of this one.
        CannotGoOnError: It ends by itself or does not answer in time.
    """
    with ExitStack() as held:
        where = inner_folder(inputs.get("model") or Path(held.enter_context(on_this_machine(model)))).absolute()
        name = where.stem if where.is_file() else trained_name(model, {"model": str(where)})
        print(f"starting the engine ({engine.command.shown}): it may take {engine.wait_s:g} s", flush=True)
        started = held.enter_context(running(engine.command, where, wait_s=engine.wait_s, version=engine.version))
        print(f"the engine is ready: {started.version}", flush=True)
        served = _choose(started, (str(where), where.name, where.stem, name, model))
        asked_as = inputs.get("asked_as") or (where if (where / _TOKENIZER).is_file() else None)
        extractor = load_served(
            Endpoint(started.url, served, engine.concurrency, engine.timeout_s),
            asked_as=asked_as,
            prepared=inputs.get("prepared"),
            prompt=inputs.get("as_served"),
            constrained=constrained,
            name=name,
        )
        yield extractor, EngineInfo(command=engine.command.shown, version=started.version)


def _choose(engine: RunningEngine, names: tuple[str, ...]) -> str:
    """Find what to ask for: the engine's only model, or of several, as with an adapter, the one that is called so."""
    if len(engine.served) == 1:
        return engine.served[0]
    found = next((name for name in names if name in engine.served), None)
    if found is None:
        listed = ", ".join(engine.served[:10]) or "no model"
        raise UsageError(f"the engine serves {listed}: let its command serve the model as {names[3]!r}")
    return found
