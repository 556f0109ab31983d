"""SmolLM2 trained on real articles that people labeled, beside the rules and the base, on articles it did not see.

Two folds by article: each half is read by the model that was trained on the other half. Everything is kept in --folder,
so that what was interrupted goes on from its last checkpoint, and from the last article that was read.
"""

import hashlib
import pickle
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from ctiforge.data.testsets import read_labelled_articles
from ctiforge.demo.articles import DemoSizes, make_corpus
from ctiforge.pod.entry import run_program
from ctiforge.records.article import ArticleRecord
from ctiforge.records.evaluation import Evaluation, ModelInfo, TestSetInfo
from ctiforge.training.options import LEARNING_RATES
from prove_choice import prepared
from real_data import real_articles

FOLDS = 2


def main(
    folder: Annotated[Path, typer.Option(help="Keeps model, trainings and answers.")] = Path(".ctiforge/train-real"),
    model: Annotated[str, typer.Option(help="smollm2 (fetched once), demo, or a model's folder.")] = "smollm2",
    method: Annotated[str, typer.Option(help="qlora, lora or full.")] = "lora",
    max_length: Annotated[int, typer.Option(help="Tokens of an example.")] = 512,
    epochs: float = 3.0,
    max_steps: Annotated[int | None, typer.Option(help="Of each fold; default: as many as the epochs have.")] = None,
    accumulation: Annotated[int, typer.Option(min=1, help="Micro-batches of 4 windows in a step.")] = 4,
    learning_rate: Annotated[float | None, typer.Option(help="Default: the method's.")] = None,
    choice_weight: Annotated[float, typer.Option(help="What the choice of an item or nothing weighs.")] = 0.25,
    demo_articles: Annotated[int, typer.Option(help="Articles of the demo to learn from besides.")] = 0,
    shortest: Annotated[int | None, typer.Option(help="Only so many of the articles, to try the command.")] = None,
    fold: Annotated[int | None, typer.Option(min=0, max=FOLDS - 1, help="This one alone.")] = None,
    floor_only: Annotated[bool, typer.Option("--floor-only", help="Read with new model and rules alone.")] = False,
) -> None:
    """Train two folds, read every article with the one that did not see it, and print one row for each way."""
    folder.mkdir(parents=True, exist_ok=True)
    name = _fetched(model, folder)
    labeled = (each for each in read_labelled_articles(real_articles()) if each.labelled_types)
    articles = sorted(sorted(labeled, key=lambda each: len(each.content))[:shortest], key=lambda each: str(each.id))
    more = list(make_corpus(3, DemoSizes(demo_articles, 0, 0, 0, 0)).training) if demo_articles else []
    options = {
        "epochs": epochs,
        "max_steps": max_steps,
        "gradient_accumulation_steps": accumulation,
        "learning_rate": learning_rate or LEARNING_RATES[method],
    }
    setting = (name, method, max_length, options, choice_weight, demo_articles, shortest)
    work = folder / hashlib.sha256(repr(setting).encode()).hexdigest()[:12]
    trained = {}
    for each in range(FOLDS) if fold is None else (fold,):
        learnt = [article for number, article in enumerate(articles) if number % FOLDS != each]
        data = _prepared([*learnt, *more], name, max_length, work / f"data-{each}")
        trained[each] = _trained(data, name, method, max_length, choice_weight, options, work / f"fold-{each}")
    _print(articles, name, trained, work, floor_only=floor_only)


@dataclass
class OfFolds:
    """Reads each article with the extractor of its fold; keeps what was read."""

    name: str
    extractors: Mapping[int, Any]
    fold_of: dict[str, int]
    """The text of an article → its fold."""
    folder: Path

    def extract(self, text: str, types: Sequence[str] | None = None, *, source_url: str | None = None) -> Any:
        """Read one text, or find what was read of it before."""
        file = self.folder / f"{hashlib.sha256(repr((text, types)).encode()).hexdigest()[:24]}.pickle"
        if not file.exists():
            found = self._of(text).extract(text, types, source_url=source_url)
            self.folder.mkdir(parents=True, exist_ok=True)
            part = file.with_suffix(".part")
            part.write_bytes(pickle.dumps(found))
            part.replace(file)
        # written by an earlier run of this very program
        return pickle.loads(file.read_bytes())

    def extract_many(self, sources: Sequence[Any], tell: Any = None) -> Iterator[Any]:
        """Read one after the other."""
        for source in sources:
            found = self.extract(source.text, source.types, source_url=source.source_url)
            for _ in found.windows if tell else ():
                tell()
            yield found

    def plan(self, source: Any) -> Any:
        """Say in which windows a text is read."""
        return self._of(source.text).plan(source)

    def _of(self, text: str) -> Any:
        return self.extractors[self.fold_of[text]]


