"""Runs whose reports can be worked out by hand, as plain records or in a store."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from ctiforge.data.testsets import import_testset
from ctiforge.evaluation.scoring.articles import ArticleCase, score_article
from ctiforge.evaluation.scoring.classification import score_row
from ctiforge.evaluation.scoring.report import build_evaluation
from ctiforge.evaluation.statistics import INTERVALS
from ctiforge.records.article import OS_LABELS, ArticleRecord
from ctiforge.records.artifact import FileEntry, InputEntry, Manifest
from ctiforge.records.classification import Case, ClassifierEvaluation, Measure
from ctiforge.records.evaluation import (
    Answers,
    ArticleScore,
    Evaluation,
    ModelInfo,
    ScoredItem,
    TestSetInfo,
    TypeCounts,
)
from ctiforge.records.observable import Observable
from ctiforge.records.run import RunRecord, StageRecord, State
from ctiforge.reporting.reading import RunFiles
from ctiforge.store.artifacts import artifact_key, publish
from ctiforge.store.objects import ObjectStore
from ctiforge.store.runs import save_run
from tests.making import formatted, harvest, prepared, training

STARTED = datetime(2026, 1, 1, 12, tzinfo=UTC)
TYPES = ("cmdline", "services")
LABELLED = {"cmdline": "whoami /all /fo {0}", "services": "Service{0}"}


def article(number: int, hostile: str = "") -> ArticleRecord:
    """An article with one command and one service in it."""
    values = {type_: text.format(number) for type_, text in LABELLED.items()}
    content = (
        f"Report {number}. The actor ran {values['cmdline']} on the host.{hostile}\n\n"
        f"It came back as the service {values['services']} after each start, and fetched decoy{number}.exe as well."
    )
    return ArticleRecord(
        id=f"a{number}",
        title=f"Report {number}",
        content=content,
        content_hash=str(number),
        observables=tuple(Observable(type=type_, value=value) for type_, value in values.items()),
        labelled_types=TYPES,
        labelled_by="human",
        annotator="tester",
    )


def articles(count: int = 30, hostile: str = "") -> list[ArticleRecord]:
    return [article(number, hostile) for number in range(count)]


def evaluation(
    records: list[ArticleRecord],
    name: str,
    *,
    finds_every: int = 1,
    invents: bool = False,
    adds: bool = False,
    failed: str | None = None,
    content_hash: str = "abc",
    version: str = "1",
) -> Evaluation:
    """A model that finds everything in every so many-th article, and may give a value that stands nowhere, or one that
    nobody labeled."""
    scores = []
    for number, record in enumerate(records):
        predicted = list(record.observables) if number % finds_every == 0 else []
        predicted += [Observable(type="cmdline", value=f"format c: /q /x {number}")] if invents else []
        predicted += [Observable(type="cmdline", value=f"DECOY{number}.exe")] if adds else []
        case = ArticleCase(
            id=record.id,
            title=record.title,
            text=record.content,
            expected=record.observables,
            predicted=[] if failed else predicted,
            labelled_types=record.labelled_types,
            answers=Answers(windows=1, json_parsed=1, schema_valid=1, prompt_tokens=100, answer_tokens=9, seconds=0.5),
            tags={"length": "normal"},
            error=failed if number == 0 else None,
        )
        scores.append(score_article(case, frozenset()))
    return build_evaluation(
        scores,
        model=ModelInfo(name=name, version=version),
        test_set=TestSetInfo(name="set", version="1", content_hash=content_hash, articles=len(records)),
        fingerprint=f"fp-{name}",
        training_values_known=True,
    )


def of_sample(found: Evaluation, count: int) -> Evaluation:
    """The same on so many of its articles."""
    test_set = found.test_set.model_copy(update={"articles": count, "drawn_from": found.test_set.articles})
    return rescored(found.model_copy(update={"test_set": test_set}), found.articles[:count])


def as_rules(found: Evaluation) -> Evaluation:
    """The same of rules, which answer no windows."""
    return rescored(found, tuple(each.model_copy(update={"answers": Answers()}) for each in found.articles))


def without_type(found: Evaluation, type_: str) -> Evaluation:
    """The same of a model that misses every item of a type."""
    scores = []
    for each in found.articles:
        items = tuple(_missed(item) if item.type == type_ else item for item in each.items)
        expected = each.counts[type_].expected
        counts = {**each.counts, type_: TypeCounts(expected=expected, predicted=0, found=0, missed=expected, wrong=0)}
        scores.append(each.model_copy(update={"items": items, "counts": counts}))
    return rescored(found, tuple(scores))


def rescored(found: Evaluation, scores: tuple[ArticleScore, ...]) -> Evaluation:
    """The evaluation of the same model with other articles' scores."""
    return build_evaluation(
        scores,
        model=found.model,
        test_set=found.test_set,
        fingerprint=found.fingerprint,
        training_values_known=found.training_values_known,
    )


