"""Comparisons of either line: which one the evaluations ask for, how it is written, how it is shown."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ctiforge.errors import UsageError
from ctiforge.evaluation.comparing.classifiers import compare_classifiers
from ctiforge.evaluation.comparing.comparison import compare
from ctiforge.evaluation.tables import classifiers as classifier_tables
from ctiforge.evaluation.tables import comparison as comparison_tables
from ctiforge.records.base import kind_of
from ctiforge.records.classification import ClassifierEvaluation
from ctiforge.records.comparison import ClassifierComparison, Comparison
from ctiforge.records.evaluation import Evaluation
from ctiforge.tables import wide_console


def write_comparison(texts: Mapping[str, str], out: Path) -> dict[str, Any]:
    """Compare evaluations of one line; write the comparison as data, as Markdown and as a terminal shows it.

    Args:
        texts: What is in each `evaluation.json`, by what names it in errors, the newest last.
        out: The folder for `comparison.json`, `comparison.md` and `comparison.txt`.

    Returns:
        The verdicts, by model and figure.

    Raises:
        UsageError: They are of different lines or test sets, or too few.
        DataError: One is no evaluation.
    """
    if len({kind_of(text) for text in texts.values()}) > 1:
        raise UsageError("these evaluations are of different lines: compare those of one")
    if kind_of(next(iter(texts.values()))) == "classification":
        classified = compare_classifiers([ClassifierEvaluation.parse(text, uri) for uri, text in texts.items()])
        _write(out, classified, classifier_tables.markdown(classified), classifier_tables.plain_text(classified))
        return {
            each.row.name: {name: difference.verdict for name, difference in each.differences.items()}
            for each in classified.rows
        }
    comparison = compare([Evaluation.parse(text, uri) for uri, text in texts.items()])
    _write(out, comparison, comparison_tables.markdown(comparison), comparison_tables.plain_text(comparison))
    return {
        contender.model.name: {change.label: change.verdict for change in contender.changes}
        for contender in comparison.contenders
    }


def print_comparison(comparison: Comparison | ClassifierComparison) -> None:
    """Print the tables of a comparison; where there is no terminal, as wide as they need.

    Args:
        comparison: The comparison, of either line.
    """
    if isinstance(comparison, ClassifierComparison):
        classifier_tables.print_classifier_comparison(comparison, wide_console(180))
    else:
        comparison_tables.print_comparison(comparison, wide_console())


def _write(out: Path, comparison: Comparison | ClassifierComparison, markdown: str, text: str) -> None:
    comparison.write(out)
    (out / "comparison.md").write_text(markdown, encoding="utf-8")
    (out / "comparison.txt").write_text(text, encoding="utf-8")
