"""What preparation fixed and a model must be used with: format, prompt, types and window sizes."""

from pathlib import Path

from ctiforge.errors import UsageError
from ctiforge.records.formatted import FormatReport
from ctiforge.records.model_note import AgentNote, AgentUsage


def note_of_model(folder: Path) -> AgentNote | None:
    """Read the note of a trained model's folder; None where it has none."""
    return AgentNote.load(folder) if (folder / AgentNote.NAME).is_file() else None


def usage_of_model(folder: Path) -> AgentUsage | None:
    """Read how a trained model's folder says it is to be asked; None where it does not say."""
    note = note_of_model(folder)
    return note.usage if note else None


def usage_of_data(folder: Path) -> AgentUsage:
    """Read how the examples of a format artifact were cut. Raises UsageError where the folder is no such artifact."""
    return read_format_report(folder).usage


def read_format_report(folder: Path) -> FormatReport:
    """Read the `format.json` of prepared data.

    Args:
        folder: The output folder of format_extract.

    Returns:
        The report.

    Raises:
        UsageError: The folder has none.
        DataError: It cannot be read.
    """
    if not (folder / FormatReport.NAME).is_file():
        raise UsageError(f"{folder} holds no {FormatReport.NAME}: give the output folder of format_extract")
    return FormatReport.load(folder)
