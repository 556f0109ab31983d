"""Evaluates OS-BERT beside its floors and baselines on articles whose operating system is known."""

import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

from ctiforge.data.testsets import read_labelled_articles
from ctiforge.errors import CtiforgeError, DataError
from ctiforge.evaluation.failures import check_failures
from ctiforge.evaluation.scoring.classification import score_row
from ctiforge.evaluation.statistics import INTERVALS
from ctiforge.osbert.cascade import Cascade
from ctiforge.osbert.detection import Detector
from ctiforge.osbert.detectors import FineTuned, Frozen, load_detector
from ctiforge.osbert.frozen import CLASSIFIERS
from ctiforge.osbert.prepared import class_counts
from ctiforge.osbert.rules import Keywords, Majority
from ctiforge.osbert.words import NAME as TF_IDF
from ctiforge.osbert.words import Words
from ctiforge.progress import Progress
from ctiforge.records.article import OS_LABELS
from ctiforge.records.classification import (
    NO_ANSWER,
    Case,
    ClassifierEvaluation,
    ClassifierRow,
    Measure,
    RowKind,
)
from ctiforge.records.evaluation import ModelInfo, TestSetInfo
from ctiforge.records.os_article import read_labeled
from ctiforge.training.faults import check_device, first_line, no_numbers

_TIMED = 20
"""Articles that are detected one by one for the latency."""
_ARTICLES_TOGETHER = 32


@dataclass(frozen=True)
class TestArticles:
    """Texts with their true labels, and who gave them: None for a person's test set."""

    __test__ = False

    info: TestSetInfo
    cases: tuple[Case, ...]
    texts: tuple[str, ...]
    labeler: str | None


@dataclass(frozen=True)
class _Said:
    """A class, or `NO_ANSWER` and why there is none."""

    label: str
    error: str | None = None


def read_test_articles(path: Path, reference: str | None) -> TestArticles:
    """Read the labeled articles to evaluate on; those without an operating system's label are left out.

    Args:
        path: A JSON-lines file: of a test set, reviewed by a person, or a part that prepare_os left.
        reference: `name@version` where it is a test set of the store, else None.

    Returns:
        Texts, true labels and what the set is called.

    Raises:
        DataError: No article has a label, or a line is no article.
        UsageError: There is no such file.
    """
    is_prepared = _is_prepared(path)
    if is_prepared:
        labeled = [(a.id, a.title, a.content, a.label) for a in read_labeled(path)]
        labeler, total = is_prepared, len(labeled)
    else:
        articles = list(read_labelled_articles(path))
        labeled = [(a.id, a.title, a.content, a.os_label) for a in articles if a.os_label]
        labeler, total = None, len(articles)
    if not labeled:
        raise DataError(f"{reference or path}: no article has an os_label, so there is nothing to score against")
    content_hash = hashlib.sha256(path.read_bytes()).hexdigest()
    name, _, version = (reference or f"{path.stem}@{content_hash[:12]}").rpartition("@")
    info = TestSetInfo(
        name=name,
        version=version,
        content_hash=content_hash,
        articles=len(labeled),
        unlabelled=total - len(labeled),
    )
    cases = tuple(Case(id=id_, title=title, label=label) for id_, title, _, label in labeled)
    return TestArticles(info, cases, tuple(text for _, _, text, _ in labeled), labeler)


