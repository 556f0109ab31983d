"""What preparation is worth: CPU-seconds to the same held-out loss, on the 30 real articles.

Three recipes train the same model, with the same optimizer, learning rate, effective batch and one
thread; all that differs is what a row is:

- ours: windows, padded to the longest of a length bucket, loss on the answer alone;
- (b): the very same windows, each padded to --max-length, loss on every token;
- (a), the earlier recipe: whole articles as one text, right-truncated at and padded to --max-length,
  loss on every token.

The held-out loss is per answer token, over windows of articles that none of them trained on. The
loss to reach is the lowest that (b) gets to in its epochs. Evaluations do not count as CPU time.
"""

import hashlib
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import median
from typing import Annotated, Any

import typer

from ctiforge.pod.entry import run_program
from real_data import real_articles

Collate = Callable[[Sequence[Any]], dict[str, Any]]


@dataclass(frozen=True)
class Point:
    """One evaluation: CPU-seconds of training so far, and the held-out loss."""

    cpu_seconds: float
    loss: float


@dataclass(frozen=True)
class Arm:
    """One recipe's rows and how a batch of them is padded."""

    name: str
    rows: Sequence[Any]
    collate: Collate
    value_tokens: int
    answers: str


def main(
    model: Annotated[str, typer.Option(help="Folder, hub name, or demo.")] = "demo",
    max_length: int = 2048,
    epochs: Annotated[int, typer.Option(help="Epochs of (b); the others stop at its CPU time.")] = 3,
    batch_size: int = 8,
    learning_rate: float = 5e-4,
    runs: Annotated[int, typer.Option(help="Repetitions, each with its own seed; medians are printed.")] = 3,
) -> None:
    """Train the three recipes in turn and print the table."""
    import torch

    from ctiforge.tables import print_table

    real_articles()  # said at once where they are not
    torch.set_num_threads(1)
    ours, padded, earlier, held_out, facts = build_arms(model, max_length)
    facts += [
        ("effective batch, learning rate", f"{batch_size}, {learning_rate}"),
        ("threads", "1"),
        ("runs", str(runs)),
    ]
    print_table("pinned", ("", ""), facts)
    curves: dict[str, list[list[Point]]] = {arm.name: [] for arm in (ours, padded, earlier)}
    train = partial(train_arm, model, held_out=held_out, batch_size=batch_size, learning_rate=learning_rate)
    for seed in range(runs):
        curve = train(padded, seed=seed, epochs=epochs, cpu_limit=None)
        curves[padded.name].append(curve)
        for arm in (ours, earlier):
            curves[arm.name].append(train(arm, seed=seed, epochs=None, cpu_limit=curve[-1].cpu_seconds))
        print(f"run {seed + 1} of {runs} done", flush=True)
    print_results((ours, padded, earlier), curves, batch_size)


