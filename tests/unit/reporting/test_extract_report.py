import pytest

from ctiforge.evaluation.gate.sides import scored_extraction
from ctiforge.records.formatted import FormatReport
from ctiforge.records.harvest import HarvestReport
from ctiforge.records.run import Cause, RunRecord, StageRecord
from ctiforge.records.training import LogLine, Training
from ctiforge.reporting.extract_errors import SHOWN, extract_findings
from ctiforge.reporting.extract_report import extract_sections
from ctiforge.reporting.places import Places
from ctiforge.reporting.trial import tried
from ctiforge.reporting.verdict import NOT_ASKED, NOT_COMPARED
from tests import making
from tests.unit.reporting.making import (
    LOG,
    STARTED,
    articles,
    as_rules,
    evaluation,
    manifest,
    run_files,
    without_type,
)

RECORDS = articles(40)
TEXTS = {record.id: record.content for record in RECORDS}
HALF = evaluation(RECORDS, "half", finds_every=2)
ALL = evaluation(RECORDS, "all")
INVENTING = evaluation(RECORDS, "inventing", invents=True)


def verdict(**evaluations):
    return extract_sections(run_files(evaluations))[0]


def table(sections, caption):
    blocks = [block for section in sections for block in section.blocks if block.kind == "table"]
    return next(block for block in blocks if block.caption.startswith(caption))


def texts_of(table):
    return [[cell.mark.word if cell.mark else cell.text for cell in row] for row in table.rows]


def test_better_says_than_what_by_how_much_and_over_how_many_articles():
    found = verdict(eval_in_use=HALF, eval_tuned=ALL)
    assert (found.mark.word, found.mark.tone) == ("better", "good")
    assert found.sentence.startswith(
        "The new model is better than the model in use: micro-F1 1.000 instead of 0.667, gain +0.333, at least +"
    )
    assert found.sentence.endswith(" (at 99.99%), 40 articles.")
    assert found.numbers[:3] == (("micro-F1", "1.000"), ("the model in use", "0.667"), ("gain", "+0.333"))
    assert found.details[0].startswith("No loss shown: macro-F1; ")
    assert found.details[-1] == NOT_ASKED


def test_worse_says_so():
    found = verdict(eval_in_use=ALL, eval_tuned=HALF)
    assert (found.mark.word, found.mark.tone) == ("worse", "bad")
    assert found.sentence.startswith("The new model is worse than the model in use: micro-F1 0.667 instead of 1.000")


def test_a_win_with_a_loss_is_no_green_one():
    quarter = evaluation(RECORDS, "quarter", finds_every=20)
    found = verdict(eval_in_use=quarter, eval_base=ALL, eval_tuned=INVENTING)
    assert (found.mark.word, found.mark.tone) == ("better, with a loss", "unsure")
    assert found.details[0].startswith("Worse than the model in use: predicted values in the article −0.333 (at most −")
    assert any(line.startswith("Against the base model: gain −0.200, at most −") for line in found.details)


def test_what_the_rules_say_nothing_of_decides_no_headline():
    rules = as_rules(evaluation(RECORDS, "regex", finds_every=20))
    found, sections = extract_sections(run_files({"eval_regex": rules, "eval_tuned": INVENTING}))
    assert found.mark.word == "better"
    assert found.details[1].startswith("Not checked, as one side says nothing of it: ")
    assert found.details[1].endswith("JSON validity, raw; predicted values in the article.")
    assert [row[1] for row in texts_of(table(sections, "What must not get worse"))][-2:] == ["n/a", "n/a"]


def test_a_type_that_the_rules_do_better_is_told_first():
    blind = without_type(ALL, "services")
    nothing = evaluation(RECORDS, "nothing", finds_every=100)
    found = verdict(eval_in_use=nothing, eval_regex=as_rules(ALL), eval_tuned=blind)
    assert found.details[0].startswith("Worse than the regex floor: F1, services −1.000 (at most −")


def test_a_type_that_is_lower_where_too_few_articles_can_tell_is_told_as_that():
    few = articles(6)
    model = evaluation(few, "all")
    found = verdict(eval_in_use=model, eval_tuned=without_type(model, "services"))
    told = "Fewer than 10 articles to tell by, and lower than the model in use: F1, services 0.000 instead of 1.000."
    assert told in found.details
    assert "Fewer than 10 articles to tell by, and not lower: F1, cmdline." in found.details


