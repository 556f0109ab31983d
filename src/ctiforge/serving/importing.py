"""Writes a profile for an application whose agents' prompts were changed, from a profile that knows them."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from ctiforge.errors import DataError
from ctiforge.records.profile import AgentProfile, Profile, Recognition

_ROLES, _TASKS, _EXAMPLES = ("system", "role"), ("objective", "task"), ("json_example", "output_format")
_FIRST_SENTENCE = re.compile(r"\s*([^\n]{20,}?[.!?](?=\s|$)|[^\n]+)")
_LONGEST = 200
_BARE_KEY = re.compile(r"[\w-]+")


@dataclass(frozen=True)
class ImportedProfile:
    """A profile with what it was made of."""

    profile: Profile
    """The profile."""
    imported: tuple[str, ...]
    """The agents whose prompts were read; the others are as in the profile that was taken for a start."""
    unknown: tuple[str, ...]
    """Names of prompts that are of no agent of the profile."""


def import_profile(base: Profile, name: str, prompts: Any) -> ImportedProfile:
    """Fit a profile to the prompts of an application.

    Of each agent the first sentences of its role and its task become the words that it is recognized by, and the key
    of the list in its JSON example the key of its answer; what a prompt does not have stays.

    Args:
        base: The profile to start with.
        name: The name of the new one.
        prompts: Agent's name → its prompt: JSON of any shape, the texts in it may be JSON again.

    Returns:
        The new profile.

    Raises:
        DataError: There is no prompt of any agent that the profile knows.
    """
    prompts = _decoded(prompts)
    given = {agent: prompts[agent] for agent in base.agent if prompts.get(agent)} if isinstance(prompts, dict) else {}
    if not given:
        raise DataError(f"there is no prompt of an agent that profile {base.name} knows: {', '.join(base.agent)}")
    fitted = {agent: found for agent, prompt in given.items() if (found := _fitted(base.agent[agent], prompt))}
    unknown = tuple(str(each) for each in prompts if each not in base.agent)
    profile = base.model_copy(update={"name": name, "agent": {**base.agent, **fitted}})
    return ImportedProfile(profile, tuple(fitted), unknown)


def to_toml(profile: Profile) -> str:
    """Write a profile as the TOML that `load_profile` reads.

    Args:
        profile: The profile.

    Returns:
        The file's text.
    """
    return "\n".join(_table((), profile.model_dump(exclude_none=True))).lstrip("\n") + "\n"


def _fitted(agent: AgentProfile, prompt: Any) -> AgentProfile | None:
    """Fit an agent to its prompt; None where nothing of that could be read."""
    told = [_first_sentence(_find(prompt, names)) for names in (_ROLES, _TASKS)]
    words = tuple(each for each in told if each)
    shown = _list_key(_find(prompt, _EXAMPLES))
    if not words and not shown:
        return None
    key = shown or agent.recognize.example_key
    recognize = Recognition(example_key=key, system=words or agent.recognize.system)
    answer = agent.answer.model_copy(update={"key": key}) if key else agent.answer
    return agent.model_copy(update={"recognize": recognize, "answer": answer})


def _decoded(value: Any) -> Any:
    """Read the texts in a value that are JSON objects."""
    if isinstance(value, dict):
        return {key: _decoded(each) for key, each in value.items()}
    if isinstance(value, str) and value.lstrip().startswith("{"):
        try:
            return _decoded(json.loads(value))
        except (ValueError, RecursionError):
            return value
    return value


def _find(prompt: Any, names: tuple[str, ...]) -> Any:
    """Find what stands under the first of some names, however deep."""
    waiting = [prompt]
    while waiting:
        each = waiting.pop(0)
        if not isinstance(each, Mapping):
            continue
        for name in names:
            if each.get(name):
                return each[name]
        waiting.extend(each.values())
    return None


def _first_sentence(text: Any) -> str | None:
    match = _FIRST_SENTENCE.match(text) if isinstance(text, str) else None
    if not match:
        return None
    said = match[1].strip()
    # no word is cut in two: a request has it whole
    return said if len(said) <= _LONGEST else said[: _LONGEST + 1].rpartition(" ")[0].rstrip() or said[:_LONGEST]


def _list_key(example: Any) -> str | None:
    keys = [key for key, value in example.items() if isinstance(value, list)] if isinstance(example, dict) else []
    return keys[0] if len(keys) == 1 and keys[0].strip() else None


def _table(path: tuple[str, ...], table: Mapping[str, Any]) -> list[str]:
    """Write a table: its plain values first, then the tables in it."""
    plain = {key: value for key, value in table.items() if not isinstance(value, dict | BaseModel)}
    lines = ["", f"[{'.'.join(map(_key, path))}]"] if path and plain else []
    lines += [f"{_key(key)} = {_value(value)}" for key, value in plain.items()]
    for key, value in table.items():
        if key not in plain:
            lines += _table((*path, key), value)
    return lines


def _key(key: str) -> str:
    return key if _BARE_KEY.fullmatch(key) and key.isascii() else _value(key)


def _value(value: Any) -> str:
    # a text in JSON is a text in TOML, but for what follows a backslash-u and DEL
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return f"[{', '.join(map(_value, value))}]"
