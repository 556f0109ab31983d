"""The model card of a published Extract Agent: every number in it comes from a file beside the model."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ctiforge.records.evaluation import Evaluation, QualityRow
from ctiforge.records.model_note import AgentNote
from ctiforge.records.training import Training
from ctiforge.release.bundle import outdated
from ctiforge.release.card import check_card, front_matter, read_card, set_described, settings_of, told_of_any
from ctiforge.release.card_text import card_table, figure_with_interval, render_text, share, with_interval
from ctiforge.release.publication import Published
from ctiforge.tables import Cell

TEMPLATE = "agent_card.md.j2"
HEADLINE = "micro_f1"
_TYPES = {"micro_f1": "f1", "macro_f1": "f1", "micro_precision": "precision", "micro_recall": "recall"}


@dataclass(frozen=True)
class AgentCard:
    """What an Extract Agent's card is made of."""

    repo: str
    version: str
    license: str
    note: AgentNote
    training: Training
    evaluated: Evaluation
    system: str
    """The system's turn of its prompt; empty: there is none."""
    user: str
    """The user's turn with `TEXT` in the place of a passage."""
    adapter: bool
    """Whether the weights are a LoRA over the base."""
    author: str | None = None
    previous: Published | None = None
    test_set_repo: str | None = None
    """Where the Hub holds the test set, `owner/name`; None: nowhere."""

    @property
    def title(self) -> str:
        """Name the version in the title of its commit."""
        return f"Extract Agent {self.version}"

    @property
    def source(self) -> str:
        """Say which training the weights come from."""
        return f"{self.training.name}, weights {self.evaluated.model.version}"

    def after(self, previous: Published | None) -> "AgentCard":
        """Make the card of a version that another one came before."""
        return replace(self, previous=previous)

    def results(self) -> list[dict[str, Any]]:
        """Make one entry of the model-index for each share that has a value."""
        dataset = set_described(self.evaluated.test_set, "text-generation", self.test_set_repo)
        return [
            dataset
            | {
                "metric_type": _TYPES.get(name, name),
                "metric_name": figure.label,
                "metric_value": float(figure.value),
            }
            for name, figure in self.evaluated.metrics.items()
            if figure.value is not None and figure.unit == "share"
        ]

    def render(self) -> str:
        """Render the card: metadata with the model-index, then the text."""
        evaluated = self.evaluated
        more = {
            "headline": evaluated.metrics.get(HEADLINE),
            "metrics_table": self._metrics_table(),
            "types_table": _types_table([row for row in evaluated.rows if row.group in ("overall", "type")]),
            "settings_table": self._settings_table(),
        }
        library = "peft" if self.adapter else "transformers"
        metadata = front_matter(self, library, "text-generation", "extract-agent", "information-extraction")
        return metadata + render_text(TEMPLATE, vars(self) | told_of_any(self) | more)

    def read(self, text: str, version: str) -> Published:
        """Read the figures of a card like this."""
        return read_card(text, version)

    def check(self, text: str) -> None:
        """Raise DataError unless a text holds this card's figures."""
        check_card(text, self)

    def outdated(self, there: Collection[str], folder: Path) -> list[str]:
        """List files of a repository that a folder replaces by nothing."""
        return outdated(there, folder)

    def _metrics_table(self) -> str:
        rows = [
            (figure.label, figure_with_interval(figure), str(figure.support))
            for figure in self.evaluated.metrics.values()
            if figure.unit == "share" and figure.value is not None
        ]
        return card_table(("figure", "value", "articles"), rows)

    def _settings_table(self) -> str:
        usage = self.note.usage
        sizes = usage.sizes
        rows = settings_of(self.training)
        rows += [
            ("method", self.training.method or "full"),
            ("window", f"{sizes.window_tokens} tokens, overlap {sizes.overlap_tokens}"),
            ("training / validation examples", f"{self.training.examples} / {self.training.validation_examples}"),
            *_threshold(usage.item_bias),
            ("steps", str(self.training.steps_done)),
            ("seconds", f"{self.training.seconds:.0f}"),
        ]
        return card_table(("setting", "value"), rows, left=(0, 1))


def _threshold(bias: float | None) -> list[tuple[str, str]]:
    if bias is None:
        return []
    return [("threshold of an item", f"{bias:+.2f} on its log-odds; an engine asked without ctiforge answers without")]


def _types_table(rows: list[QualityRow]) -> str:
    cells = [
        (
            Cell(each.label, code=each.group == "type"),
            each.expected,
            share(each.precision),
            share(each.recall),
            with_interval(each.f1, each.low, each.high),
        )
        for each in rows
    ]
    return card_table(("type", "items", "precision", "recall", "F1"), cells)