def _missed(item: ScoredItem) -> ScoredItem:
    return item.model_copy(update={"outcome": "missed", "predicted": None, "grounding": None, "exact": False})


def os_articles(count: int = 40) -> list[ArticleRecord]:
    """Articles of every class in turn, with a cue of Linux or Windows in some."""
    cues = {"Linux": "It wrote /etc/cron.d/x with crontab.", "Windows": "It ran powershell.exe from C:\\Users\\x."}
    return [
        ArticleRecord(
            id=f"o{number}",
            title=f"Case {number}",
            content=f"Case {number} starts here. {cues.get(label, 'Nothing tells.')} It ends here.",
            content_hash=str(number),
            os_label=label,
            labelled_by="human",
            annotator="tester",
        )
        for number in range(count)
        for label in [OS_LABELS[number % len(OS_LABELS)]]
    ]


def classifier_evaluation(
    records: list[ArticleRecord],
    name: str,
    *,
    wrong_every: int = 7,
    content_hash: str = "abc",
    measure: Measure = "accuracy",
    test_set: str = "set",
) -> ClassifierEvaluation:
    """A model that takes every so many-th article for Windows, beside a floor that takes all for Windows."""
    truths = [record.os_label or "Unknown" for record in records]
    given = ["Windows" if number % wrong_every == 0 else truth for number, truth in enumerate(truths)]
    rows = (
        score_row("majority", "floor", truths, ["Windows"] * len(truths), OS_LABELS),
        score_row("first windows", "snippet", truths, truths, OS_LABELS),
        score_row(name, "model", truths, given, OS_LABELS, seconds=[0.1, 0.2], size_bytes=1_000_000),
    )
    return ClassifierEvaluation(
        model=ModelInfo(name=name, version="1"),
        test_set=TestSetInfo(name=test_set, version="1", content_hash=content_hash, articles=len(records)),
        measure=measure,
        labels=OS_LABELS,
        fingerprint=f"fp-{name}",
        intervals=INTERVALS,
        cases=tuple(Case(id=r.id, title=r.title, label=r.os_label or "Unknown") for r in records),
        rows=rows,
    )


LOG = [
    *({"step": step, "loss": 4.0 / step, "learning_rate": 0.002 * (1 - step / 200)} for step in range(10, 160, 10)),
    {"step": 50, "eval_loss": 0.5},
    {"step": 100, "eval_loss": 0.25},
    {"step": 150, "eval_loss": 0.3},
    {"step": 150, "train_runtime": 60.0},
]


def manifest(stage: str, files: tuple[str, ...] = (), model: str = "") -> Manifest:
    """What is known of a stage's artifact; its fingerprint is `fp-<stage>`."""
    return Manifest(
        stage=stage,
        version=1,
        fingerprint=f"fp-{stage}",
        attempt="1",
        files={name: FileEntry(1, "0" * 64) for name in files},
        parameters={},
        inputs={"model": InputEntry(uri=model, content="c")} if model else {},
        packages={},
        python="3.11.7",
        summary={},
        started_at=STARTED,
        seconds=1.0,
    )


def run_files(
    evaluations: Mapping[str, Evaluation | ClassifierEvaluation], *, line: str = "extract", **fields: Any
) -> RunFiles:
    """A run of which `eval_tuned` or `eval_os_bert` evaluates the model that it trained."""
    new = ("eval_tuned", "eval_os_bert")
    manifests = {"train": manifest("train", ("training_metadata.json",))}
    for name in evaluations:
        manifests[name] = manifest(name, model="s3://store/artifacts/train/fp-train/" if name in new else "other")
    stages = [StageRecord(name=name, program=name, state="done") for name in manifests]
    record = RunRecord(id="extract-1", line=line, state="done", started_at=STARTED, stages=stages)
    given: dict[str, Any] = {
        "record": record,
        "manifests": manifests,
        "evaluations": {name: each for name, each in evaluations.items() if isinstance(each, Evaluation)},
        "classified": {name: each for name, each in evaluations.items() if isinstance(each, ClassifierEvaluation)},
    }
    return RunFiles(**(given | fields))


