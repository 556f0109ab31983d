"""Which agents of a profile a version answers: those for whose types it was trained and evaluated."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from ctiforge.errors import DataError
from ctiforge.records.evaluation import Evaluation
from ctiforge.records.model_note import AgentNote
from ctiforge.records.profile import Profile
from ctiforge.records.registry import ModelRecord
from ctiforge.serving.answering import answered
from ctiforge.store.artifacts import fetch_named
from ctiforge.store.models import Registry
from ctiforge.store.owned import locate

NOT_EVALUATED = "its evaluation had no article labeled for it"
_NOT_TRAINED = "it was not trained for it"


def agents_of_version(registry: Registry, record: ModelRecord, profile: Profile) -> dict[str, str | None]:
    """Tell which agents a version of the registry answers; its weights are not read.

    Args:
        registry: The registry of its line.
        record: The version's record.
        profile: The application's agents.

    Returns:
        Agent → why it is not answered; None where it is. Empty where the model does not say what it was trained for.

    Raises:
        UsageError: Nothing is left of the version's files.
        DataError: Its note or its evaluation cannot be read.
        StoreError: The store does not answer.
    """
    trained = _trained_types(locate(registry.store, record))
    if trained is None:
        return {}
    types, why_not = known_types(trained, evaluated_types(registry, record))
    return {agent: why_unanswered(profile, agent, types, why_not) for agent in profile.agent}


def known_types(trained: Sequence[str], evaluated: frozenset[str] | None) -> tuple[tuple[str, ...], Mapping[str, str]]:
    """Keep the types that a model was trained for and, where that is known, evaluated on; of the others say why not."""
    if evaluated is None:
        return tuple(trained), {}
    return (
        tuple(type_ for type_ in trained if type_ in evaluated),
        {type_: NOT_EVALUATED for type_ in trained if type_ not in evaluated},
    )


def why_unanswered(profile: Profile, agent: str, types: Sequence[str], why_not: Mapping[str, str]) -> str | None:
    """Say why a model of these types does not answer an agent; None where it does."""
    if answered(profile, agent, types):
        return None
    missing = [type_ for type_ in profile.types_of(agent) if type_ not in types]
    return "; ".join(f"{type_}: {why_not.get(type_, _NOT_TRAINED)}" for type_ in missing)


def evaluated_types(registry: Registry, record: ModelRecord) -> frozenset[str] | None:
    """Read which types the version's evaluation could speak of; None where the registry holds none of this schema."""
    text = registry.evaluation(record.version, record.test_set.content_hash, Evaluation.SCHEMA)
    if text is None:
        return None
    found = Evaluation.parse(text, f"the evaluation of {record.name}")
    return frozenset(type_ for article in found.articles for type_ in article.counts)


def _trained_types(uri: str) -> tuple[str, ...] | None:
    for name in (f"model/{AgentNote.NAME}", AgentNote.NAME):
        with TemporaryDirectory() as scratch:
            try:
                path = fetch_named(uri, name, Path(scratch))
            except DataError:
                # it is not described there
                continue
            return AgentNote.load(path).usage.types
    return None
