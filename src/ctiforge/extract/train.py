"""Fine-tunes the Extract Agent on prepared examples and writes a model that says how to use it."""

from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from ctiforge.errors import DataError, UsageError
from ctiforge.extract.answering.agent import ExtractAgent
from ctiforge.extract.answering.item_choice import choice_of
from ctiforge.extract.dataset.training_rows import TrainingRows, load_own, load_prepared
from ctiforge.extract.item_threshold import micro_f1, set_threshold, some_articles
from ctiforge.extract.prepared import read_format_report
from ctiforge.progress import warn
from ctiforge.records.article import ArticleRecord, read_records
from ctiforge.records.formatted import VALIDATION_ARTICLES, FormatReport
from ctiforge.records.model_note import AgentNote, AgentUsage
from ctiforge.records.training import LOG_NAME, Training
from ctiforge.store.checkpoints import Checkpoints
from ctiforge.store.hub import split_name
from ctiforge.training.batches import AnswerCollator
from ctiforge.training.encoding import end_token_id, load_tokenizer, pad_token_id
from ctiforge.training.log import plot_curve, write_log
from ctiforge.training.models import load_causal_lm, load_to_train, name_base, pick_device
from ctiforge.training.numerics import ComputeDevice, Numerics, choose_numerics
from ctiforge.training.options import (
    AGENT,
    CHOICE_WEIGHT,
    METHOD_WORDS,
    Attention,
    LoraOptions,
    Method,
    SelectBy,
    TrainingOptions,
)
from ctiforge.training.ranks import Ranks, joined, leave
from ctiforge.training.resumable import Kind, free_gpu_memory
from ctiforge.training.sharding import gather_weights, load_sharded, whole_model
from ctiforge.training.suitability import adapted_layers, check_attention, check_suitable, read_shape
from ctiforge.training.tracking import check_tracker, tracked
from ctiforge.training.trainer import train

_MEND = "set a smaller --max-length (and prepare the data for it), train with --qlora, or use a larger GPU"
_TOGETHER = 32
"""Windows that are answered together while the threshold is set."""
MINIMA: dict[Method, tuple[int, int]] = {"qlora": (100, 500), "lora": (100, 500), "full": (500, 1_000)}
"""Method: (fewest examples, recommended examples)."""


@dataclass(frozen=True)
class AgentTraining:
    """One fine-tuning run as asked for on the command line."""

    model: str
    """A folder, a hub name with its commit, or `demo`."""
    name: str
    """What the new model is called."""
    text_format: str
    """The format that the data must be prepared in, one of `FORMATS`."""
    max_length: int
    """Tokens of prompt, window and answer together, as the data was cut for."""
    method: Method
    """What is trained: an adapter over 4-bit weights, one over whole weights, or all weights."""
    lora: LoraOptions
    """The adapter's options; unused where all weights are trained."""
    training: TrainingOptions
    """Length, speed and batch."""
    choice_weight: float = CHOICE_WEIGHT
    """What the choice between an item and an empty answer weighs beside all other tokens together."""
    select_by: SelectBy = "auto"
    """What chooses the step whose weights are kept: `loss`, `f1`, or `auto`: F1 on a GPU, else the loss."""
    attention: Attention = "auto"
    """How attention is computed; of no effect on what comes out."""
    fsdp: bool = False
    """Whether each process keeps a part of weights, gradients and averages; of no effect on what comes out."""
    device: str = "auto"
    """`auto`, `cpu` or `cuda`."""
    force: bool = False
    """Whether to train with fewer examples than the minimum."""
    folder: str | None = None
    """Where the model's files were fetched to; None: they lie where `model` says."""
    prompt: Path | None = None
    """The prompt that rows of a team's own were written with, where it is none of this package."""

    @property
    def location(self) -> str:
        """Name what is loaded."""
        return self.folder or self.model


