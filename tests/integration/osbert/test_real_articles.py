"""OS labels and windows of the 30 real articles, which only some machines have."""

from pathlib import Path

from ctiforge.evaluation.scoring.classification import score_row
from ctiforge.osbert.base import resolve_encoder
from ctiforge.osbert.evaluate import read_test_articles
from ctiforge.osbert.rules import Keywords
from ctiforge.osbert.windows import WindowSize, encode_articles
from ctiforge.records.article import OS_LABELS
from ctiforge.training.encoding import load_tokenizer


def test_the_rule_is_far_above_chance_and_its_interval_is_said(real_articles: Path) -> None:
    articles = read_test_articles(real_articles, "real-articles@30")
    predictions = [each.label for each in Keywords().detect_many(articles.texts)]
    row = score_row("keywords", "floor", [case.label for case in articles.cases], predictions, OS_LABELS)
    accuracy = row.metrics["accuracy"]
    assert accuracy.low is not None
    assert accuracy.low > 0.7
    # nearly all are Windows: of the other classes there are too few for an interval
    assert [each.label for each in row.classes if each.low is not None] == ["Windows"]


def test_windows_cover_every_character_of_every_article(real_articles: Path) -> None:
    articles = read_test_articles(real_articles, "real-articles@30")
    size = WindowSize.of(512)
    encoded = encode_articles(load_tokenizer(resolve_encoder("demo")), articles.texts, size)
    for article, text in zip(encoded, articles.texts, strict=True):
        assert all(len(window) <= size.max_length for window in article.windows)
        covered = 0
        for start, end in article.spans:
            assert not text[covered:start].strip()
            covered = max(covered, end)
        assert not text[covered:].strip()
    assert max(len(article.windows) for article in encoded) > 10
