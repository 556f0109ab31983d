"""OS-BERT on whole articles against their first 2,000 characters: same labels, same steps, same base.

    python benchmarks/bench_windows.py

Trains twice, as the demo does, on the demo's articles, whose evidence lies anywhere.
"""

import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from ctiforge.data.identity import content_hash, fold
from ctiforge.demo.os_articles import make_os_corpus
from ctiforge.evaluation.comparing.classifiers import compare_classifiers
from ctiforge.evaluation.tables.classifiers import plain_text
from ctiforge.lines.os_bert import OS_BERT
from ctiforge.osbert.labeling.keywords import decide, find_evidence
from ctiforge.osbert.splits import balance, split
from ctiforge.records.article import ArticleRecord
from ctiforge.records.classification import ClassifierEvaluation
from ctiforge.records.os_article import LabeledArticle

ROOT = Path(__file__).parents[1]
FIRST = 2_000


def main() -> None:
    """Print both evaluations in one table, and the paired difference."""
    corpus = make_os_corpus(0)
    labeled = balance(list(_labeled(corpus.training)), int(OS_BERT.demo_flags["prepare_os"]["balance"]), 0)
    parts = split(labeled, 0.15, 0.1, 0)
    evaluations = []
    with tempfile.TemporaryDirectory() as scratch:
        for name, most in ((f"first {FIRST:,} characters", FIRST), ("whole articles", None)):
            folder = Path(scratch) / name.replace(" ", "-").replace(",", "")
            folder.mkdir()
            for part, articles in (("train", parts.train), ("validation", parts.validation)):
                _write(folder / f"{part}.jsonl", (_cut(article, most) for article in articles))
            _write(folder / "test.jsonl", (_cut_record(record, most) for record in corpus.test))
            evaluations.append(_train_and_evaluate(name, folder))
    # one test set, read to different depths: the articles and their labels are the same
    cut, whole = evaluations
    print(plain_text(compare_classifiers([cut.model_copy(update={"test_set": whole.test_set}), whole])))
    late = [n for n, record in enumerate(corpus.test) if record.tags["evidence"] == "late"]
    for each in evaluations:
        right = sum(each.result.predictions[n] == each.cases[n].label for n in late)
        print(f"{each.model.name}: {right} of {len(late)} articles whose evidence begins after {FIRST:,} characters")


def _labeled(records: Iterable[ArticleRecord]) -> Iterable[LabeledArticle]:
    for record in records:
        label = decide(find_evidence(record.content))
        yield LabeledArticle(
            id=record.id,
            content=record.content,
            content_hash=content_hash(fold(record.content)),
            label=label,
            labeler="keywords",
        )


def _cut(article: LabeledArticle, most: int | None) -> LabeledArticle:
    return article.model_copy(update={"content": article.content[:most]})


def _cut_record(record: ArticleRecord, most: int | None) -> ArticleRecord:
    return record.model_copy(update={"content": record.content[:most]})


def _write(path: Path, rows: Iterable[LabeledArticle | ArticleRecord]) -> None:
    path.write_text("".join(row.model_dump_json() + "\n" for row in rows), encoding="utf-8")


def _train_and_evaluate(name: str, data: Path) -> ClassifierEvaluation:
    flags = [f"--{key.replace('_', '-')}={value}" for key, value in OS_BERT.demo_flags["train_os_bert"].items()]
    model, evaluated = data / "model", data / "evaluated"
    _run("train_os_bert", f"--data={data}", "--base-model=demo", f"--output-dir={model}", f"--name={name}", *flags)
    _run("eval_os_bert", f"--model={model}", f"--test-data={data / 'test.jsonl'}", f"--output={evaluated}")
    evaluation = ClassifierEvaluation.load(evaluated)
    return evaluation.model_copy(update={"rows": evaluation.rows[-1:]})


def _run(program: str, *arguments: str) -> None:
    subprocess.run([sys.executable, str(ROOT / "jobs" / f"{program}.py"), *arguments], check=True)


if __name__ == "__main__":
    main()
