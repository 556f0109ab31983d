"""Runs an extractor over a test set and scores it; one bad article is counted and never stops the others."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from ctiforge.data.testsets import read_labelled_articles
from ctiforge.errors import CannotGoOnError, CtiforgeError, DataError
from ctiforge.evaluation.scoring.articles import ArticleCase, score_article, training_keys
from ctiforge.evaluation.scoring.report import build_evaluation
from ctiforge.extract.answering.extraction import Extraction, Extractor, Source
from ctiforge.extract.answering.regex_floor import RegexFloor
from ctiforge.extract.answering.windowed import plain_usage
from ctiforge.extract.models import REGEX, find_model
from ctiforge.extract.prepared import note_of_model, usage_of_data, usage_of_model
from ctiforge.progress import Progress
from ctiforge.records.article import ArticleRecord, read_records
from ctiforge.records.evaluation import Answers, ArticleScore, Evaluation, ModelInfo, TestSetInfo
from ctiforge.store.artifacts import fetch
from ctiforge.store.hub import split_name
from ctiforge.training.encoding import DEMO_MODEL

if TYPE_CHECKING:
    from ctiforge.extract.answering.endpoint import Endpoint

LONG_ARTICLE = 32_000
"""Characters from which on an article without a tag for its length counts as long: about 8,000 tokens."""
_ARTICLES_TOGETHER = 32


@dataclass(frozen=True)
class TestData:
    """The labeled articles that extractors answer."""

    __test__ = False  # not a test class, whatever pytest makes of its name

    path: Path
    records: Sequence[ArticleRecord]
    reference: str | None
    """`name@version` where they are a test set of the store."""

    @classmethod
    def read(cls, path: Path, reference: str | None = None) -> "TestData":
        """Read a file of JSON lines; errors as `read_labelled_articles` has them."""
        return cls(path, list(read_labelled_articles(path)), reference)


def evaluate_on(
    test_data: TestData, extractor: Extractor, version: str, training_data: Path | None = None
) -> Evaluation:
    """Score an extractor on labeled articles.

    Args:
        test_data: The articles.
        extractor: What is scored.
        version: What tells its weights from others: the hash of their files.
        training_data: Records that the model was trained on, for the row of values that are not among them.

    Raises:
        DataError: Nothing is labeled in them.
        CannotGoOnError: The extractor failed on every article.
    """
    return evaluate_extractor(
        extractor,
        test_data.records,
        model=ModelInfo(name=extractor.name, version=version),
        test_set=describe_test_set(test_data.path, test_data.reference),
        trained_on=values_seen_in_training(training_data) if training_data else None,
    )


def evaluate_extractor(
    extractor: Extractor,
    records: Sequence[ArticleRecord],
    *,
    model: ModelInfo,
    test_set: TestSetInfo,
    trained_on: frozenset[tuple[str, str]] | None = None,
) -> Evaluation:
    """Extract the labeled types of every article and score them; articles without any are left out.

    Raises DataError where nothing is labeled, CannotGoOnError where the extractor failed on every article.
    """
    labeled = [record for record in records if record.labelled_types]
    if not labeled:
        raise DataError(f"no type is labeled in any article of {test_set.name}: there is nothing to score against")
    scores = list(_scores(extractor, labeled, trained_on))
    if all(score.error for score in scores):
        raise CannotGoOnError(f"{model.name} failed on every article; the first time with: {scores[0].error}")
    return build_evaluation(
        scores,
        model=model,
        test_set=test_set.model_copy(update={"articles": len(labeled), "unlabelled": len(records) - len(labeled)}),
        fingerprint=_fingerprint(model, test_set, trained_on),
        training_values_known=trained_on is not None,
    )


def score_record(
    extractor: Extractor, record: ArticleRecord, trained_on: frozenset[tuple[str, str]] | None = None
) -> ArticleScore:
    """Extract from one article and score it.

    Args:
        extractor: What answers.
        record: The article with its labels.
        trained_on: Type and normalized value of the items that the model was trained on; None: not known.

    Returns:
        What was found, missed and wrong in it.
    """
    return next(_scores(extractor, [record], trained_on))


def values_seen_in_training(path: Path) -> frozenset[tuple[str, str]]:
    """Read the values of the records that a model was trained on: a file or folder of `harvest_extract`."""
    return training_keys([item for record in read_records(path) for item in record.observables])


def describe_test_set(path: Path, reference: str | None = None) -> TestSetInfo:
    """Name the test set in a JSONL of labeled articles: `name@version` of the store, else its file and hash."""
    content_hash = hashlib.sha256(path.read_bytes()).hexdigest()
    name, _, version = (reference or f"{path.stem}@{content_hash[:12]}").rpartition("@")
    return TestSetInfo(name=name, version=version, content_hash=content_hash, articles=0)


def open_extractor(
    model: str,
    inputs: Mapping[str, Path],
    *,
    endpoint: "Endpoint | None" = None,
    device: str = "auto",
    batch_size: int = 32,
    constrained: bool = False,
) -> Extractor:
    """Open what is to be evaluated: the model that an endpoint serves where one is given, else the model itself.

    Args:
        model: A folder, artifact or hub name; `demo`, or `regex` for the rules.
        inputs: What was fetched for it, each where there is one: `model`, `prepared`; of a served model
            `asked_as`, `prepared` and `as_served` (see `load_served`).
        endpoint: Where the model is served.
        device: Of a model that is not served: auto, cpu or cuda.
        batch_size: Windows answered together; likewise.
        constrained: Let it write nothing but answers of the right form.

    Raises:
        UsageError: There is no such model, or nobody serves it.
        CannotGoOnError: The endpoint does not answer.
    """
    if endpoint:
        return load_served(
            endpoint,
            asked_as=inputs.get("asked_as"),
            prepared=inputs.get("prepared"),
            prompt=inputs.get("as_served"),
            constrained=constrained,
        )
    return load_extractor(
        model,
        inputs.get("model"),
        prepared=inputs.get("prepared"),
        device=device,
        batch_size=batch_size,
        constrained=constrained,
    )


def load_named(model: str, *, device: str = "auto", batch_size: int = 32, constrained: bool = False) -> Extractor:
    """Load a model that nobody has fetched yet.

    Args:
        model: A folder, artifact, hub name, endpoint or `regex`, as `--model` names it.
        device: `auto`, `cpu` or `cuda`.
        batch_size: Windows that are answered together.
        constrained: Whether answers are held to the schema.

    Returns:
        What answers; its files are in memory, and nothing stays on disk.

    Raises:
        UsageError: There is no such model.
    """
    inputs, _ = find_model(model)
    with TemporaryDirectory() as scratch:
        folder = fetch(inputs["model"], Path(scratch)) if inputs else None
        return load_extractor(model, folder, device=device, batch_size=batch_size, constrained=constrained)


def load_extractor(
    model: str,
    folder: Path | None,
    *,
    prepared: Path | None = None,
    device: str = "auto",
    batch_size: int = 32,
    constrained: bool = False,
) -> Extractor:
    """Load what is to be evaluated or used: the rules, or a model under the name it was trained with.

    Args:
        model: `regex` for the rules, else what names the model: a hub name, `demo`, or its folder's URI.
        folder: The model's folder on this machine; None for a hub name.
        prepared: An artifact of format_extract: a model that was not trained here is asked as its data was cut.
        device: `auto`, `cpu` or `cuda`.
        batch_size: Windows that are answered at once.
        constrained: Whether the model can write nothing but answers of the right form.

    Returns:
        The extractor.

    Raises:
        UsageError: There is no such model, GPU or prepared data.
    """
    if model == REGEX:
        return RegexFloor()
    from ctiforge.extract.answering.agent import ExtractAgent

    inside = inner_folder(folder) if folder else None
    name = split_name(model)[0]
    if inside and model != DEMO_MODEL:
        name = _trained_name(inside) or Path(model.rstrip("/")).name
    return ExtractAgent.load(
        str(inside) if inside else model,
        usage=usage_of_data(prepared) if prepared else None,
        device=device,
        batch_size=batch_size,
        name=f"{name}, constrained" if constrained else name,
        constrained=constrained,
    )


def load_served(
    endpoint: "Endpoint",
    *,
    asked_as: Path | None = None,
    prepared: Path | None = None,
    prompt: Path | None = None,
    constrained: bool = False,
) -> Extractor:
    """Connect to a served model, asked as the model of the folder `asked_as` is: its prompt, windows and tokenizer.

    Without one as the data of `prepared` was cut, or plainly. `prompt` is a file with the application's own prompt:
    then whole articles are asked about. Raises UsageError or CannotGoOnError where nobody serves it.
    """
    from ctiforge.extract.answering.endpoint import connect
    from ctiforge.extract.answering.served import EndpointAgent, ServedAsIs, read_prompt
    from ctiforge.training.encoding import load_tokenizer

    client = connect(endpoint)
    if prompt:
        return ServedAsIs(client, read_prompt(prompt), f"{endpoint.model}, as served")
    inside = inner_folder(asked_as) if asked_as else None
    trained = usage_of_model(inside) if inside else None
    return EndpointAgent(
        client,
        trained or (usage_of_data(prepared) if prepared else plain_usage()),
        f"{endpoint.model}, served" + (", constrained" if constrained else ""),
        tokenizer=load_tokenizer(str(inside)) if inside else None,
        halves=trained is not None,
        constrained=constrained,
    )


def inner_folder(folder: Path) -> Path:
    """Find the model's own folder in an artifact of train_extract, else the folder itself."""
    return folder / "model" if (folder / "model").is_dir() else folder


