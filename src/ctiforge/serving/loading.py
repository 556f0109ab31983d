"""Loads what is to answer: a version of the registry, a folder, the rules, or an engine that serves a version."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ctiforge.errors import UsageError
from ctiforge.evaluation.sureness import calibration_pairs
from ctiforge.extract.answering.endpoint import Endpoint, list_served
from ctiforge.extract.answering.extraction import Extractor
from ctiforge.extract.evaluate import load_named, load_served
from ctiforge.extract.models import find_model, model_version, trained_name
from ctiforge.progress import warn
from ctiforge.promotion.answers import read_answers
from ctiforge.promotion.calibration import read_calibration
from ctiforge.promotion.canary import read_canary
from ctiforge.records.canary import Canary
from ctiforge.records.evaluation import Evaluation
from ctiforge.records.observable import TYPES
from ctiforge.records.registry import ModelRecord
from ctiforge.serving.agents import evaluated_types, known_types
from ctiforge.serving.answering import ServedModel
from ctiforge.serving.confidence import Calibration, fit_calibration
from ctiforge.store.artifacts import fetch_input, fetch_named, find_input
from ctiforge.store.models import Registry
from ctiforge.store.owned import check_usable

_WEIGHTS = (".safetensors", ".bin", ".gguf", ".pt", ".pth")
_FILE_TYPE = re.compile(r"(?:q\d\w*|iq\d\w*|b?f16|f32)", re.IGNORECASE)
_SECONDS = 120.0


@dataclass(frozen=True)
class LoadOptions:
    """How models are loaded."""

    device: str = "auto"
    """`auto`, `cpu` or `cuda`."""
    batch_size: int = 32
    """Windows that are answered together."""
    constrained: bool = False
    """Whether answers are held to the schema."""
    engine: str | None = None
    """The address of an OpenAI-compatible engine that holds the weights; None: this process does."""
    concurrency: int = 4
    """Windows that the engine is asked about at once."""
    calibrate_on: str | None = None
    """An evaluation with its answers, by its URI: what confidence is worth; None: what the registry kept."""


@dataclass(frozen=True)
class LoadedModel:
    """A model that can be asked, and what is known of it."""

    model: ServedModel
    extractor: Extractor
    types: tuple[str, ...]
    """What it is trained for and, where its evaluation is known, evaluated on."""
    why_not: Mapping[str, str] = field(default_factory=dict)
    """Type that it is not asked for → why."""
    version: int | None = None
    """Its number in the registry; None where it is of none."""
    canary: Canary | None = None
    """What it must answer as in its evaluation; None where nothing is kept."""
    engine: Endpoint | None = None
    """Where the weights are served; None where this process holds them."""

    @property
    def id(self) -> str:
        """Give what clients call it."""
        return self.model.id

    def check_served(self) -> str | None:
        """Ask the engine whether it still serves the model; a line with what to do where it does not."""
        if self.engine is None:
            return None
        served = list_served(self.engine.url)
        return None if self.engine.model in served else _not_served(self.id, self.engine.url, served)


def load_fixed(model: str, how: LoadOptions) -> LoadedModel:
    """Load a folder, artifact, hub name, `demo` or `regex`. Raises UsageError where there is none."""
    inputs, _ = find_model(model)
    name, version = trained_name(model, inputs), model_version(model, inputs)
    extractor, engine = _extractor(model, inputs.get("model"), name, version, [], how)
    content = find_input(inputs["model"]).content if inputs else version
    served = ServedModel(name, version, _calibration(how.calibrate_on, content))
    return LoadedModel(served, extractor, _trained_types(extractor), engine=engine)


def load_version(registry: Registry, record: ModelRecord, how: LoadOptions) -> LoadedModel:
    """Load a version of the registry. Raises a CtiforgeError where it cannot be."""
    uri = check_usable(registry.store, record)
    others = [each.name for each in registry.versions() if each.version != record.version] if how.engine else []
    extractor, engine = _extractor(uri, uri, record.name, str(record.version), others, how)
    trained = _trained_types(extractor)
    if how.calibrate_on:
        calibration = _calibration(how.calibrate_on, record.content)
    else:
        pairs = read_calibration(registry.store, record.line, record.content)
        calibration = fit_calibration(pairs.pairs) if pairs else None
    served = ServedModel(record.name, str(record.version), calibration)
    return LoadedModel(
        served,
        extractor,
        *known_types(trained, evaluated_types(registry, record)),
        record.version,
        read_canary(registry.store, record.line, record.content),
        engine,
    )


def weights_of(registry: Registry, record: ModelRecord) -> int:
    """Count the bytes of a version's weights."""
    files = record.files or find_input(check_usable(registry.store, record)).files
    return sum(entry.size for name, entry in files.items() if name.endswith(_WEIGHTS))


