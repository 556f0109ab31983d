"""Runs an extractor over a test set and scores it; one bad article is counted and never stops the others."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from ctiforge.errors import DataError
from ctiforge.evaluation.failures import check_failures
from ctiforge.evaluation.scoring.articles import training_keys
from ctiforge.evaluation.scoring.report import build_evaluation
from ctiforge.extract.answering.extraction import Extractor
from ctiforge.extract.answering.regex_floor import RegexFloor
from ctiforge.extract.answering.windowed import plain_usage
from ctiforge.extract.answers_file import open_answers
from ctiforge.extract.asking import Share
from ctiforge.extract.choice_quality import choice_quality, window_leanings
from ctiforge.extract.models import REGEX, find_model
from ctiforge.extract.prepared import note_of_model, usage_of_data, usage_of_model
from ctiforge.extract.scored_articles import TestData
from ctiforge.extract.scoring import score_articles
from ctiforge.records.answer import ChoiceQuality
from ctiforge.records.article import ArticleRecord, read_records
from ctiforge.records.evaluation import ArticleScore, EngineInfo, Evaluation, ModelInfo, TestSetInfo
from ctiforge.records.evaluation_part import ScoredArticle
from ctiforge.store.artifacts import fetch
from ctiforge.store.hub import split_name
from ctiforge.training.encoding import DEMO_MODEL
from ctiforge.training.ranks import ALONE, Ranks

if TYPE_CHECKING:
    from ctiforge.extract.answering.endpoint import Endpoint


def evaluate_on(
    test_data: TestData,
    extractor: Extractor,
    version: str,
    training_data: Path | None = None,
    answers: Path | None = None,
    engine: EngineInfo | None = None,
    ranks: Ranks = ALONE,
) -> Evaluation:
    """Score an extractor on labeled articles.

    Args:
        test_data: The articles.
        extractor: What is scored.
        version: What tells its weights from others: the hash of their files.
        training_data: Records that the model was trained on, for the row of values that are not among them.
        answers: The folder in which every window's answer is kept; None: none is.
        engine: The engine that answers; None where none was started.
        ranks: This process among those that share the articles.

    Returns:
        The evaluation, the same in each of them.

    Raises:
        DataError: Nothing is labeled in them.
        CannotGoOnError: The device failed, or too many windows did.
    """
    return evaluate_extractor(
        extractor,
        test_data.records,
        model=ModelInfo(name=extractor.name, version=version),
        test_set=test_data.describe(),
        trained_on=values_seen_in_training(training_data) if training_data else None,
        answers=answers,
        engine=engine,
        ranks=ranks,
    )


def evaluate_extractor(
    extractor: Extractor,
    records: Sequence[ArticleRecord],
    *,
    model: ModelInfo,
    test_set: TestSetInfo,
    trained_on: frozenset[tuple[str, str]] | None = None,
    answers: Path | None = None,
    engine: EngineInfo | None = None,
    ranks: Ranks = ALONE,
) -> Evaluation:
    """Extract the labeled types of every article and score them; articles without any are left out.

    Raises DataError where nothing is labeled, CannotGoOnError where the device failed or too many windows did.
    """
    labeled = labeled_among(records, test_set.name)
    mine = score_articles(extractor, labeled, trained_on, Share(ranks.rank, ranks.count))
    scored = [each for share in ranks.gather(mine) for each in share]
    return evaluation_of(
        scored,
        records,
        model=model,
        test_set=test_set,
        trained_on=trained_on,
        answers=answers if ranks.is_first else None,
        engine=engine,
    )


def labeled_among(records: Sequence[ArticleRecord], test_set: str) -> list[ArticleRecord]:
    """Choose the articles that can be scored.

    Args:
        records: The articles of a test set.
        test_set: Its name.

    Returns:
        Those in which a type is labeled, in their order.

    Raises:
        DataError: There are none.
    """
    labeled = [record for record in records if record.labelled_types]
    if not labeled:
        raise DataError(f"no type is labeled in any article of {test_set}: there is nothing to score against")
    return labeled


def evaluation_of(
    scored: Sequence[ScoredArticle],
    records: Sequence[ArticleRecord],
    *,
    model: ModelInfo,
    test_set: TestSetInfo,
    trained_on: frozenset[tuple[str, str]] | None = None,
    answers: Path | None = None,
    engine: EngineInfo | None = None,
) -> Evaluation:
    """Make the evaluation of articles that were scored, by whichever processes, and keep the answers beside it.

    Args:
        scored: Each labeled article once, in any order.
        records: All articles of the test set.
        model: What was scored.
        test_set: The test set.
        trained_on: Type and normalized value of the items that it was trained on; None: not known.
        answers: The folder in which every window's answer is kept; None: none is.
        engine: The engine that answered; None where none was started.

    Returns:
        The evaluation.

    Raises:
        CannotGoOnError: Too many windows failed.
    """
    labeled = labeled_among(records, test_set.name)
    scored = sorted(scored, key=lambda each: each.place)
    windows = [answer for each in scored for answer in each.answers]
    with open_answers(answers) as kept:
        for answer in windows:
            kept.keep(answer)
    # an article that is read whole has no window, unless it failed
    whole = sum(not each.answers for each in scored)
    errors = [window.error for window in windows if window.error]
    check_failures(model.name, errors, len(windows) + whole, "windows" if windows else "articles")
    return build_evaluation(
        [each.score for each in scored],
        model=model,
        test_set=test_set.model_copy(update={"articles": len(labeled), "unlabelled": len(records) - len(labeled)}),
        fingerprint=_fingerprint(model, test_set, trained_on, engine),
        training_values_known=trained_on is not None,
        answers_left_out=kept.left_out,
        engine=engine,
    ).model_copy(update={"choice": _choice(scored, labeled)})


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
    (scored,) = score_articles(extractor, [record], trained_on)
    return scored.score


def values_seen_in_training(path: Path) -> frozenset[tuple[str, str]]:
    """Read the values of the records that a model was trained on: a file or folder of `harvest_extract`."""
    return training_keys([item for record in read_records(path) for item in record.observables])


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
    name: str | None = None,
) -> Extractor:
    """Connect to a served model.

    Args:
        endpoint: Where it is served.
        asked_as: The folder of the model whose prompt, windows and tokenizer it is asked with; None: as the data of
            `prepared` was cut, or plainly.
        prepared: An artifact of format_extract.
        prompt: A file with the application's own prompt: then whole articles are asked about.
        constrained: Whether the endpoint is to hold answers to the schema.
        name: What figures call the model; None: as the endpoint does.

    Returns:
        What answers.

    Raises:
        UsageError: It does not serve the model, or refuses the key.
        CannotGoOnError: Nobody answers there.
    """
    from ctiforge.extract.answering.endpoint import connect
    from ctiforge.extract.answering.served import EndpointAgent, ServedAsIs, read_prompt
    from ctiforge.training.encoding import load_tokenizer
    from ctiforge.training.templates import use_template

    client = connect(endpoint)
    if prompt:
        return ServedAsIs(client, read_prompt(prompt), f"{name or endpoint.model}, as served")
    inside = inner_folder(asked_as) if asked_as else None
    trained = usage_of_model(inside) if inside else None
    tokenizer = load_tokenizer(str(inside)) if inside else None
    plain = plain_usage("messages" if tokenizer is None or tokenizer.chat_template else "simple")
    usage = trained or (usage_of_data(prepared) if prepared else plain)
    return EndpointAgent(
        client,
        usage,
        f"{name or endpoint.model}, served" + (", constrained" if constrained else ""),
        tokenizer=use_template(tokenizer, usage.template) if tokenizer else None,
        halves=trained is not None,
        constrained=constrained,
        logprobs=True,
    )


def inner_folder(folder: Path) -> Path:
    """Find the model's own folder in an artifact of train_extract.

    Args:
        folder: The artifact's folder, or a model's.

    Returns:
        Its folder `model`, else the folder itself.
    """
    return folder / "model" if (folder / "model").is_dir() else folder


def _choice(scored: Sequence[ScoredArticle], labeled: Sequence[ArticleRecord]) -> ChoiceQuality | None:
    """Judge the windows of which it is known how much the model leans to an item; None where there are none."""
    found = []
    for each in scored:
        windows = [window for window in each.answers if window.leaning is not None]
        if windows:
            spans = [(window.start, window.end) for window in windows]
            found += window_leanings(labeled[each.place], spans, [window.leaning for window in windows])
    return choice_quality(found) if found else None


def _trained_name(folder: Path) -> str | None:
    note = note_of_model(folder)
    return note.name if note else None


def _fingerprint(
    model: ModelInfo, test_set: TestSetInfo, trained_on: frozenset[tuple[str, str]] | None, engine: EngineInfo | None
) -> str:
    """Compute what is the same for the same weights, engine, articles and training values, whatever they are called."""
    parts: list[Any] = [model.version, test_set.content_hash, sorted(trained_on) if trained_on is not None else None]
    if test_set.drawn_from is not None:
        parts.append(test_set.articles)
    if engine:
        parts.append([engine.command, engine.version])
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
