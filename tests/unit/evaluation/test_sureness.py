"""How sure a model was of an item, and whether that was right."""

from math import log

import pytest

from ctiforge.evaluation.sureness import calibration_pairs, surest
from ctiforge.extract.answering.extraction import WindowAnswer
from ctiforge.records.answer import ItemProbability, KeptAnswer
from ctiforge.records.evaluation import ArticleScore, Evaluation, ScoredItem


def test_an_evaluation_and_its_answers_say_how_sure_the_model_was_of_what_is_right() -> None:
    items = [
        ScoredItem(type="cmdline", outcome="found", expected="a b", predicted="a  b"),
        ScoredItem(type="cmdline", outcome="wrong", predicted="c d"),
        ScoredItem(type="cmdline", outcome="wrong", predicted="nobody knows"),
        ScoredItem(type="cmdline", outcome="missed", expected="e f"),
    ]
    score = ArticleScore.model_construct(id="1", items=tuple(items))
    evaluation = Evaluation.model_construct(articles=(score,))
    found = ['{"type":"cmdline","value":"a b"}', '{"type":"cmdline","value":"c d"}']
    spans = [(1, 1 + len(found[0])), (2 + len(found[0]), 2 + len(found[0]) + len(found[1]))]
    kept = [
        KeptAnswer(
            article_id=article_id, start=0, end=9, types=("cmdline",), raw=f"[{','.join(found)}]",
            items=tuple(
                ItemProbability(start=start, end=end, mean=log(mean), least=-9)
                for (start, end), mean in zip(spans, means, strict=True)
            ),
        )
        for article_id, means in [("1", (0.5, 0.4)), ("1", (0.8, 0.3)), ("2", (1.0, 1.0))]
    ]  # fmt: skip
    assert calibration_pairs(evaluation, kept) == [(pytest.approx(0.8), True), (pytest.approx(0.4), False)]


def test_items_that_are_none_and_windows_that_say_nothing_are_passed_over() -> None:
    raw = '[{"type":"cmdline"},7,{"type":"cmdline","value":"a  b"}]'
    spans = [(1, 19), (20, 21), (22, len(raw) - 1), (0, 5)]
    items = tuple(ItemProbability(start=start, end=end, mean=0.0, least=0.0) for start, end in spans)
    windows = [
        WindowAnswer(0, 9, raw, False, False, False, 0, 1, 1, items=items),
        WindowAnswer(9, 12, "", False, False, False, 0, 1, 0, error="no answer"),
    ]
    assert {key: (each.probability, each.window) for key, each in surest(windows).items()} == {
        ("cmdline", "a b"): (1.0, (0, 9))
    }
