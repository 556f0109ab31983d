"""What a training of the Extract Agent reads: examples of format_extract, or rows of a team's own."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ctiforge.errors import CannotGoOnError, DataError, UsageError
from ctiforge.extract.dataset.own_rows import about_rows, usage_of_rows
from ctiforge.extract.dataset.row_files import ReadExample, RowFile, find_files, open_rows
from ctiforge.extract.prompts import read_prompt_file
from ctiforge.records.formatted import FormatReport
from ctiforge.records.model_note import UNKNOWN_PROMPT, AgentUsage, ChatTemplate
from ctiforge.store.objects import hash_file
from ctiforge.training.encoding import tokenizer_hash
from ctiforge.training.memory import free_disk
from ctiforge.training.rows import EncodedRows, encode_rows
from ctiforge.training.templates import choose_template, use_template

_VALIDATION_SHARE = 0.1
_WRITTEN = 3
"""Times a file's size that its rows take on disk: their text, and 4 bytes a token."""
_LOOKED_AT = 200
"""Rows in which the prompt is looked for."""


@dataclass(frozen=True)
class TrainingRows:
    """The examples of a training, and what is known of them."""

    train: EncodedRows
    validation: EncodedRows
    usage: AgentUsage
    """How the model is to be asked."""
    about: str | None = None
    """What is not known of a model that learns from them; None of examples of format_extract."""

    @property
    def set_aside(self) -> dict[str, int]:
        """Count the rows of both parts that are no examples, by what is wrong with them."""
        parts = [self.train.set_aside]
        if self.validation.set_aside is not self.train.set_aside:
            parts.append(self.validation.set_aside)
        return {why: sum(part.get(why, 0) for part in parts) for part in parts for why in part}


def load_prepared(data: Path, report: FormatReport, model: str, tokenizer: Any, folder: Path) -> TrainingRows:
    """Load the examples of format_extract.

    Args:
        data: Its output folder.
        report: Its `format.json`.
        model: What the model is called, for the error.
        tokenizer: The model's tokenizer, which is changed to render as the examples were.
        folder: Keeps what is encoded.

    Raises:
        UsageError: They were cut for another tokenizer.
    """
    use_template(tokenizer, report.template)
    if report.tokenizer_hash != tokenizer_hash(tokenizer):
        raise UsageError(
            f"the data was cut for another model's tokenizer than {model!r}: run format_extract --model for it"
        )
    files = [open_rows(data / f"{part}.jsonl") for part in ("train", "validation")]
    train, validation = (_encoded(file, tokenizer, report.sizes.max_length, folder) for file in files)
    return TrainingRows(train, validation, report.usage)


def load_own(
    data: Path, model: str, tokenizer: Any, *, max_length: int, seed: int, prompt: Path | None, folder: Path
) -> TrainingRows:
    """Load rows of a team's own; where no part is for validation, a tenth of the prompts is.

    Args:
        data: A file, or a folder with `train` and maybe `validation`.
        model: What the model is called, for errors.
        tokenizer: The model's tokenizer, which is changed to render as the rows are.
        max_length: Tokens of prompt and answer together; longer rows are set aside.
        seed: Chooses the rows of validation.
        prompt: The prompt that the rows were written with, where it is the team's own.
        folder: Keeps what is encoded.

    Raises:
        UsageError: The columns, the prompt or the model's chat template will not do.
        DataError: No row is an example.
    """
    files = find_files(data)
    template = None
    if any(file.has_conversations for file in files.values()):
        if not tokenizer.chat_template:
            raise UsageError(f"{model} has no chat template: give rows of prompt and answer instead of messages")
        template = _template_of(tokenizer)
        use_template(tokenizer, template)
    parts = {name: _encoded(file, tokenizer, max_length, folder) for name, file in files.items()}
    train = parts["train"]
    if not len(train):
        why = ", ".join(f"{count} {reason}" for reason, count in train.set_aside.items()) or "there is none"
        raise DataError(f"no row of {files['train'].path} is an example: {why}")
    read = ReadExample(files["train"].columns)
    prompts = [read(tokenizer, line)[0] for line in train.spread(_LOOKED_AT)]
    own = read_prompt_file(prompt) if prompt else None
    usage = usage_of_rows(prompts, tokenizer, max_length=max_length, template=template, own=own)
    if own and usage.prompt_version == UNKNOWN_PROMPT:
        raise UsageError(f"--prompt {prompt}: not every row of {files['train'].path} was written with it")
    if "validation" in parts:
        return TrainingRows(train, parts["validation"], usage, about_rows(usage))
    return TrainingRows(*train.divided(_VALIDATION_SHARE, seed), usage, about_rows(usage))


def _template_of(tokenizer: Any) -> ChatTemplate | None:
    try:
        return choose_template(tokenizer)
    except UsageError as error:
        raise UsageError(f"{error}; or give rows of prompt and answer, rendered as they are to be") from None


def _encoded(file: RowFile, tokenizer: Any, max_length: int, folder: Path) -> EncodedRows:
    size, free = file.path.stat().st_size, free_disk(folder.parent)
    if free < _WRITTEN * size:
        raise CannotGoOnError(
            f"{folder}: encoding {file.path.name} writes about {_WRITTEN * size / 1e9:.1f} GB, and {free / 1e9:.1f} GB "
            "are free: free some space, enlarge the volume, or name another folder with CTIFORGE_SCRATCH"
        )
    content, read = hash_file(file.path).sha256, ReadExample(file.columns)
    return encode_rows(file.lines, content, read, tokenizer, max_length=max_length, folder=folder)
