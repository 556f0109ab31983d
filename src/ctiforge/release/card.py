"""The model card of a published OS-BERT: every number in it comes from a file beside the model."""

import re
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from ctiforge.errors import DataError
from ctiforge.records.classification import ClassFigures, ClassifierEvaluation, ClassifierRow
from ctiforge.records.evaluation import Evaluation, MetricFigure, TestSetInfo
from ctiforge.records.model_note import OsBertNote
from ctiforge.records.prepared import PrepareReport
from ctiforge.records.training import Training
from ctiforge.release.bundle import outdated
from ctiforge.release.card_text import (
    ABSENT,
    card_table,
    code,
    figure_with_interval,
    plain,
    render_text,
    share,
    with_interval,
)
from ctiforge.release.names import is_hub_name, public_name
from ctiforge.release.publication import Publication, Published
from ctiforge.release.terms import notice
from ctiforge.tables import Cell

TEMPLATE = "os_bert_card.md.j2"
_HASH = "content_hash"
_TYPES = {"macro_f1": "f1", "weighted_f1": "f1", "weighted_precision": "precision", "weighted_recall": "recall"}


@dataclass(frozen=True)
class Card:
    """What a card is made of."""

    repo: str
    version: str
    license: str
    note: OsBertNote
    training: Training
    evaluated: ClassifierEvaluation
    data: PrepareReport | None = None
    previous: Published | None = None
    author: str | None = None
    test_set_repo: str | None = None
    """Where the Hub holds the test set, `owner/name`; None: nowhere."""

    @property
    def title(self) -> str:
        """Name the version in the title of its commit."""
        return f"OS-BERT {self.version}"

    @property
    def source(self) -> str:
        """Say which training the weights come from."""
        return f"{self.training.name}, weights {self.evaluated.model.version}"

    def after(self, previous: Published | None) -> "Card":
        """Make the card of a version that another one came before."""
        return replace(self, previous=previous)

    def results(self) -> list[dict[str, Any]]:
        """Make one entry of the model-index for each metric that has a value."""
        return _results(self.evaluated, self.test_set_repo)

    def render(self) -> str:
        """Render the card: metadata with the model-index, then the text."""
        return render_card(self)

    def read(self, text: str, version: str) -> Published:
        """Read the figures of a card like this."""
        return read_card(text, version)

    def check(self, text: str) -> None:
        """Raise DataError unless a text holds this card's figures."""
        check_card(text, self)

    def outdated(self, there: Collection[str], folder: Path) -> list[str]:
        """List files of a repository that a folder replaces by nothing."""
        return outdated(there, folder)


class AnyCard(Publication, Protocol):
    """The card of a model of either line."""

    @property
    def repo(self) -> str:
        """Give the repository, `owner/name`."""

    @property
    def version(self) -> str:
        """Give the version that it is of."""

    @property
    def license(self) -> str:
        """Give the license, as the Hub names it."""

    @property
    def training(self) -> Training:
        """Give how the model was trained."""

    @property
    def evaluated(self) -> ClassifierEvaluation | Evaluation:
        """Give its evaluation."""

    @property
    def previous(self) -> Published | None:
        """Give what the card of the version before says; None: it is the first."""

    def results(self) -> list[dict[str, Any]]:
        """Make the entries of the model-index."""


def render_card(card: Card) -> str:
    """Render the card: metadata with the model-index, then the text."""
    return front_matter(card, "transformers", "text-classification", "os-bert", "operating-system") + _text(card)


def front_matter(card: "AnyCard", library: str, task: str, line: str, subject: str) -> str:
    """Write the metadata of a card, with the model-index, as the Hub reads them.

    `library` and `task` are the Hub's words for what loads the model and what it does; `line` and `subject` its tags.
    """
    from huggingface_hub import EvalResult, ModelCardData

    base = card.training.base_model
    metadata = ModelCardData(
        model_name=f"{card.repo.rpartition('/')[2]} {card.version}",
        base_model=base if is_hub_name(base) else None,
        license=card.license,
        library_name=library,
        pipeline_tag=task,
        tags=[line, "cyber-threat-intelligence", subject],
        eval_results=[EvalResult(**each) for each in card.results()],
    )
    return f"---\n{metadata.to_yaml()}\n---\n"