def test_the_gate_that_was_asked_has_the_last_word():
    decision = tried("extract", scored_extraction(HALF), scored_extraction(ALL), "champion of old")
    found = extract_sections(run_files({"eval_base": HALF, "eval_tuned": ALL}, decision=decision))[0]
    assert (found.mark.word, found.gate.word) == ("worse", "not passed")
    assert found.sentence.startswith("The new model is worse than the champion of old: micro-F1 0.667 instead of 1.000")
    assert any(line.startswith("Against the base model: gain +0.333") for line in found.details)
    assert NOT_ASKED not in found.details


def test_a_gate_that_compared_nothing_leaves_the_verdict_to_its_test():
    decision = tried("extract", scored_extraction(ALL), scored_extraction(HALF), "x")
    refused = decision.model_copy(update={"checks": (), "passed": False, "reasons": ("it leaks",)})
    found, sections = extract_sections(run_files({"eval_base": HALF, "eval_tuned": ALL}, decision=refused))
    assert (found.mark.word, found.gate.word, found.gate_lines) == ("better", "not passed", ("it leaks",))
    assert NOT_COMPARED in found.details
    assert table(sections, "The gate’s test").rows[0][1].mark.word == "better"


def test_too_few_articles_are_underpowered_in_words():
    few = articles(6)
    found = verdict(eval_base=evaluation(few, "half", finds_every=2), eval_tuned=evaluation(few, "all"))
    assert found.mark.word == "underpowered"
    assert found.sentence.startswith("Too little data to tell whether the new model is better than the base model")
    assert "no bound, 6 articles" in found.sentence
    assert found.details[-1] == "No model in use was evaluated: the base model is the strongest of what was."


def test_failed_articles_leaks_and_the_warnings_of_training_are_told():
    run = run_files(
        {"eval_base": HALF, "eval_tuned": evaluation(RECORDS, "all", failed="Timeout: no answer")},
        training=Training.model_validate(making.training()),
        formatted=FormatReport.model_validate(making.formatted()),
        problems=("report.json of harvest_extract cannot be read",),
    )
    assert extract_sections(run)[0].warnings == (
        "1 article failed for the new model: Timeout: no answer",
        "1 training article repeats a held-out one and was left out of training",
        "900 training examples: 1000 are recommended for full fine-tuning",
        "report.json of harvest_extract cannot be read",
    )


def test_a_run_that_failed_tells_what_is_missing_and_why():
    cause = Cause(category="oom", summary="out of memory", detail="OOMKilled", remedy="a smaller batch")
    stages = [
        StageRecord(name="harvest_extract", program="harvest_extract", state="done"),
        StageRecord(name="train_extract", program="x", state="failed", exit_code=3, last_lines=["a", "too few"]),
        StageRecord(name="eval_base", program="x", state="failed", cause=cause),
        StageRecord(name="eval_tuned", program="x"),
    ]
    record = RunRecord(id="r", line="extract", state="failed", started_at=STARTED, stages=stages)
    found, sections = extract_sections(run_files({}, record=record, manifests={}))
    assert found.mark.word == "no verdict"
    assert found.missing == (
        "train_extract: failed with exit code 3; it said last: too few",
        "eval_base: failed; out of memory; the cluster says: OOMKilled; to do: a smaller batch",
        "eval_tuned: never started",
    )
    assert [section.id for section in sections] == ["lineage", "cost"]


