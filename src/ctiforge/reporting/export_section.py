"""What a run exported of the model in use: its files, and whether they answer as their source does."""

from ctiforge.records.exported import ExportedFile, ExportReport
from ctiforge.records.run import StageRecord
from ctiforge.reporting import words
from ctiforge.reporting.reading import RunFiles
from ctiforge.reporting.view import Note, Section
from ctiforge.tables import Cell, Column, Table

STAGE = "export_model"
_TITLE = "Export"


def export_section(run: RunFiles) -> Section | None:
    """Show what was exported; None where the run had no such stage, or it did not end well."""
    stage = next((each for each in run.record.stages if each.name == STAGE), None)
    if stage and stage.state == "skipped":
        return Section("export", _TITLE, "Nothing: no model was in use when the run ended.", ())
    if not stage or not run.exported:
        return None
    report = run.exported
    warnings = tuple(dict.fromkeys(warning for each in report.files for warning in each.warnings))
    blocks = (
        *([_table(report)] if report.files else ()),
        *([Note(warnings, "unsure")] if warnings else ()),
    )
    return Section("export", _TITLE, _lead(run, stage, report), blocks)


def _lead(run: RunFiles, stage: StageRecord, report: ExportReport) -> str:
    manifest = run.manifests.get(STAGE)
    version = manifest.parameters.get("version") if manifest else None
    which = f"Version {version}, {report.name}" if version else report.name
    when = ", exported by an earlier run" if stage.state == "cached" else ""
    what = "" if report.files or not report.merge else f" Merged weights in {report.merge.dtype}."
    return f"{which}, the model in use when the run ended{when}.{what} It lies in {stage.artifact}."


def _table(report: ExportReport) -> Table:
    columns = (
        Column("", False),
        Column("size"),
        Column("same answers as the source"),
        Column("micro-F1"),
        Column("of the source"),
    )
    rows = tuple(_row(each, report) for each in report.files)
    return Table("Exported files", columns, rows)


def _row(file: ExportedFile, report: ExportReport) -> tuple[Cell, ...]:
    size = Cell(words.size(file.bytes))
    parity = next((each for each in report.parity if each.file_type == file.type), None)
    if parity is None:
        return (Cell(file.file), size, Cell("not compared"), Cell("–"), Cell("–"))
    alike = f"{parity.same_windows:,} of {words.plural(parity.windows, 'window')}"
    return (Cell(file.file), size, Cell(alike), Cell(words.figure(parity.f1)), Cell(words.figure(parity.source_f1)))
