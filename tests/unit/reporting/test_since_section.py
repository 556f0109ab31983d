import pytest

from ctiforge.records.formatted import FormatReport
from ctiforge.records.harvest import HarvestReport
from ctiforge.records.prepared import PrepareReport
from ctiforge.reporting.promoted import PromotedData
from ctiforge.reporting.since_section import since_section
from tests import making
from tests.unit.reporting.making import manifest, run_files

BEFORE = HarvestReport.model_validate(making.harvest())
AFTER = HarvestReport.model_validate(
    making.harvest(
        read=75,
        excluded={"true negative beyond --negative-ratio": 10, "no content": 5},
        observables_by_type={"cmdline": 100, "services": 45},
        platforms={"Windows": 60, "Linux": 60},
    )
)


def section_of(promoted, **data):
    return since_section(run_files({}, promoted=promoted, **data))


def rows_of(section):
    return {row[0].text: [cell.text for cell in row[1:]] for table in section.blocks for row in table.rows}


def test_counts_rates_grounding_and_the_mix_stand_side_by_side():
    formatted = FormatReport.model_validate(making.formatted())
    better = making.formatted(report=making.token_report(machine_labels_dropped=0))
    promoted = PromotedData(3, "old", "fp", harvest=BEFORE, formatted=formatted)
    section = section_of(promoted, harvest=AFTER, formatted=FormatReport.model_validate(better))
    assert section.lead.startswith("The data of this run beside that of version 3, old, in use when it began.")
    assert [column.title for column in section.blocks[0].columns[1:]] == ["difference", "this run", "version 3"]
    rows = rows_of(section)
    assert rows["articles read"] == ["+15", "75", "60"]
    assert rows["labels that stand in their article"] == ["+0.6 points", "100.0%", "99.4%"]
    assert rows["Linux"] == ["+25.0 points", "50.0%", "25.0%"]
    per_article = section.blocks[1]
    assert [cell.text for cell in per_article.rows[0]] == ["cmdline", "+0.40", "2", "1.60"]


def test_empty_answers_that_were_not_kept_count_as_empty():
    share = (BEFORE.negatives + 10) / (BEFORE.positives + BEFORE.negatives + 10)
    rows = rows_of(section_of(PromotedData(1, "old", harvest=BEFORE), harvest=AFTER))
    assert rows["empty-answer rate"][1] == f"{share:.1%}"
    assert rows["labels that stand in their article"] == ["n/a", "n/a", "n/a"]


def test_of_os_bert_it_is_the_classes():
    before, after = making.prepared(), making.prepared(articles_read=100, classes={"Windows": 30, "Linux": 10})
    promoted = PromotedData(1, "old", prepared=PrepareReport.model_validate(before))
    rows = rows_of(section_of(promoted, prepared=PrepareReport.model_validate(after)))
    assert rows["articles read"] == ["+10", "100", "90"]
    assert rows["Windows"] == ["+55.0 points", "75.0%", "20.0%"]


def test_the_same_data_is_nothing_new():
    harvested = {"harvest_extract": manifest("harvest_extract")}
    section = section_of(PromotedData(2, "old", "fp-harvest_extract", BEFORE), harvest=AFTER, manifests=harvested)
    assert (section.lead, section.blocks) == ("Nothing: version 2 was trained on the same data.", ())


def test_a_harvest_that_is_gone_is_said_to_be():
    section = section_of(PromotedData(2, "old", problem="its harvest cannot be read: gone"), harvest=AFTER)
    assert section.blocks[0].lines == ("Version 2: its harvest cannot be read: gone; what is new cannot be told.",)


@pytest.mark.parametrize(("promoted", "data"), [(None, {"harvest": AFTER}), (PromotedData(1, "old"), {})])
def test_without_either_side_there_is_no_section(promoted, data):
    assert section_of(promoted, **data) is None
