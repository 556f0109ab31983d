"""The profiles of applications: those that are shipped, and those that a team wrote."""

import tomllib
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

from pydantic import ValidationError

from ctiforge.errors import UsageError
from ctiforge.records.base import explain
from ctiforge.records.profile import Profile
from ctiforge.serving.fields import RULE, RULE_TYPES, RULES, SOURCES


def load_profile(name_or_path: str) -> Profile:
    """Load a profile.

    Args:
        name_or_path: `huntable`, or the path of a TOML file.

    Returns:
        The profile.

    Raises:
        UsageError: There is none of the name; or what is wrong with the file, with its table and key.
    """
    if name_or_path in shipped():
        text = (resources.files(__name__) / f"{name_or_path}.toml").read_text(encoding="utf-8")
        return parse_profile(text, name_or_path)
    if not Path(name_or_path).is_file():
        known = ", ".join(shipped())
        if Path(name_or_path).is_dir():
            raise UsageError(
                f"profile {name_or_path!r} is a folder: give a TOML file, or one that is shipped ({known})"
            )
        raise UsageError(f"profile {name_or_path!r} does not exist: give a TOML file, or one that is shipped ({known})")
    try:
        return parse_profile(Path(name_or_path).read_text(encoding="utf-8-sig"), name_or_path)
    except UnicodeDecodeError:
        raise UsageError(f"{name_or_path}: it is not UTF-8; save it as that") from None


def shipped() -> tuple[str, ...]:
    """List the names of the profiles that come with ctiforge."""
    names = (each.name for each in resources.files(__name__).iterdir())
    return tuple(sorted(name.removesuffix(".toml") for name in names if name.endswith(".toml")))


def parse_profile(text: str, source: str) -> Profile:
    """Read the text of a profile.

    Args:
        text: TOML.
        source: What names the file in errors.

    Returns:
        The profile.

    Raises:
        UsageError: What is wrong with it: the first place, with its table and key.
    """
    try:
        profile = Profile.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{source} is no TOML: {error}") from None
    except ValidationError as error:
        raise UsageError(f"{source}: {explain(error, 'the file').replace('Value error, ', '')}") from None
    for fault in _faults(profile):
        raise UsageError(f"{source}: {fault}")
    return profile


def _faults(profile: Profile) -> Iterator[str]:
    """Find what only the whole profile shows."""
    told: dict[object, str] = {}
    for name, agent in profile.agent.items():
        for key, source in agent.fields.items():
            if source not in SOURCES and source.removeprefix(RULE) not in (RULES if source.startswith(RULE) else ()):
                yield f"agent.{name}.fields.{key}: {source!r} fills no field: choose of {_sources()}"
            of_type = RULE_TYPES.get(source.removeprefix(RULE)) if source.startswith(RULE) else None
            if of_type and of_type not in agent.types:
                yield f"agent.{name}.fields.{key}: {source!r} reads {of_type}, and the agent asks for none"
        if agent.answer.key in agent.answer.count:
            yield f"agent.{name}.answer.count: {agent.answer.key!r} is the key of the items: give the number another"
        other = told.setdefault((agent.recognize, profile.marks_of(name)), name)
        if other != name:
            yield f"agent.{name}.recognize: the same as of {other}: their requests cannot be told apart"


def _sources() -> str:
    return ", ".join([*SOURCES, *(f"{RULE}{name}" for name in RULES)])
