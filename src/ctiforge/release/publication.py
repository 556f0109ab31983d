"""What is published, of whatever kind, as publishing sees it: a card, and what the card of the version before said."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True)
class Published:
    """What the card of an earlier version says."""

    version: str
    content_hash: str | None = None
    """Of the test set of a model."""
    figures: Mapping[str, float] | None = None
    """Of a model, metric name, as in the model-index, to value; of a dataset, split to articles."""


class Publication(Protocol):
    """A card, as publishing what it is of needs it."""

    @property
    def title(self) -> str:
        """Name the version in the title of its commit."""

    @property
    def source(self) -> str:
        """Say where what is published comes from, for the tag."""

    def after(self, previous: Published | None) -> "Publication":
        """Make the card of a version that another one came before.

        Args:
            previous: What the card of that one says; None: it is the first.

        Returns:
            The card.
        """

    def render(self) -> str:
        """Render metadata and text."""

    def read(self, text: str, version: str) -> Published:
        """Read what a card like this says of the version that it is of.

        Args:
            text: The card.
            version: The version.

        Returns:
            What it says, as far as it can be read.
        """

    def check(self, text: str) -> None:
        """See that a text, read again, holds what the card was made of.

        Args:
            text: The card as it was written, or downloaded again.

        Raises:
            DataError: It does not.
        """

    def outdated(self, there: Collection[str], folder: Path) -> list[str]:
        """List the files of a repository that this version replaces by nothing.

        Args:
            there: Names of the files that are there.
            folder: What is to be published.

        Returns:
            Names of those to remove; files that people added stay.
        """