class Store:
    """Puts a run together in a store, stage by stage."""

    def __init__(self, store: ObjectStore, folder: Path, line: str) -> None:
        self._store = store
        self._folder = folder
        self.run = RunRecord(
            id=f"{line}-20260101-120000-abcd",
            line=line,
            state="done",
            started_at=STARTED,
            ended_at=STARTED + timedelta(minutes=5),
            stages=[],
        )

    def keep(self, records: list[ArticleRecord], name: str = "set") -> str:
        """Keep the articles as a test set; gives back its hash."""
        return import_testset(self._store, name, records).sha256

    def stage(
        self, name: str, files: Mapping[str, Any], inputs: Mapping[str, str] | None = None, unlike: str = ""
    ) -> str:
        """A stage that is done, with these files; gives back its artifact's URI, that of no other run if `unlike`."""
        out = self._folder / name
        out.mkdir(parents=True)
        for file, content in files.items():
            (out / file).write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
        fingerprint = f"{len(self.run.stages):02d}{unlike}{name}".encode().hex().ljust(64, "0")[:64]
        manifest = Manifest(
            stage=name,
            version=1,
            fingerprint=fingerprint,
            attempt="1",
            files={},
            parameters={"seed": 0},
            inputs={key: InputEntry(uri=uri, content="c" * 64) for key, uri in (inputs or {}).items()},
            packages={"torch": "2.13.0"},
            python="3.11.7",
            git_commit="0123456789abcdef",
            summary={},
            started_at=STARTED,
            seconds=12.5,
        )
        publish(self._store, out, manifest)
        uri = f"{self._store.uri}/{artifact_key(name, fingerprint)}"
        ended = STARTED + timedelta(seconds=13)
        self.run.stages.append(
            StageRecord(
                name=name,
                program=name,
                state="done",
                fingerprint=fingerprint,
                artifact=uri,
                attempts=1,
                queued_s=1.0,
                started_at=STARTED,
                ended_at=ended,
            )
        )
        return uri

    def unfinished(self, name: str, state: State, **fields: Any) -> None:
        """A stage without a result."""
        self.run.stages.append(StageRecord(name=name, program=name, state=state, **fields))

    def save(self, state: State = "done") -> str:
        """Write the run's record; gives back its id."""
        self.run.state = state
        save_run(self._store, self.run)
        return self.run.id


def log_text() -> str:
    """`log.jsonl`."""
    return "".join(json.dumps(line) + "\n" for line in LOG)


def extract_run(store: ObjectStore, folder: Path, hostile: str = "", decision: dict[str, Any] | None = None) -> str:
    """A whole run of the Extract Agent; gives back its id."""
    making = Store(store, folder, "extract")
    records = articles(hostile=hostile)
    content_hash = making.keep(records)
    records_of = making.stage("harvest_extract", {"report.json": harvest(), "records.jsonl": ""})
    examples = making.stage("format_extract", {"format.json": formatted()}, {"records": f"{records_of}/records.jsonl"})
    metadata = {"training_metadata.json": training(), "log.jsonl": log_text()}
    model = making.stage("train_extract", metadata, {"data": examples})
    for name, finds_every in (("eval_base", 30), ("eval_regex", 3)):
        found = evaluation(records, name, finds_every=finds_every, content_hash=content_hash)
        making.stage(name, {"evaluation.json": found.model_dump_json()}, {"model": "some/base"})
    tuned = evaluation(records, "tuned", finds_every=2, invents=True, adds=True, content_hash=content_hash)
    making.stage("eval_tuned", {"evaluation.json": tuned.model_dump_json()}, {"model": model})
    if decision:
        making.stage("promote", {"decision.json": decision})
    return making.save()


def os_run(store: ObjectStore, folder: Path) -> str:
    """A whole run of OS-BERT; gives back its id."""
    making = Store(store, folder, "os-bert")
    records = os_articles()
    content_hash = making.keep(records, "os-set")
    data = making.stage("prepare_os", {"prepare.json": prepared()})
    metadata = {"training_metadata.json": training(name="os-bert-test", method=None), "log.jsonl": log_text()}
    model = making.stage("train_os_bert", metadata, {"train": f"{data}/train.jsonl"})
    found = classifier_evaluation(records, "os-bert-test", content_hash=content_hash, test_set="os-set")
    making.stage("eval_os_bert", {"evaluation.json": found.model_dump_json()}, {"model": model})
    return making.save()
