"""Writes an agent's answer, in the application's shape, from what the model found in the article."""

import json
from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from ctiforge.evaluation.sureness import Sureness, surest
from ctiforge.extract.answering.extraction import Extraction, WindowSpan
from ctiforge.extract.harvest.choosing import SERVED
from ctiforge.observables.values import normalize
from ctiforge.records.observable import Observable
from ctiforge.records.profile import Profile
from ctiforge.serving.confidence import Calibration
from ctiforge.serving.fields import RULE, RULES
from ctiforge.serving.placing import ArticlePlaces, PlacedItem

_DIGITS = 3


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
        return f"{SERVED}/{self.name}@{self.version}"


def agent_answer(profile: Profile, agent: str, text: str, extraction: Extraction, model: ServedModel) -> str:
    """Write what an agent's request is answered with.

    Args:
        profile: What the application expects.
        agent: The agent's name in the profile.
        text: The article.
        extraction: What the model found in it.
        model: The model.

    Returns:
        A JSON object on one line, ASCII only.
    """
    shape = profile.agent[agent]
    places, sure = _places(text), surest(extraction.windows)
    items = []
    for found in extraction.observables:
        if found.type not in shape.types:
            continue
        answer = _Answered(
            found=found,
            placed=places.place(found.type, found.value),
            sure=sure.get((found.type, normalize(found.type, found.value))),
            windows=tuple((each.start, each.end) for each in extraction.windows),
            model=model,
        )
        items.append({key: answer.field(source) for key, source in shape.fields.items()})
    counts = dict.fromkeys(shape.answer.count, len(items))
    return json.dumps({shape.answer.key: items, **counts}, separators=(",", ":"))


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


@lru_cache(maxsize=2)
def _places(text: str) -> ArticlePlaces:
    # the agents of an application ask about one article, one after the other
    return ArticlePlaces(text)


@dataclass(frozen=True)
class _Answered:
    """One item of an answer, and what its fields are made of."""

    found: Observable
    placed: PlacedItem
    sure: Sureness | None
    windows: tuple[WindowSpan, ...]
    model: ServedModel

    def field(self, source: str) -> Any:
        """Give the value of a field; None where there is none."""
        if source.startswith(RULE):
            return RULES[source.removeprefix(RULE)](self.placed)
        values = {
            "item": self.placed.value,
            "paragraph": self.placed.paragraph,
            "type": self.found.type,
            "platform": self.found.platform,
            "model": self.model.id,
            "confidence": self._confidence(),
            "justification": self._justification(),
        }
        return values[source]

    def _confidence(self) -> float | None:
        if self.sure is None:
            return None
        calibration = self.model.calibration
        return round(calibration.share(self.sure.probability) if calibration else self.sure.probability, _DIGITS)

    def _justification(self) -> str:
        window = self._window()
        where = f" reading characters {window[0]} to {window[1]} of the article" if window else ""
        stands = "" if self.placed.span else "; the article does not hold it as it is written here"
        return f"Found by {self.model.id}{where}{stands}; {self._worth()}."

    def _window(self) -> WindowSpan | None:
        if self.sure:
            return self.sure.window
        span = self.placed.span
        return next((each for each in self.windows if span and each[0] <= span.start and span.end <= each[1]), None)

    def _worth(self) -> str:
        if self.sure is None:
            return "confidence unknown: nothing says how likely the model thought it"
        if self.model.calibration is None:
            return "confidence uncalibrated: the model's own probability of its tokens"
        return f"confidence calibrated on {self.model.calibration.items} items of an evaluation"
