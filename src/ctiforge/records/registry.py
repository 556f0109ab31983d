"""`model.json` and `champion.json`: the versions of a line's models, and which is in use."""

from datetime import datetime
from typing import ClassVar, Literal

from ctiforge.records.artifact import FileEntry, InputEntry
from ctiforge.records.base import File, Record
from ctiforge.records.decision import Decision
from ctiforge.records.evaluation import TestSetInfo
from ctiforge.records.references import folder_in


class Step(Record):
    """One stage's artifact and what it was made of."""

    stage: str
    """The stage's name."""
    version: int
    """The stage's version."""
    fingerprint: str
    """The artifact's fingerprint."""
    uri: str
    """The artifact's folder."""
    inputs: dict[str, InputEntry]
    """What it was made of, by name."""
    git_commit: str | None
    """The commit of ctiforge that made it; None where nobody knows it."""
    image: str | None
    """The container image that it was made in; None outside of one."""
    started_at: datetime
    """When the work began."""

    def references(self) -> frozenset[str]:
        """Name the folders of a store that it made, and those that it was made of.

        Returns:
            Keys of artifacts and shared inputs.
        """
        made = {f"artifacts/{self.stage}/{self.fingerprint}", folder_in(self.uri) or ""} - {""}
        return frozenset(made).union(*(each.references() for each in self.inputs.values()))


class BaseModelEntry(Record):
    """What a model was trained from."""

    name: str
    """A hub name, a folder, or `demo`, as the training was told."""
    revision: str | None
    """The hash of its files; None where only its name is known."""


class Candidate(Record):
    """A model that the gate let through, as it is registered."""

    name: str
    """What the model is called."""
    artifact: str
    """The URI of its files."""
    place: str | None = None
    """The key of its files in the registry's own store: an artifact there, or a copy that the registry keeps; None of
    versions of before, whose files nobody may have kept."""
    files: dict[str, FileEntry] | None = None
    """Each file's name, with its size and hash; None of versions of before."""
    fingerprint: str | None
    """That of its artifact; None where no stage made it."""
    content: str
    """The hash of its files."""
    git_commit: str | None
    """The commit of ctiforge that it was trained with; None where nobody knows it."""
    image: str | None
    """The container image that it was trained in; None outside of one."""
    lineage: tuple[Step, ...]
    """The stages that made it, the newest first."""
    test_set: TestSetInfo
    """The articles that the gate decided on."""
    decision: Decision
    """What the gate said."""
    grounds: str | None = None
    """The hash of what the gate decided on, which the registry keeps; None of versions of before."""
    actor: str | None = None
    """Who promoted it: a person, or a pod; None of versions of before."""
    reason: str | None = None
    """Why, in figures; None of versions of before."""
    trained_on: tuple[InputEntry, ...] | None = None
    """The training articles, with the hash of their content; None of versions of before."""
    base: BaseModelEntry | None = None
    """What it was trained from; None where its files do not say."""
    license: str | None = None
    """That of its weights, as the Hub names it; None where nobody said."""

    def references(self) -> frozenset[str]:
        """Name the folders of a store that the model and its lineage lie in.

        Returns:
            Keys of artifacts and shared inputs.
        """
        folder = folder_in(self.artifact)
        return frozenset([folder] if folder else ()).union(*(step.references() for step in self.lineage))


class ModelRecord(Candidate, File):
    """One version, as `model.json` holds it."""

    NAME: ClassVar[str] = "model.json"

    line: str
    """The line's name."""
    version: int
    """Its number in the line, from 1."""
    registered_at: datetime
    """When it was registered, in UTC."""


class GateLook(File):
    """One candidate that was held against a champion, or a floor, on one version of a test set."""

    NAME: ClassVar[str] = "look.json"

    candidate: str
    """The candidate by name and version."""
    against: str
    """What it was held against, by name and version."""
    at: datetime
    """When it was first looked at, in UTC."""
    scoring: int = 0
    """The number of the rules that it was scored by: only figures by the same ones are looked at together."""
    figures: tuple[float, ...] = ()
    """Its primary figure over all articles, then without each: what later candidates are looked at together with."""


class LookedAt(File):
    """The articles of a version of a test set on which candidates were looked at."""

    NAME: ClassVar[str] = "looked-at.json"

    test_set: str
    """The version: `name@version`."""
    articles: tuple[str, ...]
    """Their ids."""


class Move(Record):
    """One change of the champion."""

    at: datetime
    """When, in UTC."""
    what: Literal["promoted", "rolled back"]
    """Whether the version passed the gate, or a person put it back."""
    version: int
    """The version in use from then on."""
    previous: int | None
    """The version in use until then; None for the first."""
    why: str
    """The gate's figures, or the person's words."""
    actor: str | None = None
    """Who did it: a person, or a pod; None of moves of before."""
    grounds: str | None = None
    """Of a promotion the hash of what the gate decided on, which the registry keeps; None of moves of before."""


class Waiting(File):
    """A version that passed the gate and waits for a person's approval."""

    NAME: ClassVar[str] = "waiting.json"

    version: int
    """The version."""
    moves: int
    """How often the champion had changed when it was decided: after another change the decision no longer holds."""
    grounds: str | None
    """The hash of what the gate decided on."""
    why: str
    """The gate's figures."""
    actor: str
    """Who asked the gate."""
    at: datetime
    """When, in UTC."""


class Champion(File):
    """The version of a line in use, and all that led to it."""

    NAME: ClassVar[str] = "champion.json"

    version: int
    """The version in use."""
    history: tuple[Move, ...]
    """Every change of the champion, oldest first."""

    def before(self) -> int | None:
        """Find the version that was in use before this one, not counting what was rolled back; None where none was."""
        stack: list[int] = []
        for move in self.history:
            if move.version in stack:
                del stack[stack.index(move.version) :]
            stack.append(move.version)
        return stack[-2] if len(stack) > 1 else None

    def ever(self) -> tuple[int, ...]:
        """List every version that was in use, each once."""
        return tuple(dict.fromkeys(move.version for move in self.history))

    def rolled_back(self, version: int) -> Move | None:
        """Find the rollback that took a version out of use, where nothing has brought it back since.

        Args:
            version: The version's number.

        Returns:
            The rollback; None where the version was not rolled back, or is back.
        """
        last = next((move for move in reversed(self.history) if version in (move.version, move.previous)), None)
        return last if last and last.what == "rolled back" and last.previous == version else None
