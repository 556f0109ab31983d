from ctiforge.evaluation.comparing.comparison import compare
from ctiforge.reporting.contest import contest_of, new_stage
from ctiforge.reporting.extract_tables import primary_table
from tests.unit.reporting.making import articles, evaluation, of_sample, run_files

RECORDS = articles(12)
WEAK = evaluation(RECORDS, "weak", finds_every=6)
STRONG = evaluation(RECORDS, "strong", finds_every=2)
NEW = evaluation(RECORDS, "new")


def test_the_new_model_is_the_one_made_from_what_the_run_trained():
    run = run_files({"eval_tuned": NEW, "eval_base": WEAK})
    assert new_stage(run) == "eval_tuned"
    assert new_stage(run_files({"eval_base": WEAK})) is None
    assert [side.role for side in contest_of(run).sides] == ["base model", "new model"]


def test_the_model_in_use_is_what_the_new_one_is_held_against_however_weak():
    contest = contest_of(run_files({"eval_regex": STRONG, "eval_in_use": WEAK, "eval_tuned": NEW}))
    assert contest.reference.role == "model in use"


def test_without_one_in_use_it_is_the_strongest():
    contest = contest_of(run_files({"eval_regex": STRONG, "eval_base": WEAK, "eval_tuned": NEW}))
    assert contest.reference.role == "regex floor"


def test_differences_are_those_of_a_comparison():
    contest = contest_of(run_files({"eval_base": WEAK, "eval_tuned": NEW}))
    expected = compare([WEAK, NEW]).contenders[0].changes
    assert tuple(contest.rivals[0].changes.values()) == expected
    assert contest.rivals[0].change("micro_f1").label == "micro-F1"


def test_one_that_was_scored_on_other_articles_is_shown_and_not_compared():
    other = evaluation(RECORDS, "other", content_hash="else")
    contest = contest_of(run_files({"eval_in_use": other, "eval_base": WEAK, "eval_tuned": NEW}))
    assert contest.reference.role == "base model"
    assert contest.rivals[0].changes == {}
    assert contest.rivals[0].change("micro_f1") is None


def test_a_floor_on_a_sample_is_compared_and_decides_nothing():
    sampled = of_sample(STRONG, 4)
    contest = contest_of(run_files({"eval_base": sampled, "eval_regex": WEAK, "eval_tuned": NEW}))
    assert contest.reference.role == "regex floor"
    base = contest.rivals[0]
    assert (base.tested, base.change("micro_f1").articles) == (None, 4)
    row = next(row for row in primary_table(contest).rows if row[0].text == "base model")
    assert row[1].text == "4 of 12 articles"


def test_without_a_new_model_there_is_nothing_to_hold_anything_against():
    contest = contest_of(run_files({"eval_base": WEAK}))
    assert (contest.new, contest.reference) == (None, None)
    assert [side.role for side in contest.sides] == ["base model"]