def _print(
    articles: Sequence[ArticleRecord],
    model: str,
    trained: Mapping[int, dict[str, Any]],
    work: Path,
    *,
    floor_only: bool,
) -> None:
    from rich.console import Console

    from ctiforge.extract.answering.agent import ExtractAgent
    from ctiforge.extract.answering.regex_floor import RegexFloor
    from ctiforge.extract.evaluate import load_extractor
    from ctiforge.reporting.contest import Contest, Side, side_of
    from ctiforge.reporting.worth_section import sentences, worth_table
    from ctiforge.tables import print_tables

    fold_of = {each.content: number % FOLDS for number, each in enumerate(articles)}
    held_out = [each for each in articles if fold_of[each.content] in trained]

    def read(role: str, extractors: Mapping[int, Any]) -> Side:
        print(f"… {role}", flush=True)
        kept = work / f"answers-{role.replace(' ', '-')}"
        return Side(role, _evaluated(OfFolds(role, extractors, fold_of, kept), held_out), {})

    agents = {fold: ExtractAgent.load(str(work / f"fold-{fold}" / "out" / "model")) for fold in trained}
    new = read("new model", agents)
    others = [read("regex floor", dict.fromkeys(trained, RegexFloor()))]
    if not floor_only:
        data = work / f"data-{min(trained)}"
        base = load_extractor(model, Path(model) if Path(model).is_dir() else None, prepared=data, batch_size=8)
        others.append(read("base model", dict.fromkeys(trained, base)))
    # where none was worth setting, the answers would be the new model's own
    if not floor_only and any((each["item_threshold"] or {}).get("bias") is not None for each in trained.values()):
        others.append(read("without its threshold", {fold: each.with_bias(0.0) for fold, each in agents.items()}))
    rivals = tuple(side_of(each.role, each.evaluation, new.evaluation) for each in others)
    contest = Contest(new, rivals, None, rivals[0])
    print_tables([worth_table(contest)], Console(width=150))
    for said in sentences(contest):
        print(said)
    for fold, each in trained.items():
        print(_of_fold(fold, each))


def _evaluated(extractor: OfFolds, articles: Sequence[ArticleRecord]) -> Evaluation:
    from ctiforge.extract.evaluate import evaluate_extractor

    test_set = TestSetInfo(name="real articles", version="1", content_hash="", articles=len(articles))
    info = ModelInfo(name=extractor.name, version="1")
    return evaluate_extractor(extractor, articles, model=info, test_set=test_set)


def _of_fold(fold: int, trained: dict[str, Any]) -> str:
    threshold = trained["item_threshold"] or {}
    quality = threshold.get("quality") or {}
    bias = threshold.get("why_none") if threshold.get("bias") is None else f"bias {threshold['bias']:+.2f}"
    return (
        f"fold {fold}: {trained['examples']} examples, {trained['steps_done']} steps, best validation loss "
        f"{trained['best_validation_loss']:.3f} at step {trained['best_step']}, AUC of an item or nothing "
        f"{quality.get('auc')} on validation, {bias}"
    )


def _prepared(records: list[ArticleRecord], model: str, max_length: int, out: Path) -> Path:
    if out.exists():
        return out
    part = out.with_name(f"{out.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    return prepared(records, model, max_length, part, share=0.2).rename(out)


def _trained(
    data: Path, model: str, method: Any, max_length: int, weight: float, options: dict[str, Any], folder: Path
) -> dict[str, Any]:
    """Train one fold, or go on with it, or read what came of it."""
    from ctiforge.extract.train import AgentTraining, train_extract_agent
    from ctiforge.records.training import Training
    from ctiforge.store.checkpoints import Checkpoints
    from ctiforge.store.objects import open_store
    from ctiforge.training.options import AGENT, LORA

    out, scratch = folder / "out", folder / "scratch"
    if (folder / "done").exists():
        return Training.load(out).model_dump(mode="json")
    for each in (out, scratch):
        each.mkdir(parents=True, exist_ok=True)
    training = replace(AGENT.training, save_steps=5, eval_steps=10, **options)
    request = AgentTraining(
        model, folder.name, "messages", max_length, method, LORA, training, choice_weight=weight, force=True
    )
    checkpoints = Checkpoints(open_store(str(folder / "store")), "checkpoints")
    found = train_extract_agent(request, data, out, scratch, checkpoints)
    (folder / "done").touch()
    return found


def _fetched(model: str, folder: Path) -> str:
    if model != "smollm2":
        return model
    from ctiforge.training.smollm2 import FACTS, fetch_smollm2

    found = folder / FACTS.name
    return str(found if found.exists() else fetch_smollm2(folder))


if __name__ == "__main__":
    run_program(main)