def evaluate_os_bert(
    articles: TestArticles,
    model: Path,
    version: str,
    *,
    baselines: Path | None,
    base_folder: str | None,
    trained_on: Path | None,
    device: str,
) -> ClassifierEvaluation:
    """Evaluate OS-BERT beside every floor and baseline there is, on the same articles.

    Args:
        articles: The labeled articles.
        model: The folder of the model under test.
        version: The version of its weights, for the evaluation.
        baselines: The output folder of baselines_os; None: without them.
        base_folder: The encoder's folder, for baselines; None: what their notes name.
        trained_on: The training part, whose most frequent class is the majority's floor; None: without it.
        device: `auto`, `cpu` or `cuda`.

    Returns:
        A row for each, the model's own last.

    Raises:
        UsageError: A folder holds no classifier.
        DataError: A note or the training part cannot be read.
        CannotGoOnError: A device failed, or one of them failed on too many articles.
    """
    detector = load_detector(model, base_folder=base_folder, device=device)
    compared: list[tuple[RowKind, Detector]] = []
    if trained_on:
        compared.append(("floor", Majority(class_counts(read_labeled(trained_on)))))
    compared.append(("floor", Keywords()))
    if baselines:
        compared += [("baseline", Frozen(baselines / name, base_folder, device)) for name in CLASSIFIERS]
    if baselines and (baselines / TF_IDF).is_dir():
        words = Words(baselines / TF_IDF)
        compared += [("baseline", words), ("baseline", Cascade(words))]
    if isinstance(detector, FineTuned):
        compared.append(("snippet", FineTuned(model, device, first_window_only=True)))
        compared.append(("snippet", Cascade(detector)))
    compared.append(("model", detector))
    truths = [case.label for case in articles.cases]
    with Progress("eval_os_bert", len(compared) * len(truths)) as progress:
        rows = [_row(kind, each, articles.texts, truths, progress) for kind, each in compared]
    measure: Measure = "agreement" if articles.labeler in detector.note.labeler.split(" + ") else "accuracy"
    info = ModelInfo(name=detector.name, version=version)
    return ClassifierEvaluation(
        model=info,
        test_set=articles.info,
        measure=measure,
        labels=OS_LABELS,
        fingerprint=_fingerprint(info, articles.info, [row.name for row in rows]),
        cases=articles.cases,
        rows=tuple(rows),
        intervals=INTERVALS,
    )


def _row(
    kind: RowKind, detector: Detector, texts: Sequence[str], truths: Sequence[str], progress: Progress
) -> ClassifierRow:
    found: list[_Said] = []
    for start in range(0, len(texts), _ARTICLES_TOGETHER):
        part = _detect(detector, texts[start : start + _ARTICLES_TOGETHER])
        found += part
        right = sum(each.label == truth for each, truth in zip(found, truths, strict=False))
        progress.advance(len(part), {f"accuracy, {detector.name}": right / len(found)})
    errors = [each.error for each in found if each.error]
    check_failures(detector.name, errors, len(texts), "articles")
    answered = [text for text, each in zip(texts, found, strict=True) if not each.error]
    return score_row(
        detector.name,
        kind,
        truths,
        [each.label for each in found],
        OS_LABELS,
        errors=errors,
        seconds=[_seconds(detector, text) for text in answered[:_TIMED]],
        size_bytes=detector.size_bytes,
    )


def _detect(detector: Detector, texts: Sequence[str]) -> list[_Said]:
    """Detect together, or half by half where that fails; one text on which it fails has no answer."""
    try:
        found = detector.detect_many(texts)
        if not all(isfinite(each.confidence) for each in found):
            raise no_numbers(detector.name)
        return [_Said(each.label) for each in found]
    except CtiforgeError:
        raise
    except Exception as error:  # whatever one article breaks, the others are still to be scored
        check_device(error)
        why = first_line(error)
    if len(texts) == 1:
        return [_Said(NO_ANSWER, why)]
    half = len(texts) // 2
    return _detect(detector, texts[:half]) + _detect(detector, texts[half:])


def _seconds(detector: Detector, text: str) -> float:
    started = time.perf_counter()
    detector.detect_many([text])
    return time.perf_counter() - started


def _is_prepared(path: Path) -> str | None:
    """Read the labeler of a part of prepare_os; None for other files."""
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        first = file.readline()
    try:
        row: Any = json.loads(first)
    except ValueError:
        return None
    return str(row["labeler"]) if isinstance(row, dict) and "labeler" in row and "label" in row else None


def _fingerprint(model: ModelInfo, test_set: TestSetInfo, rows: Sequence[str]) -> str:
    """Compute what is the same for the same weights, articles and rows."""
    return hashlib.sha256(json.dumps([model.version, test_set.content_hash, list(rows)]).encode()).hexdigest()
