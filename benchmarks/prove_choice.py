"""What the weight of the choice between an item and an empty answer is worth, and what a threshold adds to it.

One training a weight, on the same windows with the same seed; then articles that none of them saw are answered without
and with the threshold that training set. Demo articles, or the real ones (--articles real).
"""

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from ctiforge.data.testsets import read_labelled_articles
from ctiforge.demo.articles import DemoSizes, make_corpus
from ctiforge.pod.entry import run_program
from ctiforge.records.article import ArticleRecord
from ctiforge.tables import markdown, table_of
from real_data import real_articles

_COLUMNS = (
    "weight",
    "validation loss",
    "AUC: validation",
    "bias",
    "F1 without",
    "F1 with it",
    "AUC: unseen",
    "minutes",
)
_RULES = "the rules"


@dataclass(frozen=True)
class Corpus:
    """Articles to train on, some of them for validation, and articles that no training sees."""

    training: list[ArticleRecord]
    unseen: list[ArticleRecord]


def main(
    model: Annotated[str, typer.Option(help="demo, or a model's folder.")] = "demo",
    articles: Annotated[str, typer.Option(help="demo, or real.")] = "demo",
    weights: Annotated[str, typer.Option(help="Weights to compare, with commas.")] = "0,0.25",
    train_articles: Annotated[int, typer.Option(help="Demo articles to train on.")] = 200,
    unseen_articles: Annotated[int, typer.Option(help="Demo articles that no training sees.")] = 40,
    max_length: int = 512,
    max_steps: int = 200,
    learning_rate: float = 2e-4,
    method: str = "full",
    threads: int = 1,
) -> None:
    """Train once a weight and print a row for each."""
    import torch

    torch.set_num_threads(threads)
    corpus = _real() if articles == "real" else _demo(train_articles, unseen_articles)
    rows = [(_RULES, "", "", "", f"{_f1_of_rules(corpus.unseen):.3f}", "", "", "")]
    with tempfile.TemporaryDirectory(prefix="choice-") as scratch:
        data = prepared(corpus.training, model, max_length, Path(scratch) / "data", share=0.25)
        for weight in (float(each) for each in weights.split(",")):
            options = {"max_steps": max_steps, "learning_rate": learning_rate}
            folder = Path(scratch) / f"weight-{weight}"
            rows.append(_trained(weight, data, model, max_length, method, options, corpus.unseen, folder))
            print(markdown([table_of(_COLUMNS, rows, left=(0,))]), flush=True)


def _demo(train: int, unseen: int) -> Corpus:
    corpus = make_corpus(3, DemoSizes(train, 0, unseen, 0, 0))
    return Corpus(list(corpus.training), list(corpus.test))


def _real() -> Corpus:
    labeled = [each for each in read_labelled_articles(real_articles()) if each.labelled_types and each.observables]
    ordered = sorted(labeled, key=lambda each: each.id)
    unseen = ordered[::4]
    return Corpus([each for each in ordered if each not in unseen], unseen)


def prepared(records: list[ArticleRecord], model: str, max_length: int, out: Path, share: float) -> Path:
    """Prepare articles as format_extract does, a share of them for validation; gives the folder."""
    from ctiforge.extract.dataset.format import FormatOptions, format_records

    out.mkdir(parents=True)
    source = out.parent / "records.jsonl"
    source.write_text("".join(each.model_dump_json() + "\n" for each in records), encoding="utf-8")
    options = FormatOptions("messages", "short-v1", max_length, validation_share=share)
    format_records({"records": source}, out, model, options, ("messages",))
    return out


def _trained(
    weight: float,
    data: Path,
    model: str,
    max_length: int,
    method: Any,
    options: dict[str, Any],
    unseen: list[ArticleRecord],
    folder: Path,
) -> tuple[str, ...]:
    """Train with one weight; the row of what came of it."""
    from dataclasses import replace

    from ctiforge.extract.answering.agent import ExtractAgent
    from ctiforge.extract.train import AgentTraining, train_extract_agent
    from ctiforge.store.checkpoints import Checkpoints
    from ctiforge.store.objects import open_store
    from ctiforge.training.options import AGENT, LORA

    started = time.monotonic()
    training = replace(AGENT.training, batch_size=8, gradient_accumulation_steps=1, eval_steps=40, **options)
    request = AgentTraining(
        model, f"weight-{weight}", "messages", max_length, method, LORA, training, choice_weight=weight, force=True
    )
    out, scratch = folder / "out", folder / "scratch"
    out.mkdir(parents=True)
    scratch.mkdir()
    checkpoints = Checkpoints(open_store(str(folder / "store")), "checkpoints")
    found = train_extract_agent(request, data, out, scratch, checkpoints)
    threshold = found["item_threshold"]
    agent = ExtractAgent.load(str(out / "model"))
    without, with_it = _scored(agent.with_bias(0.0), unseen), _scored(agent, unseen)
    return (
        f"{weight:g}",
        f"{found['best_validation_loss']:.4f}",
        str(threshold["quality"]["auc"]),
        str(threshold["bias"] if threshold["bias"] is not None else threshold["why_none"]),
        f"{without[0]:.3f}",
        f"{with_it[0]:.3f}",
        str(without[1]),
        f"{(time.monotonic() - started) / 60:.0f}",
    )


def _scored(agent: Any, records: list[ArticleRecord]) -> tuple[float, float | None]:
    from ctiforge.extract.evaluate import evaluate_extractor
    from ctiforge.records.evaluation import ModelInfo, TestSetInfo

    test_set = TestSetInfo(name="unseen", version="1", content_hash="", articles=len(records))
    found = evaluate_extractor(agent, records, model=ModelInfo(name="m", version="1"), test_set=test_set)
    return found.metrics["micro_f1"].value or 0.0, found.choice.auc if found.choice else None


def _f1_of_rules(records: list[ArticleRecord]) -> float:
    from ctiforge.extract.answering.regex_floor import RegexFloor
    from ctiforge.extract.evaluate import evaluate_extractor
    from ctiforge.records.evaluation import ModelInfo, TestSetInfo

    test_set = TestSetInfo(name="unseen", version="1", content_hash="", articles=len(records))
    found = evaluate_extractor(RegexFloor(), records, model=ModelInfo(name=_RULES, version="1"), test_set=test_set)
    return found.metrics["micro_f1"].value or 0.0


if __name__ == "__main__":
    run_program(main)
