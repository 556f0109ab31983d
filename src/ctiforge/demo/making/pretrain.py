"""Pre-trains the demo's base model on random rows, until it can find and copy what is announced.

`python -m ctiforge.demo.making.pretrain --seconds 9000 --output FOLDER`. It first learns to repeat, then
to extract from ever longer rows; the last third of the time lowers the learning rate. `--start FOLDER`
goes on from an earlier result.
"""

import time
from collections import deque
from pathlib import Path
from statistics import mean
from typing import Annotated, Any

import numpy as np
import torch
import typer

from ctiforge.demo.making.rows import PretrainingRow, RowMaker
from ctiforge.demo.making.tokenizer import VOCABULARY, make_tokenizer
from ctiforge.pod.entry import run_program

ROW_LENGTHS = (96, 160, 224, 304)
TOKENS_PER_STEP = 4096
DECAY_FROM = 0.7
_LONGEST_VALUE = 40
# A level is learnt when this share of its repeated tokens, or of its type names, is right over the last steps.
_REPEATS_LEARNT, _TYPES_LEARNT, _LAST_STEPS, _LEAST_STEPS = 0.85, 0.85, 40, 60


def main(
    output: Annotated[Path, typer.Option(help="Where the model is saved, every 250 steps and at the end.")],
    seconds: Annotated[float, typer.Option(help="How long to train; the shipped model had four hours.")] = 9000.0,
    start: Annotated[Path | None, typer.Option(help="Go on from this model.")] = None,
    learning_rate: Annotated[float, typer.Option(help="The highest.")] = 3e-3,
    threads: Annotated[int, typer.Option(help="Processor threads.")] = 1,
    seed: int = 0,
) -> None:
    """Make the demo's base model: tokenizer and weights."""
    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    tokenizer = make_tokenizer()
    model = _load(start) if start else make_model(tokenizer)
    print(f"{sum(p.numel() for p in model.parameters()):,} parameters", flush=True)
    level = len(ROW_LENGTHS) if start else 0
    pretrain(model, RowMaker(tokenizer, seed), seconds, output, level=level, learning_rate=learning_rate)
    save(model, tokenizer, output)


def make_model(tokenizer: Any) -> Any:
    """Make a Liquid LFM2 of 0.95 million parameters: short convolutions and attention in turn."""
    from transformers import Lfm2Config, Lfm2ForCausalLM

    config = Lfm2Config(
        vocab_size=VOCABULARY,
        hidden_size=128,
        intermediate_size=320,
        block_auto_adjust_ff_dim=False,
        num_hidden_layers=4,
        layer_types=["conv", "full_attention", "conv", "full_attention"],
        num_attention_heads=4,
        num_key_value_heads=4,
        conv_L_cache=4,
        max_position_embeddings=4096,
        rope_parameters={"rope_type": "default", "rope_theta": 10_000.0},
        tie_word_embeddings=True,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    return Lfm2ForCausalLM(config)


def pretrain(model: Any, rows: RowMaker, seconds: float, output: Path, *, level: int, learning_rate: float) -> None:
    """Train in place for `seconds`; level 0 repeats, level n extracts from rows of up to the n-th length."""
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=learning_rate, betas=(0.9, 0.95), weight_decay=0.01, fused=True
    )
    body = torch.compile(model.model, dynamic=False)
    progress: deque[float] = deque(maxlen=_LAST_STEPS)
    started, shown, step, level_began = time.monotonic(), 0.0, 0, 0
    while (elapsed := time.monotonic() - started) < seconds:
        ids, targets, weights = batch(rows, level)
        for group in optimizer.param_groups:
            group["lr"] = learning_rate * learning_rate_factor(step, elapsed / seconds)
        loss, right = _step(model, body, ids, targets, weights)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        step += 1
        progress.append(right)
        learnt = _REPEATS_LEARNT if level == 0 else _TYPES_LEARNT
        if level < len(ROW_LENGTHS) and step - level_began > _LEAST_STEPS and mean(progress) > learnt:
            level, level_began = level + 1, step
        if elapsed - shown > 30:
            shown = elapsed
            print(
                f"{elapsed:6.0f} s  step {step}  level {level}  loss {loss:.3f}  right {mean(progress):.3f}", flush=True
            )
        if step % 250 == 0:
            model.save_pretrained(output)


def batch(rows: RowMaker, level: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Make ids, next tokens and their weights, (rows, length) each; mostly of the level's own length."""
    lengths = ROW_LENGTHS[: max(level, 1)]
    length = lengths[-1] if rows.rng.random() < 0.8 else rows.rng.choice(lengths)
    made = [_row(rows, level, length) for _ in range(TOKENS_PER_STEP // length)]
    ids = np.full((len(made), length), rows.pad, dtype=np.int64)
    weights = np.zeros((len(made), length), dtype=np.float32)
    for index, row in enumerate(made):
        ids[index, : len(row.ids)] = row.ids
        weights[index, : len(row.ids) - 1] = row.weights[1:]
    return torch.from_numpy(ids), torch.from_numpy(np.roll(ids, -1, axis=1)), torch.from_numpy(weights)


def learning_rate_factor(step: int, share_of_time: float) -> float:
    """Compute the factor: warm-up over 100 steps, constant, then down to a fiftieth over the last part of the time."""
    decay = 1.0 if share_of_time < DECAY_FROM else max(0.02, (1 - share_of_time) / (1 - DECAY_FROM))
    return min(1.0, (step + 1) / 100) * decay


def save(model: Any, tokenizer: Any, folder: Path) -> None:
    """Save the weights as bfloat16 (half the size) and the tokenizer."""
    model.to(torch.bfloat16).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _row(rows: RowMaker, level: int, length: int) -> PretrainingRow:
    if level == 0:
        return rows.repeats(length)
    return rows.extraction(length, _LONGEST_VALUE if length >= 192 else length // 6)


def _step(
    model: Any, body: Any, ids: torch.Tensor, targets: torch.Tensor, weights: torch.Tensor
) -> tuple[float, float]:
    """Run the backward pass of one batch; returns the loss, and the share right of the heaviest targets."""
    hidden = body(input_ids=ids, use_cache=False).last_hidden_state
    kept = weights > 0
    logits, wanted, weight = model.lm_head(hidden[kept]), targets[kept], weights[kept]
    losses = torch.nn.functional.cross_entropy(logits, wanted, reduction="none")
    loss = (losses * weight).sum() / weight.sum()
    loss.backward()
    heaviest = weight == weight.max()
    right = (logits.argmax(-1) == wanted)[heaviest].float().mean()
    return loss.item(), right.item()


def _load(folder: Path) -> Any:
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)


if __name__ == "__main__":
    run_program(main)
