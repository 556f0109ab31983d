from dataclasses import replace

from ctiforge.records.exported import ExportedFile, ExportReport, MergeReport, ParityReport
from ctiforge.records.run import StageRecord, State
from ctiforge.reporting.export_section import export_section
from tests.unit.reporting.making import manifest, run_files

FILE = ExportedFile(
    file="agent-Q8_0.gguf", type="q8_0", bytes=1_500_000, architecture="llama", pretokenizer="x", tensor_types={},
    texts_read_alike=1, prompts_rendered_alike=1, warnings=("odd rows",),
)  # fmt: skip
PARITY = ParityReport(file_type="q8_0", windows=9, same_windows=8, articles=3, same_articles=3, f1=0.5, source_f1=0.51)
REPORT = ExportReport(name="agent", merge=MergeReport(adapter=False), files=(FILE,), parity=(PARITY,))


def section_of(report: ExportReport | None, state: State = "done"):
    run = run_files({}, exported=report)
    stage = StageRecord(name="export_model", program="export_model", state=state, artifact="s3://b/x")
    run.manifests["export_model"] = replace_version(3)
    return export_section(replace(run, record=run.record.model_copy(update={"stages": [*run.record.stages, stage]})))


def replace_version(version: int):
    return manifest("export_model").model_copy(update={"parameters": {"version": version}})


def test_files_stand_with_their_size_and_beside_their_source():
    section = section_of(REPORT)
    assert section.lead == "Version 3, agent, the model in use when the run ended. It lies in s3://b/x."
    table, note = section.blocks
    assert [cell.text for cell in table.rows[0]] == ["agent-Q8_0.gguf", "1.5 MB", "8 of 9 windows", "0.500", "0.510"]
    assert note.lines == ("odd rows",)
    unlike = section_of(REPORT.model_copy(update={"parity": ()}))
    assert unlike.blocks[0].rows[0][2].text == "not compared"


def test_what_was_exported_before_and_as_weights_is_said():
    merged = ExportReport(name="agent", merge=MergeReport(adapter=True, dtype="bf16"))
    section = section_of(merged, "cached")
    assert section.lead.startswith(
        "Version 3, agent, the model in use when the run ended, exported by an earlier run. "
    )
    assert "Merged weights in bf16." in section.lead
    assert section.blocks == ()


def test_a_run_without_a_model_in_use_says_so_and_one_without_export_nothing():
    assert section_of(None, "skipped").lead.startswith("Nothing: no model was in use")
    assert section_of(None, "failed") is None
    assert export_section(run_files({})) is None
