"""What a run begins with: its record, new or gone on with, the model in use, and the commits of models of the Hub."""

from collections.abc import Iterator
from pathlib import Path

from ctiforge.errors import UsageError
from ctiforge.launcher.plan import Stages
from ctiforge.lines.line import BaseSettings, Line
from ctiforge.records.run import RunRecord, StageRecord
from ctiforge.settings import Settings
from ctiforge.store.bases import list_bases
from ctiforge.store.hub import is_pinned, pin, split_name
from ctiforge.store.models import Registry
from ctiforge.store.named_models import PREFIX, find_model_uri
from ctiforge.store.objects import ObjectStore, open_to_look
from ctiforge.store.owned import check_usable
from ctiforge.store.runs import load_run, new_run


def with_champion(line: Line, settings: Settings) -> tuple[Settings, dict[str, str]]:
    """Take the registry's champion for the model in use where none is set; give what the plan says of it too.

    A version that a setting names, `models:extract@previous`, is looked up once for all stages. A run that is gone on
    with keeps its stages: a champion that came after it began, perhaps its own, is not added.
    """
    settings = settings.model_copy(update=dict(_named_versions(line, settings)))
    if settings.value(line.in_use):
        return settings, {}
    store = open_to_look(settings.store)
    if settings.run_id and store.exists(f"runs/{settings.run_id}/{RunRecord.NAME}"):
        begun = load_run(store, settings.run_id)
        if line.eval_in_use not in [entry.name for entry in begun.stages]:
            return settings, {}
    registry = Registry(store, line.name)
    champion = registry.standing().champion
    if champion is None:
        return settings, {}
    record = registry.get(champion.version)
    note = f"the champion, version {record.version}: {record.name}"
    return settings.model_copy(update={line.in_use: check_usable(store, record)}), {line.eval_in_use: note}


def champion_name(line: Line, store: ObjectStore) -> str | None:
    """Name the version that is in use now by its number, `models:extract@3`; None where none is."""
    champion = Registry(store, line.name).standing().champion
    return f"{PREFIX}{line.name}@{champion.version}" if champion else None


def _named_versions(line: Line, settings: Settings) -> Iterator[tuple[str, str]]:
    for setting in line.settings:
        value = settings.value(setting.name)
        if value and value.startswith(PREFIX):
            yield setting.name, find_model_uri(value, settings.store)


def open_record(name: str, line: Stages, store: ObjectStore, run_id: str | None) -> RunRecord:
    """Give the record of this run, where there is one already, else a new one."""
    stages = [StageRecord(name=stage.name, program=stage.program) for stage in line]
    if run_id and store.exists(f"runs/{run_id}/{RunRecord.NAME}"):
        record = load_run(store, run_id)
        if [each.name for each in record.stages] != [each.name for each in stages]:
            raise UsageError(f"{run_id} was run with other stages than this version has; start a new run")
        return record
    return new_run(name, stages, run_id)


def with_commits(line: Line, settings: Settings, record: RunRecord) -> Settings:
    """Resolve the hub names among the line's models to commits, once for all stages; the record keeps them.

    A run that is gone on with keeps its commits, unless another model or revision is asked for.
    Raises UsageError where a commit cannot be told.
    """
    asked = {name: settings.value(name) for name in (line.model, line.in_use) if settings.value(name)}
    resolved = {name: _resolved(model, record.pinned.get(name)) for name, model in asked.items()}
    record.pinned = {name: model for name, model in resolved.items() if is_pinned(model)}
    return settings.model_copy(update=resolved)


def base_settings(line: Line, settings: Settings, *, reads_demo: bool) -> BaseSettings:
    """Tell what a run sets of itself for its base; for one of the store that fits the demo's articles alone."""
    base = _known_base(line, settings)
    return base if base and (reads_demo or not base.stored_as) else BaseSettings({})


def with_stored_base(line: Line, settings: Settings, store: ObjectStore) -> Settings:
    """Take a base that this project knows by a short name, `smollm2`, from the store.

    Raises UsageError where it is not there, or more than one of its name is.
    """
    base = _known_base(line, settings)
    if not base or not base.stored_as:
        return settings
    name = settings.value(line.model)
    found = [each.uri for each in list_bases(store) if each.facts.name == base.stored_as]
    if not found:
        raise UsageError(f"{name} is not in {store.uri}; put it there with: ctiforge model add {name}")
    if len(found) > 1:
        raise UsageError(f"there are {len(found)} bases called {base.stored_as}; name one: {', '.join(found)}")
    return settings.model_copy(update={line.model: found[0]})


def _known_base(line: Line, settings: Settings) -> BaseSettings | None:
    """Find the base by its short name; a folder of this name goes first where the base lies in the store."""
    name = settings.value(line.model)
    base = line.bases.get(name)
    return None if base and base.stored_as and Path(name).is_dir() else base


def _resolved(model: str, before: str | None) -> str:
    """Give the model with its commit: that of `before` where it is the same model, and no revision is named."""
    return before if before and split_name(before)[0] == model else pin(model)


def check_test_set(name: str, store: ObjectStore) -> None:
    """Raise UsageError where the store has no such test set."""
    if not store.list(f"testsets/{name.replace('@', '/')}"):
        raise UsageError(
            f"there is no test set {name} in {store.uri}; "
            "see `ctiforge testset list`, or make one with `ctiforge testset create` and `import`"
        )