def build_arms(model: str, max_length: int) -> tuple[Arm, Arm, Arm, list[Any], list[tuple[str, str]]]:
    """The three recipes' rows from the same articles, the held-out rows, and the pinned facts."""
    from ctiforge.extract.dataset.examples import article_examples
    from ctiforge.extract.dataset.format import FormatOptions, example_tools, thin_out_empty, window_sizes
    from ctiforge.extract.prompts import load_prompt
    from ctiforge.extract.prompts.rendering import render_answer
    from ctiforge.training.encoding import encode_example, load_tokenizer, tokenizer_hash

    tokenizer = load_tokenizer(model)
    options = FormatOptions("messages", "short-v1", max_length)
    prompt = load_prompt(options.prompt_version)
    render, count = example_tools(options, tokenizer)
    train, test = _articles(tokenizer)
    types = sorted({name for article in [*train, *test] for name in article.record.labelled_types})
    sizes = window_sizes(options, types, train, render, count)
    windows, held_out = (
        thin_out_empty([e for a in part for e in article_examples(a, sizes, render, count, 2).examples], 0.3, 0)
        for part in (train, test)
    )
    whole = [
        encode_example(
            tokenizer,
            render(a.record.labelled_types, a.record.content, True),
            render_answer([target.observable for target in a.targets]),
        )
        for a in train
    ]
    wanted = _items(train)
    kept = {(e.article_id, item.type, item.value) for e in windows for item in e.observables}
    intact = _items([a for a, row in zip(train, whole, strict=True) if len(row.input_ids) <= max_length])
    facts = [
        ("articles with answers, training / held out", f"{len(train)} / {len(test)}"),
        ("windows, training / held out", f"{len(windows)} / {len(held_out)}"),
        ("window and overlap, tokens", f"{sizes.window_tokens}, {sizes.overlap_tokens}"),
        ("--max-length", str(max_length)),
        ("prompt", f"{prompt.version} {hashlib.sha256(prompt.user_template.encode()).hexdigest()[:12]}"),
        ("tokenizer", tokenizer_hash(tokenizer)[:12]),
        ("set of windows", hashlib.sha256("".join(e.prompt for e in windows).encode()).hexdigest()[:12]),
        ("model", model),
    ]
    encoded = [encode_example(tokenizer, e.prompt, e.answer) for e in windows]
    answer, everything = _collators(tokenizer, max_length)
    survive, tokens = f"{len(kept & wanted)} of {len(wanted)}", _value_tokens(tokenizer, kept)
    return (
        Arm("ours", encoded, answer, tokens, survive),
        Arm("(b) same windows, padded, loss on all", encoded, everything, tokens, survive),
        Arm(
            "(a) right-truncated articles",
            whole,
            everything,
            _value_tokens(tokenizer, intact),
            f"{len(intact)} of {len(wanted)}",
        ),
        [encode_example(tokenizer, e.prompt, e.answer) for e in held_out],
        facts,
    )