def _scores(
    extractor: Extractor, records: Sequence[ArticleRecord], trained_on: frozenset[tuple[str, str]] | None
) -> Iterator[ArticleScore]:
    with Progress("eval_extract", len(records)) as progress:
        found = wanted = given = 0
        for start in range(0, len(records), _ARTICLES_TOGETHER):
            batch = records[start : start + _ARTICLES_TOGETHER]
            for record, (extraction, error) in zip(batch, _extract(extractor, batch), strict=True):
                score = score_article(_case(record, extraction, error), trained_on)
                found += sum(counts.found for counts in score.counts.values())
                wanted += sum(counts.expected for counts in score.counts.values())
                given += sum(counts.predicted for counts in score.counts.values())
                progress.advance(metrics={"f1": 2 * found / max(1, wanted + given)})
                yield score


def _extract(extractor: Extractor, records: Sequence[ArticleRecord]) -> list[tuple[Extraction | None, str | None]]:
    """Extract from each article, or say why there is nothing; together where that works, else one by one."""
    sources = [Source(record.content, record.labelled_types, record.url) for record in records]
    try:
        together = list(extractor.extract_many(sources))
    except CtiforgeError:
        # what ends the work is not one article's fault
        raise
    except Exception as error:  # whatever one article breaks, the others are still to be scored
        if len(sources) == 1:
            return [(None, _reason(error))]
        return [result for record in records for result in _extract(extractor, [record])]
    return [(extraction, None) for extraction in together]


