"""What the sources hand to the harvest: one article with all executions that read it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ctiforge.data.generations import ReadResult
from ctiforge.data.item_values import canonical_type
from ctiforge.records.article import LabelerKind
from ctiforge.records.observable import TYPES

# the application's agents, by the type that each extracts
_AGENTS = {
    "cmdline": "CmdlineExtract",
    "registry": "RegistryExtract",
    "services": "ServicesExtract",
    "scheduled_tasks": "ScheduledTasksExtract",
    "process_lineage": "ProcTreeExtract",
    "hunt_queries": "HuntQueriesExtract",
    "network_indicators": "NetworkIndicatorExtract",
}
_ANY_AGENT = "ExtractAgent"


@dataclass(frozen=True, slots=True)
class Execution:
    """One run of the application's extraction over one article."""

    status: str
    """The application's word for how it ended: `completed`, or another one."""
    finished_at: str
    """ISO 8601, or empty where nothing says."""
    outcome: ReadResult
    """What the execution found."""
    agent_models: Mapping[str, str] = field(default_factory=dict)
    """The models of its configuration, as the application names them: `CmdlineExtract_model`, `ExtractAgent`, …"""
    evaluation: bool = False
    """Whether it was run to evaluate the application's own agents."""
    seen_text: str | None = None
    """What the application's filter left of the article for its extractors, "" where nobody kept that; None: all."""

    by: LabelerKind = "model"
    """Who looked: a model of the application, or a person."""
    labeler: str | None = None
    """The person's name; None for a model."""

    def model_of(self, type_: str) -> str | None:
        """Name the model that was asked for a type: as its items say, else as the configuration does.

        Args:
            type_: The type.

        Returns:
            The model; None where nothing says which it was.
        """
        state = self.outcome.states.get(type_)
        agent = _AGENTS.get(type_)
        configured = self.agent_models.get(f"{agent}_model") if agent else None
        return (state.model if state else None) or configured or self.agent_models.get(_ANY_AGENT) or None


@dataclass(slots=True)
class Article:
    """An article as its source holds it."""

    id: str
    """The source's own number, or name in files."""
    url: str | None
    """The page's address; None where the source has none."""
    title: str
    """"" where the source has none."""
    content: str | None
    """The text; None where the source has none, as in some result files."""
    hunt_score: float | None
    """The application's threat_hunting_score; None where there is none, or no number."""
    executions: list[Execution] = field(default_factory=list)
    """Every execution over the article that was asked for; empty where none was."""
    kept_out: str | None = None
    """Why the source itself says that it is nothing to learn from; None where it does not."""


def type_of_agent(name: str) -> str | None:
    """Find the type that an agent of the application extracts.

    Args:
        name: The agent's name, or that of its type in any spelling.

    Returns:
        The type; None where it is none of ours.
    """
    named = next((type_ for type_, agent in _AGENTS.items() if agent.casefold() == name.strip().casefold()), None)
    type_ = named or canonical_type(name)
    return type_ if type_ in TYPES else None


def read_configuration(config: Any) -> tuple[dict[str, str], bool]:
    """Read an execution's `config_snapshot`: the models it names, and whether it is an evaluation run.

    Args:
        config: Any JSON value; anything else than an object says nothing.

    Returns:
        The models by the application's names for them, and whether the run evaluated the application's own agents.
    """
    if not isinstance(config, dict):
        return {}, False
    models = config.get("agent_models")
    named = models.items() if isinstance(models, dict) else ()
    texts = {
        name: model.encode("utf-8", "replace").decode().strip()
        for name, model in named
        if isinstance(name, str) and isinstance(model, str) and model.strip()
    }
    return texts, bool(config.get("eval_run") or config.get("subagent_eval"))
