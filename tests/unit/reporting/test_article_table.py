from ctiforge.reporting.article_table import OPEN, article_tables, half_of
from tests.unit.reporting.making import articles, evaluation

RECORDS = articles(40)
HALF = evaluation(RECORDS, "half", finds_every=2)
INVENTING = evaluation(RECORDS, "inventing", invents=True)


def rows_of(table):
    return [[cell.text for cell in row] for row in table.rows]


def test_the_largest_difference_is_first_and_the_rest_is_folded():
    shown, rest = article_tables(HALF, INVENTING, "model in use")
    assert [len(shown.rows), len(rest.rows)] == [OPEN, 40 - OPEN]
    assert (shown.is_folded, rest.is_folded) == (False, True)
    assert [column.title for column in shown.columns][2:4] == ["model in use", "new model"]
    # every article has two items and one invented value; in half of them both had been missed
    assert rows_of(shown)[0] == ["Report 0", "−1", "2 / 0 / 0", "2 / 0 / 1", "2", "2.50%"]
    assert rows_of(shown)[1] == ["Report 1", "+1", "0 / 2 / 0", "2 / 0 / 1", "2", "2.50%"]


def test_it_says_how_few_articles_carry_half_of_the_items():
    assert half_of(HALF) == "20 articles of 40 carry half of the 80 items."
    assert half_of(evaluation(RECORDS[:1], "one")) == "1 article of 1 carries half of the 2 items."
    nothing = [record.model_copy(update={"observables": ()}) for record in RECORDS]
    assert half_of(evaluation(nothing, "nothing")) == "Nothing is to be found in any article."


def test_only_articles_that_both_were_scored_on_are_in_it():
    (shown,) = article_tables(evaluation(RECORDS[:3], "few"), HALF, "model in use")
    assert {row[0] for row in rows_of(shown)} == {"Report 0", "Report 1", "Report 2"}