def free_memory_of(device: str) -> tuple[bool, Callable[[], int | None]]:
    """Tell whether models go to a GPU, and what reads how many bytes are free there, or of the machine.

    Args:
        device: `auto`, `cpu` or `cuda`.

    Returns:
        Whether it is a GPU, and the function; it gives None where nobody knows.

    Raises:
        UsageError: There is no such device.
    """
    import torch

    from ctiforge.training.memory import free_memory
    from ctiforge.training.models import pick_device

    if pick_device(device).type != "cuda":
        return False, free_memory
    return True, lambda: int(torch.cuda.mem_get_info()[0])


def choose_served(name: str, version: str, served: Iterable[str], others: Sequence[str]) -> str | None:
    """Find the id by which an engine serves a version: its own, or that of its exported file.

    A file's name has no version in it, so it counts only where no other version (`others`: their names) is called so.
    """
    known = list(served)
    if ServedModel(name, version).id in known:
        return ServedModel(name, version).id
    if name in others:
        return None
    return next((each for each in known if _is_file_of(name, each)), None)


def _is_file_of(name: str, served: str) -> bool:
    stem = served.rpartition("/")[2].removesuffix(".gguf").casefold()
    if stem == name.casefold():
        return True
    head, _, file_type = stem.rpartition("-")
    return head == name.casefold() and _FILE_TYPE.fullmatch(file_type) is not None


def _extractor(
    model: str, uri: str | None, name: str, version: str, others: Sequence[str], how: LoadOptions
) -> tuple[Extractor, Endpoint | None]:
    if not how.engine:
        return load_named(model, device=how.device, batch_size=how.batch_size, constrained=how.constrained), None
    if uri is None or ("://" not in uri and not Path(uri).exists()):
        raise UsageError(f"{model}: --upstream-engine needs the model's own note: give a version, artifact or folder")
    served = list_served(how.engine)
    found = choose_served(name, version, served, others)
    if found is None:
        raise UsageError(_not_served(ServedModel(name, version).id, how.engine, served))
    endpoint = Endpoint(how.engine, found, how.concurrency, _SECONDS)
    with TemporaryDirectory() as scratch:
        # how it is asked, and its tokenizer: the weights are the engine's
        every = find_input(uri)
        light = replace(
            every, files={each: entry for each, entry in every.files.items() if not each.endswith(_WEIGHTS)}
        )
        folder = fetch_input(light, Path(scratch))
        return load_served(endpoint, asked_as=folder, constrained=how.constrained), endpoint


def _not_served(id_: str, engine: str, served: Sequence[str]) -> str:
    what = ", ".join(sorted(served)[:5]) or "no model"
    return f"{engine} serves {what}: load the model there as {id_}"


def _trained_types(extractor: Extractor) -> tuple[str, ...]:
    usage: Any = getattr(extractor, "usage", None)
    return tuple(usage.types) if usage else tuple(TYPES)


def _calibration(evaluation: str | None, content: str) -> Calibration | None:
    """Fit what a model's probabilities are worth, where the evaluation is its own and says enough."""
    if evaluation is None:
        return None
    with TemporaryDirectory() as scratch:
        path = fetch_named(evaluation, Evaluation.NAME, Path(scratch))
        found = Evaluation.parse(path.read_bytes(), evaluation)
        if not content.startswith(found.model.version):
            warn(f"{evaluation} is of another model ({found.model.name}): confidence stays uncalibrated")
            return None
    return fit_calibration(calibration_pairs(found, read_answers(evaluation)))