def train_extract_agent(
    request: AgentTraining, data: Path, out: Path, scratch: Path, checkpoints: Checkpoints
) -> dict[str, Any]:
    """Fine-tune the Extract Agent and write the model with its metadata, curve and log.

    Where the environment names other processes, all of them train it together, and the first writes.

    Args:
        request: What was asked for.
        data: The output folder of format_extract, or rows of a team's own (`row_files.find_files`).
        out: The folder for `model/`, `training_metadata.json`, `training_curve.png` and `log.jsonl`.
        scratch: A folder for files of the training on their way.
        checkpoints: Where the training's state outlives this process.

    Returns:
        What `training_metadata.json` holds; nothing in a process that is not the first.

    Raises:
        UsageError: The data was cut for another format, tokenizer or length, or has other columns; the model cannot be
            loaded, or computes no numbers in fp16.
        DataError: There are fewer examples than the minimum, and nobody forced it.
        InterruptedRunError: The training was told to end, and its state is saved.
        CannotGoOnError: Memory or disk do not suffice, or a loss or weight is no number.
    """
    with joined() as ranks:
        return _train(request, data, out, scratch, checkpoints, ranks)


def _train(
    request: AgentTraining, data: Path, out: Path, scratch: Path, checkpoints: Checkpoints, ranks: Ranks
) -> dict[str, Any]:
    check_tracker(request.training.report_to)
    report = check_data(request, data)
    tokenizer = load_tokenizer(request.location)
    load = partial(_load_rows, request, data, report, tokenizer, scratch / "rows")
    rows = ranks.first_on_machine_first(load)
    warnings = check_minimum(len(rows.train), request.method, request.force)
    warnings += [f"{count} rows are not trained on: {why}" for why, count in rows.set_aside.items()]
    warnings += [rows.about] if rows.about else []
    if not len(rows.validation):
        warnings.append("no row is for validation: the last weights are kept, and training does not stop early")
    articles = _validation_articles(data) if report else []
    if request.select_by == "f1" and not articles:
        raise UsageError(f"--select-by f1 needs articles to answer, and {data} holds none for validation")
    device = pick_device(request.device)
    shape = read_shape(request.location)
    check_suitable(
        shape,
        name=request.model,
        method=request.method,
        max_length=request.max_length,
        tokens=(pad_token_id(tokenizer), end_token_id(tokenizer)),
        device=device.type,
        asked=request.device,
    )
    check_attention(request.attention, device.type)
    if request.method != "full":
        adapted_layers(shape, request.lora)
    options = request.training
    numerics = choose_numerics(ComputeDevice.of(device), request.method, options.precision, options.optimizer)
    # the adapter's first weights are drawn at random
    torch.manual_seed(options.seed)
    model = _load_model(request, device, numerics, ranks)
    collator = AnswerCollator(pad_token_id(tokenizer))
    by_f1 = request.select_by == "f1" or (request.select_by == "auto" and device.type == "cuda" and not request.fsdp)
    # rows of a team's own are no articles, and nobody knows how their model is asked about one
    agent = ExtractAgent(model, tokenizer, rows.usage, request.name, _TOGETHER) if articles else None
    kind = Kind(
        "train_extract",
        collator,
        numerics,
        _MEND,
        choice=choice_of(tokenizer),
        choice_weight=request.choice_weight,
        judge=partial(micro_f1, agent, some_articles(agent, articles)) if agent and by_f1 else None,
        name=request.name,
    )
    with tracked(options.report_to, scratch, out) if ranks.is_first else nullcontext():
        result = train(model, rows.train, rows.validation, kind, options, checkpoints, scratch, ranks)
    weights = gather_weights(model) if request.fsdp else None
    leave()
    if not ranks.is_first:
        return {}
    if weights is not None:
        model = whole_model(request.location, weights, request.attention)
    model.eval()
    _save_weights(model, tokenizer, request, out / "model")
    if agent and weights is not None:
        agent = _loaded_again(agent, request, device, numerics, out / "model")
    threshold = set_threshold(agent, articles) if agent else None
    _write_note(request, rows, replace(rows.usage, item_bias=threshold.bias if threshold else None), out / "model")
    base_model, base_revision = split_name(request.model)
    training = Training(
        name=request.name,
        base_model=base_model,
        base_revision=base_revision,
        method=request.method,
        options=asdict(options)
        | {"attention": request.attention, "choice_weight": request.choice_weight}
        | {"select_by": "f1" if kind.judge else "loss"}
        | ({"fsdp": True} if request.fsdp else {}),
        computed_in=str(numerics.compute).removeprefix("torch."),
        lora=None if request.method == "full" else asdict(request.lora),
        max_length=request.max_length,
        examples=len(rows.train),
        validation_examples=len(rows.validation),
        set_aside=rows.set_aside or None,
        deviations_from_guide=AGENT.deviations(options, request.max_length, request.method),
        warnings=tuple(warnings),
        device=str(device),
        ranks=ranks.count if ranks.count > 1 else None,
        trainable_parameters=sum(p.numel() for p in model.parameters() if p.requires_grad),
        item_threshold=threshold,
        **result.as_record(),
    )
    training.write(out)
    write_log(result.log, out / LOG_NAME)
    plot_curve(result.log, f"{request.name}: {METHOD_WORDS[request.method]}", out / "training_curve.png")
    return training.model_dump(mode="json")


