from ctiforge.records.prepared import PrepareReport
from ctiforge.reporting.os_errors import PASSAGES, os_findings
from ctiforge.reporting.os_report import os_sections
from tests import making
from tests.unit.reporting.making import classifier_evaluation, os_articles, run_files

RECORDS = os_articles(60)
TEXTS = {record.id: record.content for record in RECORDS}
GOOD = classifier_evaluation(RECORDS, "good", wrong_every=7)
POOR = classifier_evaluation(RECORDS, "poor", wrong_every=2)


def find_cues(text):
    at = text.find("crontab")
    return [("Linux", at, at + 7)] if at >= 0 else []


def sections_of(run):
    verdict, sections = os_sections(run, find_cues)
    return verdict, {section.id: section for section in sections}


def run(**evaluations):
    return run_files(evaluations, line="os-bert")


def test_the_model_in_use_is_what_the_new_one_is_held_against():
    verdict, sections = sections_of(run(eval_os_in_use=POOR, eval_os_bert=GOOD))
    assert verdict.mark.word == "likely better"
    assert verdict.sentence.startswith("The new model is likely better than the model in use, but too little so for ")
    assert verdict.details[0].startswith("No loss shown: accuracy; weighted precision; F1, Windows; ")
    assert sections["gate"].blocks[0].rows[0][1].mark.word == "likely better"


def test_a_class_that_got_worse_is_named():
    verdict, _ = sections_of(run(eval_os_in_use=GOOD, eval_os_bert=POOR))
    assert verdict.mark.word == "worse"
    assert verdict.details[0].startswith("Worse than the model in use: accuracy −")


def test_without_one_it_is_the_strongest_floor_and_never_the_model_itself_on_snippets():
    verdict, _ = sections_of(run(eval_os_bert=GOOD))
    assert verdict.sentence.startswith("The new model is better than the majority floor: macro-F1 ")
    assert "No model in use was evaluated: majority is the strongest of what was." in verdict.details
    assert any(line.startswith("Macro-F1 against first windows: gain −") for line in verdict.details)


def test_agreement_is_not_taken_for_accuracy():
    agreeing = classifier_evaluation(RECORDS, "good", measure="agreement")
    verdict, sections = sections_of(run(eval_os_bert=agreeing))
    assert verdict.mark.word == "no verdict"
    assert "not how often the model is right" in verdict.sentence
    assert sections["comparison"].blocks[0].columns[2].title == "agreement"


def test_confusion_has_numbers_shades_and_a_frame():
    _, sections = sections_of(run(eval_os_bert=GOOD))
    confusion = sections["classes"].blocks[1]
    windows, linux = confusion.rows[0], confusion.rows[1]
    assert [cell.text for cell in windows[1:]] == ["12", "0", "0", "0", "0"]
    assert (windows[1].shade, windows[1].strong, windows[2].shade, windows[2].strong) == (5, True, 0, False)
    assert sum(int(cell.text) for cell in linux[1:]) == 12


def test_articles_lost_and_gained_are_shown_with_what_they_say():
    _, sections = sections_of(
        run_files(
            {"eval_os_in_use": POOR, "eval_os_bert": GOOD},
            line="os-bert",
            articles={record.id: record for record in RECORDS},
        )
    )
    # those at every second place were wrong, those at every seventh are, but for the ones that are of Windows
    lost = [n for n in range(60) if n % 7 == 0 and n % 2 and n % 5]
    gained = [n for n in range(60) if n % 2 == 0 and n % 7 and n % 5]
    section = sections["exchange"]
    assert section.lead.endswith(f"{len(lost)} lost, {len(gained)} gained.")
    first = section.blocks[0].groups[0].findings[0]
    assert (first.value, first.mark.word) == (f"Case {lost[0]}", "now taken for Windows")
    assert sum(len(group.findings) for group in section.blocks[0].groups) == len(lost) + len(gained)


def test_the_test_sets_power_is_told_and_of_agreement_none_is():
    assert "power" in sections_of(run(eval_os_bert=GOOD))[1]
    agreeing = classifier_evaluation(RECORDS, "good", measure="agreement")
    assert "power" not in sections_of(run(eval_os_bert=agreeing))[1]


def test_an_error_shows_what_speaks_for_either_class():
    findings = os_findings(POOR, TEXTS, find_cues)
    linux = next(group for group in findings.groups if group.title == "Linux")
    assert linux.counts == "6 of 12 wrong"
    assert linux.findings[0].mark.word == "taken for Windows"
    passage = linux.findings[0].passages[0]
    assert passage.title == "speaks for Linux"
    assert [piece.text for piece in passage.pieces if piece.is_marked] == ["crontab"]
    unknown = next(group for group in findings.groups if group.title == "Unknown")
    assert unknown.findings[0].remarks == ("No cue of any operating system stands in the text.",)


def test_only_a_few_places_far_apart_are_shown():
    text = "crontab " * 500
    cues = [("Linux", at, at + 7) for at in range(0, len(text), 8)]
    findings = os_findings(POOR, dict.fromkeys(TEXTS, text), lambda _: cues)
    passages = findings.groups[0].findings[0].passages
    assert len(passages) == PASSAGES


def test_the_data_and_its_warnings_are_told():
    verdict, sections = sections_of(
        run_files({"eval_os_bert": GOOD}, line="os-bert", prepared=PrepareReport.model_validate(making.prepared()))
    )
    assert "Linux: 16 articles, 50 are the minimum, 200 are recommended" in verdict.warnings
    assert ("keywords and human", "Cohen’s kappa 0.800 over 20 articles") in sections["data"].blocks[0].pairs


def test_without_an_evaluation_there_is_no_verdict():
    verdict, sections = sections_of(run())
    assert verdict.mark.word == "no verdict"
    assert list(sections) == ["lineage", "cost"]