def train_arm(
    model_name: str,
    arm: Arm,
    *,
    held_out: Sequence[Any],
    batch_size: int,
    learning_rate: float,
    seed: int,
    epochs: int | None,
    cpu_limit: float | None,
) -> list[Point]:
    """Train until the epochs are over or the CPU time is spent; the held-out loss eight times an epoch of `arm`."""
    import torch

    from ctiforge.training.models import load_causal_lm

    torch.manual_seed(seed)
    model = load_causal_lm(model_name, torch.device("cpu"), torch.float32).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=learning_rate, betas=(0.9, 0.95), weight_decay=0.0)
    points = [Point(0.0, held_out_loss(model, held_out))]
    steps_per_epoch = -(-len(arm.rows) // batch_size)
    every = max(1, steps_per_epoch // 8)
    spent = 0.0
    for step, rows in enumerate(_batches(arm, batch_size, seed)):
        if epochs is not None and step >= epochs * steps_per_epoch:
            break
        if cpu_limit is not None and spent >= cpu_limit:
            break
        began = time.process_time()
        model(**arm.collate(rows)).loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        spent += time.process_time() - began
        if (step + 1) % every == 0:
            points.append(Point(spent, held_out_loss(model, held_out)))
    return points


def held_out_loss(model: Any, rows: Sequence[Any]) -> float:
    """Mean loss per answer token, in nats."""
    import torch

    from ctiforge.training.batches import AnswerCollator

    total = tokens = 0.0
    model.eval()
    with torch.inference_mode():
        for start in range(0, len(rows), 8):
            batch = AnswerCollator(0)(rows[start : start + 8])
            count = float((batch["shift_labels"] >= 0).sum())
            total += float(model(**batch).loss) * count
            tokens += count
    model.train()
    return total / tokens


def print_results(arms: Sequence[Arm], curves: dict[str, list[list[Point]]], batch_size: int) -> None:
    """The table; every figure is the median of the runs."""
    from ctiforge.tables import print_table

    ours, padded, _ = arms
    targets = [min(point.loss for point in curve) for curve in curves[padded.name]]
    reached = {
        arm.name: [_cpu_to(curve, loss) for curve, loss in zip(curves[arm.name], targets, strict=True)] for arm in arms
    }
    rows = []
    for arm in arms:
        times = [seconds for seconds in reached[arm.name] if seconds is not None]
        steps = -(-len(arm.rows) // batch_size)
        rate = median(arm.value_tokens / _cpu_of_epoch(curve, steps) for curve in curves[arm.name])
        rows.append(
            (
                arm.name,
                arm.answers,
                f"{median(min(p.loss for p in curve) for curve in curves[arm.name]):.3f}",
                f"{median(times):.0f} s"
                if len(times) == len(targets)
                else f"not in {curves[arm.name][0][-1].cpu_seconds:.0f} s",
                f"{rate:.1f}",
            )
        )
    to_loss = f"CPU to loss {median(targets):.3f}"
    columns = (
        "recipe",
        "answers that survive",
        "lowest held-out loss",
        to_loss,
        "answer tokens / CPU-s",
    )
    print_table("medians", columns, rows)
    pairs = [(b, o) for b, o in zip(reached[padded.name], reached[ours.name], strict=True) if b and o]
    if pairs:
        ratios = sorted(b / o for b, o in pairs)
        print(f"(b) / ours, CPU-seconds to the same loss: {median(ratios):.1f}x ({ratios[0]:.1f} to {ratios[-1]:.1f})")


def _batches(arm: Arm, batch_size: int, seed: int) -> Iterator[list[Any]]:
    """Batches without end: length buckets for ours, plain shuffling for the others."""
    from ctiforge.training.batches import LengthBucketSampler

    order = random.Random(seed)
    sampler = LengthBucketSampler([len(row.input_ids) for row in arm.rows], batch_size, seed)
    epoch = 0
    while True:
        sampler.set_epoch(epoch)
        indices = list(sampler) if arm.name == "ours" else order.sample(range(len(arm.rows)), len(arm.rows))
        for start in range(0, len(indices), batch_size):
            yield [arm.rows[i] for i in indices[start : start + batch_size]]
        epoch += 1


def _articles(tokenizer: Any) -> tuple[list[Any], list[Any]]:
    """The real articles with answers, located: for training, and every fourth held out."""
    from ctiforge.data.testsets import read_labelled_articles
    from ctiforge.extract.dataset.examples import locate_article
    from ctiforge.training.encoding import count_tokens

    records = sorted(read_labelled_articles(real_articles()), key=lambda record: record.id)
    articles = [locate_article(r, partial(count_tokens, tokenizer)) for r in records if r.observables]
    return [a for i, a in enumerate(articles) if i % 4], articles[::4]


def _items(articles: Sequence[Any]) -> set[tuple[str, str, str]]:
    return {(a.record.id, t.observable.type, t.observable.value) for a in articles for t in a.targets}


def _collators(tokenizer: Any, max_length: int) -> tuple[Collate, Collate]:
    """Ours, and the one that pads to `max_length` with loss on every token."""
    import torch

    from ctiforge.training.batches import AnswerCollator
    from ctiforge.training.encoding import IGNORE, pad_token_id

    pad = pad_token_id(tokenizer)

    def all_tokens(rows: Sequence[Any]) -> dict[str, Any]:
        ids = torch.full((len(rows), max_length), pad)
        mask = torch.zeros((len(rows), max_length), dtype=torch.long)
        for index, row in enumerate(rows):
            kept = row.input_ids[:max_length]
            ids[index, : len(kept)] = torch.tensor(kept)
            mask[index, : len(kept)] = 1
        return {"input_ids": ids, "attention_mask": mask, "labels": ids.masked_fill(mask == 0, IGNORE)}

    return AnswerCollator(pad), all_tokens


def _value_tokens(tokenizer: Any, items: set[tuple[str, str, str]]) -> int:
    from ctiforge.training.encoding import count_tokens

    return sum(count_tokens(tokenizer, [value for _, _, value in sorted(items)]))


def _cpu_to(curve: Sequence[Point], loss: float) -> float | None:
    return next((point.cpu_seconds for point in curve if point.loss <= loss), None)


def _cpu_of_epoch(curve: Sequence[Point], steps_per_epoch: int) -> float:
    every = max(1, steps_per_epoch // 8)
    last = curve[-1]
    return last.cpu_seconds / ((len(curve) - 1) * every) * steps_per_epoch


if __name__ == "__main__":
    run_program(main)
