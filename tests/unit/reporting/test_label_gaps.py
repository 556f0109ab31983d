from pathlib import Path

from ctiforge.records.review import read_review, write_review
from ctiforge.reporting.label_gaps import find_label_gaps, gaps_section
from tests.unit.reporting.making import articles, evaluation, rescored, run_files

RECORDS = articles(4)
BY_ID = {record.id: record for record in RECORDS}
ADDING = evaluation(RECORDS, "adding", adds=True, invents=True)
FILE = Path("outputs/reports/r-label-gaps.jsonl")


def gaps_of(**evaluations):
    return find_label_gaps(run_files(evaluations, articles=BY_ID), FILE)


def test_what_stands_in_the_article_and_nobody_labeled_is_a_gap_as_the_article_writes_it():
    gaps = gaps_of(eval_tuned=ADDING)
    assert dict(gaps.items) == {"cmdline": 4}
    line = gaps.lines[0]
    assert (line.id, line.annotator, line.why) == ("a0", "", "1 item that nobody labeled")
    first, *labeled = line.observables
    assert first.value == "decoy0.exe"
    assert first.evidence.startswith("not labeled: ")
    assert "and fetched decoy0.exe as well." in first.evidence
    assert [each.value for each in labeled] == ["whoami /all /fo 0", "Service0"]


def test_what_another_model_says_too_is_told():
    gaps = gaps_of(eval_regex=ADDING, eval_tuned=ADDING)
    assert dict(gaps.shared) == {"cmdline": 4}
    assert gaps.lines[0].observables[0].evidence.startswith("not labeled, also given by regex floor: ")


def test_a_part_of_what_is_labeled_is_no_gap():
    scores = tuple(
        each.model_copy(update={"items": tuple(item.model_copy(update={"near": "x"}) for item in each.items)})
        for each in ADDING.articles
    )
    gaps = gaps_of(eval_tuned=rescored(ADDING, scores))
    assert gaps.lines == ()
    assert gaps_section(gaps) is None


def test_without_a_new_model_or_its_articles_there_are_none():
    assert gaps_of(eval_base=ADDING).lines == ()
    assert find_label_gaps(run_files({"eval_tuned": ADDING}), FILE).lines == ()


def test_the_section_names_the_file_and_how_to_open_it():
    section = gaps_section(gaps_of(eval_tuned=ADDING))
    assert section.lead.startswith("4 items in 4 articles count as wrong though they stand in the article")
    assert section.blocks[1].lines[1].endswith(f"ctiforge label --input {FILE} --annotator NAME")


def test_the_file_is_read_as_it_was_written(tmp_path):
    gaps = gaps_of(eval_tuned=ADDING)
    write_review(tmp_path / "gaps.jsonl", gaps.lines)
    assert tuple(line for _, line in read_review(tmp_path / "gaps.jsonl")) == gaps.lines
