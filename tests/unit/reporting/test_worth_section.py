from ctiforge.records.evaluation import Price
from ctiforge.reporting.contest import contest_of
from ctiforge.reporting.worth_section import sentences, worth_section
from tests.unit.reporting.making import articles, as_rules, evaluation, run_files

RECORDS = articles(40)
ALL = evaluation(RECORDS, "all")
HALF = evaluation(RECORDS, "half", finds_every=2)
THIRD = evaluation(RECORDS, "third", finds_every=3)
PRICED = HALF.model_copy(update={"price": Price(read=1000.0, written=10_000.0)})


def contest(**evaluations):
    return contest_of(run_files(evaluations))


def test_three_sentences_say_what_training_is_worth():
    found = contest(
        eval_base=THIRD, eval_base_examples=HALF, eval_teacher=PRICED, eval_regex=as_rules(THIRD), eval_tuned=ALL
    )
    untrained, teacher, rules = sentences(found)
    shown = "the base model, with examples, micro-F1 0.667"
    assert untrained == (f"Without training the best is {shown}; trained it is 1.000: training pays.")
    assert teacher.startswith("The teacher reaches 0.667 (")
    assert teacher.endswith(" an article).")
    assert rules == "The rules, which cost next to nothing, reach 0.519: the new model finds what they do not."
    section = worth_section(found)
    assert section is not None
    table = section.blocks[0]
    assert [row[0].text for row in table.rows][-1] == "new model"
    money = {row[0].text: row[-1].text for row in table.rows}
    metrics = PRICED.metrics
    paid = (metrics["prompt_tokens"].value * 1000 + metrics["answer_tokens"].value * 10_000) / 1e6
    assert money["teacher"] == f"{paid:.3g}"
    assert money["new model"] == ""


def test_what_was_not_asked_is_said():
    said = list(sentences(contest(eval_in_use=HALF, eval_tuned=ALL)))
    assert said[0].startswith("No base model was evaluated")
    assert "set teacher_endpoint" in said[1]
    assert said[2] == "The rules were not evaluated beside it."
    assert worth_section(contest(eval_tuned=ALL)) is None


def test_harm_and_doubt_have_their_words():
    (harm, *_) = sentences(contest(eval_base=ALL, eval_tuned=HALF))
    assert harm.endswith("training does harm.")
    few = articles(5)
    (doubt, *_) = sentences(contest(eval_base=evaluation(few, "a", finds_every=2), eval_tuned=evaluation(few, "b")))
    assert doubt.endswith(("too few articles tell whether training pays.", "it cannot be compared."))


def test_rules_that_find_more_are_said_to():
    (*_, rules) = sentences(contest(eval_base=THIRD, eval_regex=as_rules(ALL), eval_tuned=HALF))
    assert rules == "The rules, which cost next to nothing, reach 1.000: the new model falls short of them."
