"""OS-BERT on whole articles against their first 2,000 characters: same labels, same steps, same base.

    python benchmarks/bench_windows.py

Trains twice, as the demo does, on the demo's articles; before every second one stand articles about no system, so that
its evidence begins after those characters.
"""

import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from itertools import cycle
from pathlib import Path

from ctiforge.data.identity import content_hash, fold
from ctiforge.demo.os_articles import make_os_corpus
from ctiforge.evaluation.comparing.classifiers import compare_classifiers
from ctiforge.evaluation.tables.classifiers import plain_text
from ctiforge.lines.os_bert import OS_BERT
from ctiforge.osbert.labeling.keywords import find_evidence
from ctiforge.osbert.splits import split
from ctiforge.records.article import ArticleRecord
from ctiforge.records.classification import ClassifierEvaluation
from ctiforge.records.os_article import LabeledArticle

ROOT = Path(__file__).parents[1]
FIRST = 2_000


def main() -> None:
    """Print both evaluations in one table, and the paired difference."""
    corpus = make_os_corpus(0, find_evidence)
    test, late = _every_second_late(corpus.test)
    parts = split([_labeled(record) for record in _every_second_late(corpus.training)[0]], 0.15, 0.1, 0)
    evaluations = []
    with tempfile.TemporaryDirectory() as scratch:
        for name, most in ((f"first {FIRST:,} characters", FIRST), ("whole articles", None)):
            folder = Path(scratch) / name.replace(" ", "-").replace(",", "")
            folder.mkdir()
            for part, articles in (("train", parts.train), ("validation", parts.validation)):
                _write(folder / f"{part}.jsonl", (_cut(article, most) for article in articles))
            _write(folder / "test.jsonl", (_cut_record(record, most) for record in test))
            evaluations.append(_train_and_evaluate(name, folder))
    # one test set, read to different depths: the articles and their labels are the same
    cut, whole = evaluations
    print(plain_text(compare_classifiers([cut.model_copy(update={"test_set": whole.test_set}), whole])))
    for each in evaluations:
        right = sum(each.result.predictions[n] == each.cases[n].label for n in late)
        print(f"{each.model.name}: {right} of {len(late)} articles whose evidence begins after {FIRST:,} characters")


def _every_second_late(records: Sequence[ArticleRecord]) -> tuple[list[ArticleRecord], list[int]]:
    """The articles, and the numbers of those that were put behind articles about no system."""
    before = cycle(record.content for record in records if record.os_label == "Unknown")
    made, late = list(records), []
    for number in range(0, len(made), 2):
        if made[number].os_label != "Unknown":
            parts = [next(before)]
            while sum(map(len, parts)) < FIRST:
                parts.append(next(before))
            made[number] = made[number].model_copy(update={"content": "\n\n".join([*parts, made[number].content])})
            late.append(number)
    return made, late


def _labeled(record: ArticleRecord) -> LabeledArticle:
    assert record.os_label
    return LabeledArticle(
        id=record.id,
        title=record.title,
        content=record.content,
        content_hash=content_hash(fold(record.content)),
        label=record.os_label,
        labeler="MITRE ATT&CK",
    )


def _cut(article: LabeledArticle, most: int | None) -> LabeledArticle:
    return article.model_copy(update={"content": article.content[:most]})


def _cut_record(record: ArticleRecord, most: int | None) -> ArticleRecord:
    return record.model_copy(update={"content": record.content[:most]})


def _write(path: Path, rows: Iterable[LabeledArticle | ArticleRecord]) -> None:
    path.write_text("".join(row.model_dump_json() + "\n" for row in rows), encoding="utf-8")


def _train_and_evaluate(name: str, data: Path) -> ClassifierEvaluation:
    flags = [
        f"--{key.replace('_', '-')}={value}" for key, value in OS_BERT.bases["demo"].flags["train_os_bert"].items()
    ]
    model, evaluated = data / "model", data / "evaluated"
    _run("train_os_bert", f"--data={data}", "--base-model=demo", f"--output-dir={model}", f"--name={name}", *flags)
    _run("eval_os_bert", f"--model={model}", f"--test-data={data / 'test.jsonl'}", f"--output={evaluated}")
    evaluation = ClassifierEvaluation.load(evaluated)
    return evaluation.model_copy(update={"rows": evaluation.rows[-1:]})


def _run(program: str, *arguments: str) -> None:
    subprocess.run([sys.executable, str(ROOT / "jobs" / f"{program}.py"), *arguments], check=True)


if __name__ == "__main__":
    main()
