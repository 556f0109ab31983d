"""Reads what a run left in its store: whatever is there, and a word about whatever is not."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

from pydantic import ValidationError

from ctiforge.data.testsets import find_testset, load_testset
from ctiforge.errors import CtiforgeError, DataError
from ctiforge.records.article import ArticleRecord
from ctiforge.records.artifact import Manifest
from ctiforge.records.base import explain
from ctiforge.records.classification import ClassifierEvaluation, read_evaluation
from ctiforge.records.decision import Decision
from ctiforge.records.evaluation import Evaluation, TestSetInfo
from ctiforge.records.exported import ExportReport
from ctiforge.records.formatted import FormatReport
from ctiforge.records.harvest import HarvestReport
from ctiforge.records.prepared import PrepareReport
from ctiforge.records.run import RunRecord, StageRecord
from ctiforge.records.testset import TestSet
from ctiforge.records.training import LOG_NAME, LogLine, Training
from ctiforge.reporting.promoted import PromotedData, read_promoted
from ctiforge.store.artifacts import Input, fetch_input, find_input
from ctiforge.store.launcher_note import as_it_stands
from ctiforge.store.objects import ObjectStore
from ctiforge.store.runs import load_run

Read = TypeVar("Read")


@dataclass(frozen=True)
class RunFiles:
    """One run; dictionaries go by the stage's name, and hold only stages that have such a file."""

    record: RunRecord
    manifests: dict[str, Manifest] = field(default_factory=dict)
    evaluations: dict[str, Evaluation] = field(default_factory=dict)
    classified: dict[str, ClassifierEvaluation] = field(default_factory=dict)
    training: Training | None = None
    log: tuple[LogLine, ...] = ()
    formatted: FormatReport | None = None
    harvest: HarvestReport | None = None
    prepared: PrepareReport | None = None
    decision: Decision | None = None
    exported: ExportReport | None = None
    test_set: TestSet | None = None
    articles: dict[str, ArticleRecord] = field(default_factory=dict)
    """Article id to article, of the test set."""
    promoted: PromotedData | None = None
    """What the version in use when the run began was trained on; None where there was none."""
    problems: tuple[str, ...] = ()
    """What could not be read, and why."""

    @property
    def texts(self) -> dict[str, str]:
        """Give the content of each article of the test set, by id."""
        return {id_: article.content for id_, article in self.articles.items()}

    @property
    def tested(self) -> TestSetInfo | None:
        """Tell what the last evaluation was made on, which is that of the new model where there is one."""
        infos = [each.test_set for each in self.evaluations.values()]
        infos += [each.test_set for each in self.classified.values()]
        return infos[-1] if infos else None


def read_run(store: ObjectStore, run_id: str | None = None) -> RunFiles:
    """Read everything that a run left in its store.

    A file that is damaged, of another age or gone becomes a problem of the result, and stops nothing.

    Args:
        store: The store that keeps the run.
        run_id: The run's id, or a beginning that only one id has; None: the run that changed last.

    Returns:
        The run's files, and what could not be read.

    Raises:
        UsageError: There is no such run, or the beginning fits several.
        StoreError: The run's record is damaged, or the store does not answer.
    """
    record = as_it_stands(store, load_run(store, run_id))
    with TemporaryDirectory() as scratch:
        reader = _Reader(Path(scratch))
        manifests = {stage.name: found for stage in record.stages if (found := reader.manifest(stage))}
        stages = [stage for stage in record.stages if stage.name in manifests]
        evaluations = {
            stage.name: each for stage in stages if (each := reader.one(stage, Evaluation.NAME, read_evaluation))
        }
        run = RunFiles(
            record=record,
            manifests=manifests,
            evaluations={name: each for name, each in evaluations.items() if isinstance(each, Evaluation)},
            classified={name: each for name, each in evaluations.items() if isinstance(each, ClassifierEvaluation)},
            training=reader.first(stages, Training.NAME, Training.parse),
            log=reader.first(stages, LOG_NAME, _log_lines) or (),
            formatted=reader.first(stages, FormatReport.NAME, FormatReport.parse),
            harvest=reader.first(stages, HarvestReport.NAME, HarvestReport.parse),
            prepared=reader.first(stages, PrepareReport.NAME, PrepareReport.parse),
            decision=reader.first(stages, Decision.NAME, Decision.parse),
            exported=reader.first(stages, ExportReport.NAME, ExportReport.parse),
        )
        tested = run.tested
        test_set, articles = _test_articles(store, tested, reader.problems) if tested else (None, {})
        promoted = reader.promoted(store, record)
        return replace(run, test_set=test_set, articles=articles, promoted=promoted, problems=tuple(reader.problems))


class _Reader:
    """Reads single files of artifacts, and notes what cannot be read."""

    def __init__(self, scratch: Path) -> None:
        self.problems: list[str] = []
        self._scratch = scratch
        self._found: dict[str, Input] = {}

    def manifest(self, stage: StageRecord) -> Manifest | None:
        if not stage.artifact:
            return None
        try:
            self._found[stage.name] = find_input(stage.artifact)
            return self._found[stage.name].manifest
        except CtiforgeError as error:
            self.problems.append(f"{stage.name}: {error}")
            return None

    def one(self, stage: StageRecord, name: str, parse: Callable[[str, str], Read]) -> Read | None:
        """Read a file of the stage's artifact; None where it has none, or none that can be read."""
        found = self._found[stage.name]
        if name not in found.files:
            return None
        try:
            path = fetch_input(replace(found, files={name: found.files[name]}), self._scratch / stage.name) / name
            return parse(path.read_text(encoding="utf-8", errors="replace"), f"{name} of {stage.name}")
        except CtiforgeError as error:
            self.problems.append(str(error))
            return None

    def promoted(self, store: ObjectStore, record: RunRecord) -> PromotedData | None:
        """Read what the version in use was trained on; None where there was none, or the registry is damaged."""
        try:
            return read_promoted(store, record)
        except CtiforgeError as error:
            self.problems.append(str(error))
            return None

    def first(self, stages: list[StageRecord], name: str, parse: Callable[[str, str], Read]) -> Read | None:
        """Read the file of the first stage that has one."""
        found = (self.one(stage, name, parse) for stage in stages)
        return next((each for each in found if each is not None), None)


def _log_lines(text: str, source: str) -> tuple[LogLine, ...]:
    try:
        return tuple(LogLine.read_line(line) for line in text.splitlines() if line.strip())
    except ValidationError as error:
        raise DataError(f"{source} cannot be read: {explain(error, 'a line')}") from None


def _test_articles(
    store: ObjectStore, info: TestSetInfo, problems: list[str]
) -> tuple[TestSet | None, dict[str, ArticleRecord]]:
    """Load the test set and its articles, where the store holds exactly what was evaluated."""
    reference = f"{info.name}@{info.version}"
    try:
        known = find_testset(store, reference)
        if known is None or known.sha256 != info.content_hash:
            problems.append(f"the articles of {reference} are not in the store: errors come without their text")
            return None, {}
        test_set, articles = load_testset(store, reference)
    except CtiforgeError as error:
        problems.append(str(error))
        return None, {}
    return test_set, {article.id: article for article in articles}