def told_of_any(card: "AnyCard") -> dict[str, Any]:
    """Give what the templates of both lines say: the test set, the changes since the version before, the notice."""
    previous, test_set = card.previous, card.evaluated.test_set
    changes = changes_of(previous, card.results())
    titles = ("metric", previous.version if previous else "", card.version, "change")
    return {
        "test_name": name_of_set(test_set),
        "same_test_set": previous is not None and previous.content_hash == test_set.content_hash,
        "changes_table": card_table(titles, changes) if changes else "",
        "notice": notice(card.license),
    }


def read_card(text: str, version: str) -> Published:
    """Read the figures in the metadata of a card; without any where it holds none that can be read."""
    from huggingface_hub import ModelCard

    try:
        data: Any = ModelCard(text, ignore_metadata_errors=True).data
        results = data.eval_results or []
        figures = {each.metric_name: float(each.metric_value) for each in results if each.metric_name}
    except Exception:  # a card that somebody edited can break in any way, and is no reason to stop
        return Published(version)
    if not figures:
        return Published(version)
    # cards of before have it as the revision
    hash_ = (results[0].dataset_args or {}).get(_HASH) or results[0].dataset_revision
    return Published(version, hash_, figures)


def check_card(text: str, card: AnyCard) -> None:
    """Raise DataError unless the metadata of this text, read again, holds the figures that the card was made of."""
    expected = {each["metric_name"]: each["metric_value"] for each in card.results()}
    if (read_card(text, card.version).figures or {}) != expected:
        raise DataError("the card's metadata does not hold the evaluation's figures when it is read again")


def _results(evaluated: ClassifierEvaluation, test_set_repo: str | None) -> list[dict[str, Any]]:
    """Make one entry of the model-index for each metric that has a value."""
    dataset = set_described(evaluated.test_set, "text-classification", test_set_repo)
    return [
        dataset
        | {
            "metric_type": _TYPES.get(name, evaluated.measure),
            "metric_name": _metric_name(evaluated, name, figure),
            "metric_value": float(figure.value),
        }
        for name, figure in evaluated.result.metrics.items()
        if figure.value is not None
    ]


def _metric_name(evaluated: ClassifierEvaluation, name: str, figure: MetricFigure) -> str:
    if name == "accuracy":
        return evaluated.measure
    return figure.label if evaluated.measure == "accuracy" else f"{figure.label} (agreement)"


def _text(card: Card) -> str:
    evaluated, data = card.evaluated, card.data
    rows = evaluated.rows
    floors = [row for row in rows if row.kind == "floor" and row.metrics["macro_f1"].value is not None]
    more = {
        "result": evaluated.result,
        "measure": evaluated.measure,
        "headline": figure_with_interval(evaluated.result.metrics["accuracy"]),
        "floor": max(floors, key=lambda row: row.metrics["macro_f1"].value or 0.0, default=None),
        "snippet": next((row for row in rows if row.kind == "snippet"), None),
        "weak": _weak_points(card),
        "warnings": [*card.training.warnings, *(data.warnings if data else ())],
        "classes_table": _classes_table(card),
        "rows_table": _rows_table(evaluated),
        "model_table": _model_table(evaluated.result),
        "f1_table": _f1_table(evaluated),
        "settings_table": _settings_table(card),
    }
    return render_text(TEMPLATE, vars(card) | told_of_any(card) | more)


def _weak_points(card: Card) -> list[str]:
    """Word what the figures say against the model, a sentence each."""
    said = []
    for each in card.evaluated.result.classes:
        name = code(each.label)
        if not card.training.classes.get(each.label):
            said.append(f"No training article is labeled {name}: the model has not learnt that answer.")
        if not each.support:
            said.append(f"The test set holds no article of {name}: how that class fares is not known.")
        elif each.label == "multiple":
            said.append(f"Articles about several systems: {each.support} in the test set, recall {share(each.recall)}.")
        elif each.low is None:
            said.append(f"Only {each.support} test articles are of {name}: too few for an interval.")
    return said


