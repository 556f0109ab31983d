"""Writes an agent's answer, in the application's shape, from what the model found in the article."""

from collections.abc import Collection
from dataclasses import dataclass

from ctiforge.extract.answering.extraction import Extraction
from ctiforge.records.profile import Profile
from ctiforge.serving.confidence import Calibration


@dataclass(frozen=True)
class ServedModel:
    """The model that answers."""

    name: str
    """What it is called."""
    version: str
    """Its version in the registry, or what else tells it from others of its name."""
    calibration: Calibration | None = None
    """What its probabilities are worth; None where nobody knows."""

    @property
    def id(self) -> str:
        """Name it as clients do."""
        return f"ctiforge/{self.name}@{self.version}"


def agent_answer(profile: Profile, agent: str, text: str, extraction: Extraction, model: ServedModel) -> str:
    """Write what an agent's request is answered with.

    Args:
        profile: What the application expects.
        agent: The agent's name in the profile.
        text: The article.
        extraction: What the model found in it.
        model: The model.

    Returns:
        A JSON object on one line.
    """
    raise NotImplementedError


def answered(profile: Profile, agent: str, types: Collection[str]) -> bool:
    """Tell whether a model answers an agent.

    Args:
        profile: What the application expects.
        agent: The agent's name in the profile.
        types: The types that the model was trained and evaluated for.

    Returns:
        Whether all types that the agent asks for are among them.
    """
    return set(profile.types_of(agent)) <= set(types)