def _trained_name(folder: Path) -> str | None:
    note = note_of_model(folder)
    return note.name if note else None


def _reason(error: Exception) -> str:
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0][:200]}" if text else type(error).__name__


def _case(record: ArticleRecord, extraction: Extraction | None, error: str | None) -> ArticleCase:
    length = "long" if len(record.content) >= LONG_ARTICLE else "normal"
    return ArticleCase(
        id=record.id,
        text=record.content,
        expected=record.observables,
        predicted=extraction.observables if extraction else (),
        labelled_types=record.labelled_types,
        answers=_answers(extraction) if extraction else Answers(),
        tags={"length": length, **record.tags},
        title=record.title,
        url=record.url,
        error=error,
    )


def _answers(extraction: Extraction) -> Answers:
    windows = extraction.windows
    return Answers(
        windows=len(windows),
        json_parsed=sum(window.json_parsed for window in windows),
        schema_valid=sum(window.schema_valid for window in windows),
        stopped_by_length=sum(window.stopped_by_length for window in windows),
        halved=extraction.halved,
        duplicates=sum(window.duplicates for window in windows),
        failed=sum(window.error is not None for window in windows),
        prompt_tokens=sum(window.prompt_tokens for window in windows),
        answer_tokens=sum(window.answer_tokens for window in windows),
        seconds=extraction.seconds,
    )


def _fingerprint(model: ModelInfo, test_set: TestSetInfo, trained_on: frozenset[tuple[str, str]] | None) -> str:
    """Compute what is the same for the same weights, articles and training values, whatever they are called."""
    parts = [model.version, test_set.content_hash, sorted(trained_on) if trained_on is not None else None]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