def _classes_table(card: Card) -> str:
    if not card.data:
        rows = [(Cell(label, code=True), card.training.classes.get(label, 0)) for label in card.evaluated.labels]
        return card_table(("class", "training examples"), rows)
    parts = card.data.parts
    return card_table(
        ("class", *parts),
        [(Cell(label, code=True), *(parts[part].get(label, 0) for part in parts)) for label in card.evaluated.labels],
    )


def _rows_table(evaluated: ClassifierEvaluation) -> str:
    names = [_metric_name(evaluated, name, figure) for name, figure in evaluated.result.metrics.items()]
    cells = []
    for row in evaluated.rows:
        figures = [figure_with_interval(row.metrics[name]) for name in evaluated.result.metrics]
        latency = f"{row.latency_s.median:.3g} / {row.latency_s.p95:.3g}" if row.latency_s else ABSENT
        size = f"{row.size_bytes / 1e6:.3g}" if row.size_bytes is not None else ABSENT
        cells.append((row.name, row.kind, *figures, latency, size))
    return card_table(("classifier", "kind", *names, "seconds an article (median / 95th)", "MB"), cells, left=(0, 1))


def _model_table(row: ClassifierRow) -> str:
    return card_table(
        ("class", "articles", "precision", "recall", "F1"),
        [
            (Cell(each.label, code=True), each.support, share(each.precision), share(each.recall), _class_f1(each))
            for each in row.classes
        ],
    )


def _f1_table(evaluated: ClassifierEvaluation) -> str:
    by_row = [{each.label: each for each in row.classes} for row in evaluated.rows]
    return card_table(
        ("class", *(row.name for row in evaluated.rows)),
        [(Cell(label, code=True), *(_class_f1(classes[label]) for classes in by_row)) for label in evaluated.labels],
    )


def _settings_table(card: Card) -> str:
    training = card.training
    rows = settings_of(training)
    rows += [
        ("window", f"{card.note.max_length} tokens, overlap {card.note.overlap}"),
        ("pooling of windows", card.note.pooling),
        ("training / validation examples", f"{training.examples} / {training.validation_examples}"),
        ("steps", str(training.steps_done)),
        ("best validation loss", plain(training.best_validation_loss)),
        ("seconds", f"{training.seconds:.0f}"),
    ]
    if training.class_weights:
        weights = ", ".join(f"{label} {plain(weight)}" for label, weight in training.class_weights.items())
        rows.append(("class weights", weights))
    return card_table(("setting", "value"), rows, left=(0, 1))


def settings_of(training: Training) -> list[tuple[str, object]]:
    """List base, name and options of a training, as rows of a table."""
    rows: list[tuple[str, object]] = [
        ("base model", Cell(public_name(training.base_model), code=True)),
        *([("its commit", Cell(training.base_revision, code=True))] if training.base_revision else []),
        ("trained as", Cell(training.name, code=True)),
    ]
    rows += [
        (name.replace("_", " "), plain(value))
        for name, value in training.options.items()
        if isinstance(value, (str, int, float))
    ]
    return rows


def set_described(test_set: TestSetInfo, task: str, repo: str | None) -> dict[str, Any]:
    """Describe a test set as every entry of a model-index names it; `repo` is where the Hub holds it, if it does."""
    plain_name = re.sub(r"[^a-z0-9]+", "-", test_set.name.lower()).strip("-")
    return {
        "task_type": task,
        # without `private-` it could be taken for a dataset of the Hub that is called alike
        "dataset_type": repo or f"private-{plain_name}",
        "dataset_name": name_of_set(test_set),
        "dataset_split": "test",
        # a revision is a commit of the Hub
        "dataset_args": {_HASH: test_set.content_hash},
    }


def changes_of(previous: Published | None, results: list[dict[str, Any]]) -> list[tuple[str, ...]]:
    """List metric, value before, value now, difference: of the metrics that both versions have."""
    before = (previous.figures if previous else None) or {}
    now = {each["metric_name"]: each["metric_value"] for each in results}
    return [
        (name, share(before[name]), share(value), f"{value - before[name]:+.3f}")
        for name, value in now.items()
        if name in before
    ]


def name_of_set(test_set: TestSetInfo) -> str:
    """Name a test set with its version."""
    return f"{test_set.name}@{test_set.version}"


def _class_f1(each: ClassFigures) -> str:
    return with_interval(each.f1, each.low, each.high)
