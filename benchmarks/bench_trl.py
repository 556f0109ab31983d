"""Tokens a CPU-second of a LoRA training, ours beside TRL's plain SFTTrainer, on the very same rows.

Both see every row once, in steps of the same size, with the same adapter, precision and threads; what a row is padded
to, and where logits are computed, is each one's own. TRL's counts no checkpoint; ours writes its own.
"""

import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import typer

from ctiforge.data.testsets import read_labelled_articles
from ctiforge.demo.articles import DemoSizes, make_corpus
from ctiforge.pod.entry import run_program
from prove_choice import prepared
from real_data import real_articles


def main(
    model: Annotated[str, typer.Option(help="demo, or a model's folder.")] = "demo",
    articles: Annotated[str, typer.Option(help="demo, or real ($CTIFORGE_REAL_DATA).")] = "demo",
    max_length: int = 512,
    rows: Annotated[int, typer.Option(help="Rows to train on, spread over those prepared.")] = 64,
    batch_size: int = 4,
    threads: int = 1,
    runs: Annotated[int, typer.Option(help="Of each, in turn; medians are printed.")] = 3,
) -> None:
    """Train with both in turn, and print tokens a CPU-second of each and their ratio."""
    import torch

    from ctiforge.tables import print_table

    torch.set_num_threads(threads)
    chosen = _rows(model, articles, max_length, rows)
    tokens = sum(len(row.input_ids) for row in chosen)
    answers = sum(len(row.input_ids) - row.answer_start for row in chosen)
    print(f"{len(chosen)} rows of {model}, {tokens:,} tokens, {answers:,} of them answers, steps of {batch_size}")
    ways: dict[str, Callable[..., float]] = {"TRL's SFTTrainer": _trl, "ours": _ours}
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for run in range(runs):
        for name, way in ways.items():
            with tempfile.TemporaryDirectory(prefix="trl-") as scratch:
                seconds[name].append(way(model, chosen, batch_size, Path(scratch), run))
            print(f"{name}: {seconds[name][-1]:.1f} CPU-seconds", flush=True)
    made = [(name, f"{median(each):.1f}", f"{tokens / median(each):.1f}") for name, each in seconds.items()]
    print_table("one epoch, medians", ("", "CPU-s", "tokens / CPU-s"), made)
    ratios = sorted(theirs / ours for theirs, ours in zip(*seconds.values(), strict=True))
    print(f"ours over TRL's: {median(ratios):.2f}x ({ratios[0]:.2f} to {ratios[-1]:.2f})")


def _rows(model: str, articles: str, max_length: int, count: int) -> list[Any]:
    """Prepare windows as format_extract does; gives some of them, encoded."""
    from ctiforge.extract.dataset.training_rows import load_prepared
    from ctiforge.extract.prepared import read_format_report
    from ctiforge.training.encoding import load_tokenizer

    if articles == "real":
        records = [each for each in read_labelled_articles(real_articles()) if each.labelled_types]
    else:
        records = list(make_corpus(3, DemoSizes(60, 0, 0, 0, 0)).training)
    with tempfile.TemporaryDirectory(prefix="trl-") as folder:
        data = prepared(records, model, max_length, Path(folder) / "data", share=0.1)
        found = load_prepared(data, read_format_report(data), model, load_tokenizer(model), Path(folder) / "rows").train
        return [found[int(place * len(found) / count)] for place in range(min(count, len(found)))]


def _trl(model: str, rows: Sequence[Any], batch_size: int, scratch: Path, seed: int) -> float:
    """Train with TRL as its documentation does; gives the CPU-seconds of its loop."""
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer

    from ctiforge.training.encoding import load_tokenizer

    data = Dataset.from_list(
        [
            {
                "input_ids": list(row.input_ids),
                "completion_mask": [0] * row.answer_start + [1] * (len(row.input_ids) - row.answer_start),
            }
            for row in rows
        ]
    )
    arguments = SFTConfig(
        output_dir=str(scratch),
        per_device_train_batch_size=batch_size,
        num_train_epochs=1,
        max_length=None,
        save_strategy="no",
        report_to=[],
        use_cpu=True,
        bf16=False,
        gradient_checkpointing=False,
        disable_tqdm=True,
        seed=seed,
    )
    trainer = SFTTrainer(_model(model), arguments, train_dataset=data, processing_class=load_tokenizer(model))
    began = time.process_time()
    trainer.train()
    return time.process_time() - began


def _ours(model: str, rows: Sequence[Any], batch_size: int, scratch: Path, seed: int) -> float:
    """Train with our trainer, its checkpoint included; gives the CPU-seconds of its loop."""
    from ctiforge.store.checkpoints import Checkpoints
    from ctiforge.store.objects import open_store
    from ctiforge.training.batches import AnswerCollator, Rows
    from ctiforge.training.encoding import load_tokenizer, pad_token_id
    from ctiforge.training.numerics import ComputeDevice, choose_numerics
    from ctiforge.training.options import TrainingOptions
    from ctiforge.training.resumable import Kind
    from ctiforge.training.trainer import train

    options = TrainingOptions(batch_size=batch_size, gradient_accumulation_steps=1, epochs=1, seed=seed)
    numerics = choose_numerics(ComputeDevice("cpu"), "lora", options.precision, options.optimizer)
    kind = Kind("train_extract", AnswerCollator(pad_token_id(load_tokenizer(model))), numerics, "")
    checkpoints, loaded = Checkpoints(open_store(str(scratch / "store")), "checkpoints"), _model(model)
    began = time.process_time()
    train(loaded, Rows(list(rows)), Rows([]), kind, options, checkpoints, scratch)
    return time.process_time() - began


def _model(name: str) -> Any:
    """Load a model with a fresh adapter, in fp32."""
    import torch

    from ctiforge.training.models import load_to_train
    from ctiforge.training.numerics import ComputeDevice, choose_numerics
    from ctiforge.training.options import LORA

    torch.manual_seed(0)
    return load_to_train(name, torch.device("cpu"), choose_numerics(ComputeDevice("cpu"), "lora", "auto", "auto"), LORA)


if __name__ == "__main__":
    run_program(main)
