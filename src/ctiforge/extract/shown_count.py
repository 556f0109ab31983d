"""How many examples a base model is shown: chosen on validation passages, never on the test set."""

from collections.abc import Sequence

from ctiforge.evaluation.scoring.articles import ArticleCase, score_article
from ctiforge.extract.answering.examples_shown import COUNTS, ShownExamples, SolvedPassage, SolvedPassages
from ctiforge.extract.answering.extraction import Extraction, Source
from ctiforge.extract.answering.windowed import WindowedExtractor
from ctiforge.extract.prompts.answers import parse_answer

ASKED = 40
"""Validation passages that each number is tried on, at most."""


def show_examples(
    extractor: WindowedExtractor, training: Sequence[SolvedPassage], validation: Sequence[SolvedPassage], wanted: str
) -> dict[int, float]:
    """Let an extractor show examples in its prompts; where nobody says how many, validation does.

    Args:
        extractor: The extractor, which is changed.
        training: What examples are taken from.
        validation: What their number is chosen on.
        wanted: A number, or `auto`.

    Returns:
        Number → micro-F1 on validation, of those that were tried; empty where the number was given.
    """
    passages = SolvedPassages(training)
    if wanted != "auto":
        extractor.shown = ShownExamples(passages, int(wanted))
        return {}
    asked = _spread(validation, ASKED)
    tried = {}
    for count in COUNTS:
        extractor.shown = ShownExamples(passages, count)
        tried[count] = _micro_f1(extractor, asked)
    best = max(tried, key=lambda count: (tried[count], -count))
    extractor.shown = ShownExamples(passages, best)
    return tried


def _micro_f1(extractor: WindowedExtractor, asked: Sequence[SolvedPassage]) -> float:
    found = both = 0
    sources = [Source(each.text, each.types) for each in asked]
    for passage, extraction in zip(asked, extractor.extract_many(sources), strict=True):
        counts = score_article(_case(passage, extraction)).counts.values()
        found += sum(2 * each.found for each in counts)
        both += sum(each.expected + each.predicted for each in counts)
    return found / both if both else 0.0


def _case(passage: SolvedPassage, extraction: Extraction) -> ArticleCase:
    expected = parse_answer(passage.answer, passage.types).observables
    return ArticleCase("", passage.text, expected, extraction.observables, passage.types)


def _spread(passages: Sequence[SolvedPassage], most: int) -> list[SolvedPassage]:
    """Take some from all over the list."""
    step = max(1, -(-len(passages) // most))
    return list(passages[::step])
