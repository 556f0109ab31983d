from ctiforge.evaluation.gate.power import power, spread_of
from ctiforge.evaluation.gate.sides import scored_extraction
from ctiforge.reporting.power_section import power_section
from tests.unit.reporting.making import articles, evaluation

RECORDS = articles(40)
HALF = scored_extraction(evaluation(RECORDS, "half", finds_every=2))
THIRD = scored_extraction(evaluation(RECORDS, "third", finds_every=3))
ALL = scored_extraction(evaluation(RECORDS, "all"))


def test_the_chances_are_those_of_the_gates_power():
    chances, needed = power_section("extract", HALF, THIRD, "model in use").blocks
    spread = spread_of(HALF.figures["micro_f1"], THIRD.figures["micro_f1"])
    assert chances.caption == "Promoted with today’s 40 articles"
    assert [row[0].text for row in chances.rows] == ["+0.02", "+0.05", "+0.08"]
    assert chances.rows[2][3].text == f"{power(spread, 0.08, 40, 30):.0%}"
    counts = [int(cell.text.replace(",", "")) for cell in needed.rows[2][1:]]
    assert counts == sorted(counts, reverse=True)
    assert counts[0] > 40


def test_without_another_model_the_gain_is_taken_to_vary_like_the_figure():
    assert "as if a gain varied like it" in power_section("extract", HALF, None, "").lead


def test_where_nothing_varies_nothing_is_worked_out():
    section = power_section("extract", ALL, None, "")
    assert section.lead == "micro-F1 does not vary over its articles: nothing can be worked out from it."
