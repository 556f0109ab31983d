"""Fine-tunes the Extract Agent on prepared examples and writes a model that says how to use it."""

from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import torch

from ctiforge.errors import DataError, UsageError
from ctiforge.extract.prepared import read_format_report, usage_of_data
from ctiforge.extract.prompts.rendering import render_answer
from ctiforge.records.base import read_lines
from ctiforge.records.formatted import ExampleRow
from ctiforge.records.model_note import AgentNote
from ctiforge.records.training import LOG_NAME, Training
from ctiforge.store.checkpoints import Checkpoints
from ctiforge.store.hub import split_name
from ctiforge.training.batches import AnswerCollator, Rows
from ctiforge.training.choice import ItemChoice, find_choice
from ctiforge.training.encoding import (
    EncodedExample,
    encode_example,
    end_token_id,
    load_tokenizer,
    pad_token_id,
    tokenizer_hash,
)
from ctiforge.training.log import plot_curve, write_log
from ctiforge.training.models import load_to_train, name_base, pick_device
from ctiforge.training.numerics import ComputeDevice, choose_numerics
from ctiforge.training.options import AGENT, METHOD_WORDS, Attention, LoraOptions, Method, TrainingOptions
from ctiforge.training.suitability import adapted_layers, check_attention, check_suitable, read_shape
from ctiforge.training.templates import use_template
from ctiforge.training.tracking import check_tracker, tracked
from ctiforge.training.trainer import Kind, train

_MEND = "set a smaller --max-length (and prepare the data for it), train with --qlora, or use a larger GPU"
_ANSWERS_LOOKED_AT = 50
"""Answers by which it is told where they leave the empty one."""
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
    attention: Attention = "auto"
    """How attention is computed; of no effect on what comes out."""
    device: str = "auto"
    """`auto`, `cpu` or `cuda`."""
    force: bool = False
    """Whether to train with fewer examples than the minimum."""
    folder: str | None = None
    """Where the model's files were fetched to; None: they lie where `model` says."""

    @property
    def location(self) -> str:
        """Name what is loaded."""
        return self.folder or self.model


def train_extract_agent(
    request: AgentTraining, data: Path, out: Path, scratch: Path, checkpoints: Checkpoints
) -> dict[str, Any]:
    """Fine-tune the Extract Agent and write the model with its metadata, curve and log.

    Args:
        request: What was asked for.
        data: The output folder of format_extract.
        out: The folder for `model/`, `training_metadata.json`, `training_curve.png` and `log.jsonl`.
        scratch: A folder for files of the training on their way.
        checkpoints: Where the training's state outlives this process.

    Returns:
        What `training_metadata.json` holds.

    Raises:
        UsageError: The data was cut for another format, tokenizer or length, the model cannot be loaded, or computes
            no numbers in fp16.
        DataError: There are fewer examples than the minimum, and nobody forced it.
        InterruptedRunError: The training was told to end, and its state is saved.
        CannotGoOnError: Memory or disk do not suffice, or a loss or weight is no number.
    """
    check_tracker(request.training.report_to)
    check_data(request, data)
    report = read_format_report(data)
    tokenizer = use_template(load_tokenizer(request.location), report.template)
    if report.tokenizer_hash != tokenizer_hash(tokenizer):
        raise UsageError(
            f"the data was cut for another model's tokenizer than {request.model!r}: run format_extract --model for it"
        )
    train_rows, validation_rows = (load_rows(data / f"{part}.jsonl", tokenizer) for part in ("train", "validation"))
    warnings = check_minimum(len(train_rows), request.method, request.force)
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
    model = load_to_train(request.location, device, numerics, request.lora, request.attention)
    choice = _choice(tokenizer, data / "validation.jsonl")
    kind = Kind("train_extract", AnswerCollator(pad_token_id(tokenizer)), numerics, _MEND, choice, request.name)
    with tracked(options.report_to, scratch, out):
        result = train(model, train_rows, validation_rows, kind, options, checkpoints, scratch)
    _save_model(model, tokenizer, request, data, out / "model")
    base_model, base_revision = split_name(request.model)
    training = Training(
        name=request.name,
        base_model=base_model,
        base_revision=base_revision,
        method=request.method,
        options=asdict(options) | {"attention": request.attention},
        computed_in=str(numerics.compute).removeprefix("torch."),
        lora=None if request.method == "full" else asdict(request.lora),
        max_length=request.max_length,
        examples=len(train_rows),
        validation_examples=len(validation_rows),
        deviations_from_guide=AGENT.deviations(options, request.max_length, request.method),
        warnings=tuple(warnings),
        device=str(device),
        trainable_parameters=sum(p.numel() for p in model.parameters() if p.requires_grad),
        **result.as_record(),
    )
    training.write(out)
    write_log(result.log, out / LOG_NAME)
    plot_curve(result.log, f"{request.name}: {METHOD_WORDS[request.method]}", out / "training_curve.png")
    return training.model_dump(mode="json")


def check_data(request: AgentTraining, data: Path) -> None:
    """Refuse data of another format or length than was asked for."""
    report = read_format_report(data)
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


def _choice(tokenizer: Any, path: Path) -> ItemChoice | None:
    """Find where answers with items leave the empty one, by some answers of the validation."""
    empty = render_answer(())
    answers = (row.answer for row in read_lines(path, ExampleRow) if row.answer != empty)
    return find_choice(tokenizer, empty, list(islice(answers, _ANSWERS_LOOKED_AT)))


def load_rows(path: Path, tokenizer: Any) -> Rows[EncodedExample]:
    """Read the examples of a prepared file and encode them."""
    return Rows([encode_example(tokenizer, row.prompt, row.answer) for row in read_lines(path, ExampleRow)])


def _save_model(model: Any, tokenizer: Any, request: AgentTraining, data: Path, folder: Path) -> None:
    model.config.use_cache = True
    model.save_pretrained(folder)
    if request.method != "full":
        name_base(folder, request.model)
    tokenizer.save_pretrained(folder)
    name, commit = split_name(request.model)
    AgentNote(name=request.name, base_model=name, base_revision=commit, usage=usage_of_data(data)).write(folder)
