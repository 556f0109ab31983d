"""From the files of a run to its report."""

import ctiforge
from ctiforge.reporting.extract_report import extract_sections
from ctiforge.reporting.label_gaps import LabelGaps
from ctiforge.reporting.os_errors import FindCues
from ctiforge.reporting.os_report import os_sections
from ctiforge.reporting.reading import RunFiles
from ctiforge.reporting.view import Report

LINES = {"extract": "Extract Agent", "os-bert": "OS-BERT"}


def build_report(run: RunFiles, find_cues: FindCues, gaps: LabelGaps) -> Report:
    """Build the report of a run.

    Args:
        run: What the run left.
        find_cues: Finds where a text speaks for which operating system.
        gaps: What of the new model's items its annotators may have overlooked.

    Returns:
        The report, ready to be rendered.
    """
    is_os = run.record.line == "os-bert"
    verdict, sections = os_sections(run, find_cues) if is_os else extract_sections(run, gaps)
    name = run.training.name if run.training else ""
    record = run.record
    facts = [("run", record.id), ("state", record.state), ("started", f"{record.started_at:%Y-%m-%d %H:%M} UTC")]
    if tested := run.tested:
        facts.append(("test set", f"{tested.name} {tested.version}, {tested.content_hash[:12]}"))
    return Report(
        run=record.id,
        title=LINES.get(record.line, record.line),
        subtitle=name,
        facts=tuple(facts),
        verdict=verdict,
        sections=sections,
        made_by=f"ctiforge {ctiforge.__version__}",
    )