def check_data(request: AgentTraining, data: Path) -> FormatReport | None:
    """Refuse data of another format or length than was asked for; give its `format.json`, None of a team's own rows."""
    if not (data / FormatReport.NAME).is_file():
        if request.text_format != "messages":
            raise UsageError(
                f"--format {request.text_format}: rows of your own are trained on as they are, leave it out"
            )
        return None
    report = read_format_report(data)
    if request.prompt:
        raise UsageError(
            f"--prompt is for rows of your own: {data} was prepared with the prompt {report.prompt_version}"
        )
    if request.text_format not in report.formats or request.text_format != report.format:
        raise UsageError(
            f"--format {request.text_format}, but {data} was prepared as {report.format}: "
            f"run format_extract --format {request.text_format}"
        )
    cut_for = report.sizes.max_length
    if request.max_length != cut_for:
        raise UsageError(
            f"--max-length {request.max_length}, but {data} was cut for {cut_for}: "
            f"prepare it again, or train with --max-length {cut_for}"
        )
    return report


def check_minimum(examples: int, method: Method, force: bool) -> list[str]:
    """Warn about too few examples; DataError below the minimum unless `force`."""
    least, recommended = MINIMA[method]
    if examples < least and not force:
        raise DataError(
            f"{examples} training examples: {METHOD_WORDS[method]} needs {least} (--force trains all the same)"
        )
    if examples < recommended:
        return [f"{examples} training examples: {recommended} are recommended for {METHOD_WORDS[method]}"]
    return []


def _load_rows(
    request: AgentTraining, data: Path, report: FormatReport | None, tokenizer: Any, folder: Path
) -> TrainingRows:
    if report:
        return load_prepared(data, report, request.model, tokenizer, folder)
    return load_own(
        data,
        request.model,
        tokenizer,
        max_length=request.max_length,
        seed=request.training.seed,
        prompt=request.prompt,
        folder=folder,
    )


def _validation_articles(data: Path) -> list[ArticleRecord]:
    file = data / VALIDATION_ARTICLES
    if file.is_file():
        return [each for each in read_records(file) if each.labelled_types and each.content.strip()]
    warn(f"{data} holds no {VALIDATION_ARTICLES}, so no threshold is set: run format_extract again")
    return []


def _load_model(request: AgentTraining, device: torch.device, numerics: Numerics, ranks: Ranks) -> Any:
    if request.fsdp:
        return load_sharded(request.location, device, numerics, request.attention, ranks)
    return load_to_train(request.location, device, numerics, request.lora, request.attention)


def _save_weights(model: Any, tokenizer: Any, request: AgentTraining, folder: Path) -> None:
    model.config.use_cache = True
    model.save_pretrained(folder)
    if request.method != "full":
        name_base(folder, request.model)
    tokenizer.save_pretrained(folder)


def _loaded_again(
    agent: ExtractAgent, request: AgentTraining, device: torch.device, numerics: Numerics, folder: Path
) -> ExtractAgent | None:
    """Load a model that was sharded as it will be asked; None where one device has no room for all of it."""
    # no parts of it are needed any more
    agent.model = None
    free_gpu_memory()
    try:
        agent.model = load_causal_lm(str(folder), device, numerics.compute, request.attention).eval()
    except torch.OutOfMemoryError:
        warn("the threshold of an item is not set: one GPU has no room for the whole model")
        return None
    return agent


def _write_note(request: AgentTraining, rows: TrainingRows, usage: AgentUsage, folder: Path) -> None:
    name, commit = split_name(request.model)
    note = AgentNote(name=request.name, base_model=name, base_revision=commit, usage=usage, own_rows=rows.about)
    note.write(folder)
