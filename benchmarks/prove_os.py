"""The rule, the models and their cascades on software that no model was trained on, and on the 30 real articles.

    make train-os-bert && make prove-os

What is compared is paired, article by article. An interval is 95 %: jackknife over software, whose articles stand or
fall together, and Student's t; on the real articles over articles. A class of fewer than ten articles leaves macro-F1
without one.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from ctiforge.demo.attack import read_profiles
from ctiforge.demo.os_articles import OsSizes, make_os_corpus
from ctiforge.evaluation.scoring.classification import ClassCounts, ClassFormula, accuracy, macro_f1
from ctiforge.evaluation.statistics import MIN_POSITIVE_ARTICLES, jackknife
from ctiforge.osbert.cascade import Cascade
from ctiforge.osbert.detection import Detector
from ctiforge.osbert.detectors import FineTuned
from ctiforge.osbert.evaluate import read_test_articles
from ctiforge.osbert.labeling.keywords import decide, find_evidence
from ctiforge.osbert.rules import Keywords
from ctiforge.osbert.words import Words, vectorizer
from ctiforge.pod.entry import run_program
from ctiforge.records.article import OS_LABELS
from real_data import VARIABLE, real_articles

MOST = 100
"""Held-out articles of a class, where there is software enough."""
FOLDS = 5
LEAST_SENTENCES = 4
FORMULAS: dict[str, ClassFormula] = {"accuracy": accuracy, "macro-F1": macro_f1}


@dataclass(frozen=True)
class TestSet:
    """Articles, their true labels, and which of them stand or fall together."""

    name: str
    texts: Sequence[str]
    truths: Sequence[str]
    groups: Sequence[str]


def main(
    store: Annotated[str, typer.Option(help="Where the models of the last training lie.")] = ".ctiforge/store",
) -> None:
    """Print a table of figures and one of paired differences for each set of articles."""
    tuned = FineTuned(_last(store, "train_os_bert/*/*/model.safetensors"))
    words = Words(_last(store, "baselines_os/*/*/tf-idf/words.safetensors"))
    detectors: list[Detector] = [Keywords(), words, tuned, Cascade(words), Cascade(tuned)]
    print(f"thresholds: {words.name} {words.threshold:.3f}, {tuned.name} {tuned.threshold:.3f}")
    for articles in _test_sets():
        _report(articles, {each.name: [d.label for d in each.detect_many(articles.texts)] for each in detectors})
    _whole_profiles()


def _test_sets() -> list[TestSet]:
    held_out = make_os_corpus(0, find_evidence, OsSizes(test=MOST)).test
    sets = [
        TestSet(
            "held-out software of ATT&CK",
            [record.content for record in held_out],
            [str(record.os_label) for record in held_out],
            [record.title for record in held_out],
        )
    ]
    if os.environ.get(VARIABLE):
        real = read_test_articles(real_articles(), "real-articles@30")
        ids = [case.id for case in real.cases]
        sets.append(TestSet("real articles", real.texts, [case.label for case in real.cases], ids))
    return sets


def _whole_profiles() -> None:
    """As a whole each, in the shares that ATT&CK has them in; the words of four folds answer for the fifth."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold
    from sklearn.pipeline import Pipeline

    profiles = [each for each in read_profiles() if each.label and len(each.sentences) >= LEAST_SENTENCES]
    texts, truths = [" ".join(each.sentences) for each in profiles], [str(each.label) for each in profiles]
    words = ["" for _ in texts]
    for train, test in StratifiedKFold(FOLDS, shuffle=True, random_state=0).split(texts, truths):
        model = LogisticRegression(C=10, class_weight="balanced", max_iter=2_000)
        fitted = Pipeline([("words", vectorizer()), ("model", model)])
        fitted.fit([texts[n] for n in train], [truths[n] for n in train])
        for number, label in zip(test, fitted.predict([texts[n] for n in test]), strict=True):
            words[number] = str(label)
    rule = [decide(find_evidence(text)) for text in texts]
    cascade = [other if one == "Unknown" else one for one, other in zip(rule, words, strict=True)]
    articles = TestSet(f"whole profiles, {FOLDS} folds", texts, truths, [each.id for each in profiles])
    _report(articles, {"keywords": rule, "tf-idf": words, "keywords then tf-idf": cascade})


def _report(articles: TestSet, predictions: dict[str, list[str]]) -> None:
    groups = sorted(set(articles.groups))
    print(f"\n### {articles.name}: {len(articles.texts)} articles, {len(groups)} groups\n")
    print(f"| | {' | '.join(FORMULAS)} |\n|---|{'--:|' * len(FORMULAS)}")
    counts = {name: ClassCounts(articles.truths, each, OS_LABELS) for name, each in predictions.items()}
    for name, each in counts.items():
        print(f"| {name} | {' | '.join(f'{formula(each.once())[0]:.3f}' for formula in FORMULAS.values())} |")
    without = np.array([[float(group != left_out) for group in articles.groups] for left_out in groups])
    print(f"\n| paired difference | {' | '.join(FORMULAS)} |\n|---|{'---|' * len(FORMULAS)}")
    for one, other in _pairs(list(counts)):
        cells = [_difference(formula, counts[one], counts[other], without) for formula in FORMULAS.values()]
        print(f"| {one} − {other} | {' | '.join(cells)} |")


def _pairs(names: list[str]) -> list[tuple[str, str]]:
    """Each cascade against the rule, and the models and the cascades among each other."""
    cascades = [name for name in names if " then " in name]
    models = [name for name in names if name not in cascades][1:]
    swapped = [(new, old) for old, new in [*pairwise(models), *pairwise(cascades)]]
    return [(each, names[0]) for each in cascades] + swapped


def _difference(formula: ClassFormula, one: ClassCounts, other: ClassCounts, without: np.ndarray) -> str:
    def of(compute: Callable[[ClassCounts], np.ndarray]) -> np.ndarray:
        return compute(one) - compute(other)

    whole = of(lambda counts: formula(counts.once()))
    fewest = min(count for count in one.expected.sum(axis=0) if count)
    if formula is macro_f1 and fewest < MIN_POSITIVE_ARTICLES:
        return f"{whole[0]:+.3f}"
    left_out = of(lambda counts: formula(counts.sums(without)))
    # what is left out at once counts by its articles
    found = jackknife(whole[0], left_out, (1 - without).sum(axis=1)).interval()
    return f"{whole[0]:+.3f}" + (f" ({found.low:+.3f} … {found.high:+.3f})" if found else "")


def _last(store: str, pattern: str) -> Path:
    found = sorted(Path(store).glob(f"artifacts/{pattern}"), key=lambda path: path.stat().st_mtime)
    if not found:
        raise typer.BadParameter(f"{store} holds no trained OS-BERT: run make train-os-bert")
    return found[-1].parent


if __name__ == "__main__":
    run_program(main)
