"""Versions that passed the gate and wait for a person: `models/<line>/waiting/<version>.json`."""

from contextlib import suppress
from datetime import UTC, datetime

from ctiforge.errors import StoreError, UsageError
from ctiforge.records.registry import Champion, Waiting
from ctiforge.store.models import OvertakenError, Registry, Standing
from ctiforge.store.reading import MEND, read_record


def ask_approval(
    registry: Registry, version: int, standing: Standing, why: str, actor: str, grounds: str | None
) -> Waiting:
    """Let a version wait for a person; asked again, the newest decision counts.

    Args:
        registry: The line's registry.
        version: The version that passed the gate.
        standing: The champion that it was decided against.
        why: The gate's figures.
        actor: Who asked the gate.
        grounds: The hash of what the gate decided on.

    Returns:
        What is kept of it.
    """
    waiting = Waiting(
        version=version,
        moves=moves_of(standing),
        grounds=grounds,
        why=why,
        actor=actor,
        at=datetime.now(UTC),
    )
    registry.store.write(_key(registry, version), waiting.to_json().encode())
    return waiting


def waiting_of(registry: Registry) -> list[Waiting]:
    """List the versions of a line that wait for a person, by number; also those whose decision no longer holds.

    Args:
        registry: The line's registry.

    Returns:
        What is kept of each.
    """
    keys = [info.key for info in registry.store.list(f"models/{registry.line}/waiting")]
    return sorted((read_record(registry.store, key, Waiting, MEND) for key in keys), key=lambda each: each.version)


def approve(registry: Registry, version: int, why: str, actor: str) -> Champion:
    """Make a waiting version the champion.

    Args:
        registry: The line's registry.
        version: The version.
        why: The person's words, for the history.
        actor: Who approves it.

    Returns:
        The champion as it now stands.

    Raises:
        UsageError: The version does not wait, or is in use already.
        DataError: Its files are gone, or no longer what was registered.
        OvertakenError: The champion has changed since the decision, or does so now.
    """
    standing = registry.standing()
    if standing.champion and standing.champion.version == version:
        _withdraw(registry, version)
        raise UsageError(f"{registry.line}: version {version} is in use already")
    waiting = next((each for each in waiting_of(registry) if each.version == version), None)
    if waiting is None:
        known = ", ".join(str(each.version) for each in waiting_of(registry)) or "none"
        raise UsageError(f"{registry.line}: version {version} does not wait for approval (waiting: {known})")
    if moves_of(standing) != waiting.moves:
        raise OvertakenError(
            f"the champion of {registry.line} has changed since version {version} was decided on: promote it again "
            f"(ctiforge promote {registry.line} --model models:{registry.line}@{version} --evaluation …), to be held "
            "against the one in use now"
        )
    registry.check_whole(registry.get(version))
    champion = registry.promote(version, standing, f"{why} ({waiting.why})", actor, waiting.grounds)
    with suppress(StoreError):
        # one that stays is seen to be in use
        _withdraw(registry, version)
    return champion


def moves_of(standing: Standing) -> int:
    """Count how often the champion has changed.

    Args:
        standing: The champion at one moment.

    Returns:
        The number of its moves so far; 0 without one.
    """
    return len(standing.champion.history) if standing.champion else 0


def _withdraw(registry: Registry, version: int) -> None:
    registry.store.delete(_key(registry, version))


def _key(registry: Registry, version: int) -> str:
    return f"models/{registry.line}/waiting/{version}.json"