def test_every_section_is_there_when_everything_is():
    run = run_files(
        {"eval_regex": HALF, "eval_base": HALF, "eval_tuned": INVENTING},
        training=Training.model_validate(making.training()),
        log=tuple(LogLine.model_validate(line, extra="ignore") for line in LOG),
        formatted=FormatReport.model_validate(making.formatted()),
        harvest=HarvestReport.model_validate(making.harvest()),
        articles={record.id: record for record in RECORDS},
    )
    _, sections = extract_sections(run)
    names = "comparison worth gate types articles exchange power training lengths errors data lineage cost"
    assert [section.id for section in sections] == names.split()
    truncation = table(sections, "What 304 tokens leave")
    assert texts_of(truncation)[0] == ["answers lost", "0", "all of it in 41 articles"]
    assert texts_of(truncation)[2][1:] == ["99.6%", "2.90%"]
    assert texts_of(table(sections, "Settings that differ")) == [["epochs", "3", "4"]]
    assert texts_of(table(sections, "Harvested by type"))[1] == ["services", "45", "20", "25", "40"]
    chart = next(block for section in sections for block in section.blocks if block.kind == "chart")
    assert chart.marked_text == "lowest validation loss 0.25 at step 100"


def test_below_ten_articles_a_row_has_counts_and_no_figure():
    few = articles(6)
    _, sections = extract_sections(run_files({"eval_tuned": evaluation(few, "all", invents=True)}))
    rows = texts_of(table(sections, "Each type of observable"))
    assert rows[1] == ["cmdline", "counts only", "", "", "", "6", "6", "12", "6"]


def test_the_leads_of_the_new_model_are_in_the_first_table():
    _, sections = extract_sections(run_files({"eval_base": HALF, "eval_tuned": ALL}))
    rows = texts_of(table(sections, "Micro-F1 of every model"))
    assert rows[0][:3] == ["base model", "better", "0.667"]
    assert rows[0][4:6] == ["+0.333", ""]
    assert rows[1][:5] == ["new model", "", "1.000", "", ""]


def test_missed_values_are_shown_where_they_stand():
    findings = extract_findings(HALF, Places(TEXTS))
    group = findings.groups[0]
    assert (group.title, group.counts, group.more) == ("cmdline", "20 missed", 20 - SHOWN)
    first = group.findings[0]
    assert (first.value, first.mark.word, first.article) == ("whoami /all /fo 1", "missed", "a1 · Report 1")
    assert [(piece.text, piece.is_marked) for piece in first.passages[0].pieces][:2] == [
        ("Report 1. The actor ran ", False),
        ("whoami /all /fo 1", True),
    ]
    assert "Not in the training data." in first.remarks


def test_of_an_article_with_many_errors_others_are_shown_too():
    many = evaluation(RECORDS, "none", finds_every=100)
    articles_shown = [finding.article for finding in extract_findings(many, Places(TEXTS)).groups[0].findings]
    assert len(set(articles_shown)) == SHOWN


def test_invented_values_have_no_passage_and_altered_ones_that_of_what_is_near():
    item = next(item for item in INVENTING.articles[0].items if item.outcome == "wrong")
    altered = item.model_copy(
        update={"grounding": "altered", "predicted": "whoami /al /fo 0", "nearest": "whoami /all /fo 0"}
    )
    article = INVENTING.articles[0].model_copy(update={"items": (item, altered)})
    findings = extract_findings(INVENTING.model_copy(update={"articles": (article,)}), Places(TEXTS)).groups[0].findings
    assert [finding.mark.word for finding in findings] == ["invented", "altered"]
    assert findings[0].passages == ()
    assert [piece.text for piece in findings[1].passages[0].pieces if piece.is_marked] == ["whoami /all /fo 0"]


@pytest.mark.parametrize("texts", [{}, {"a1": ""}])
def test_without_the_text_errors_are_told_all_the_same(texts):
    first = extract_findings(HALF, Places(texts)).groups[0].findings[0]
    assert (first.value, first.passages) == ("whoami /all /fo 1", ())


def test_raw_answers_are_named_where_the_evaluation_kept_them():
    run = run_files({"eval_tuned": HALF})
    kept = manifest("eval_tuned", ("answers.jsonl.gz",), "s3://store/artifacts/train/fp-train/")
    for manifests, is_named in ((run.manifests, False), ({**run.manifests, "eval_tuned": kept}, True)):
        _, sections = extract_sections(run_files({"eval_tuned": HALF}, manifests=manifests))
        errors = next(section for section in sections if section.id == "errors")
        lines = [line for block in errors.blocks if block.kind == "note" for line in block.lines]
        assert any("answers.jsonl.gz in eval_tuned" in line for line in lines) == is_named
