"""Merges a LoRA adapter into the full-precision base, and proves on real prompts that nothing else changed."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ctiforge.errors import DataError
from ctiforge.records.exported import MergeReport

LARGEST = 1e-5
"""How far a logit may move in fp32, as a share of the largest one, which is taken to be 10 at least: rounding in
another order, and nothing else; the adapter of another model moves them by more than a tenth."""
VOCABULARY = "tokenizer.model"
"""The file of a SentencePiece vocabulary."""


def merge(
    model: Any, tokenizer: Any, prompts: Sequence[Sequence[int]], reload: Callable[[Path], Any], folder: Path
) -> MergeReport:
    """Write `model` (fp32, with an adapter or without) and its tokenizer to `folder`, merged.

    The logits of what was written are compared with those before, `prompts` being token ids. Raises DataError
    where they differ by more than `limit`.
    """
    adapter = hasattr(model, "merge_and_unload")
    before = [_logits(model, ids) for ids in prompts]
    whole = model.merge_and_unload() if adapter else model
    whole.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    del model, whole
    written = reload(folder)
    after = [_logits(written, ids) for ids in prompts]
    difference = max(float((a - b).abs().max()) for a, b in zip(before, after, strict=True))
    largest = max(float(each.abs().max()) for each in before)
    most = limit(largest)
    if not difference <= most:
        raise DataError(
            f"the merged model's logits differ from base and adapter by {difference:.1e} (at most {most:.0e}; the "
            f"largest logit is {largest:.1f}): check that the adapter belongs to this base and its files are whole"
        )
    return MergeReport(adapter=adapter, largest_difference=difference, largest_logit=largest)


def limit(largest_logit: float) -> float:
    """Compute how far a logit may move by rounding in fp32.

    Args:
        largest_logit: The largest logit, by its absolute value, over the prompts compared.

    Returns:
        The largest difference that is let pass, as an absolute value.
    """
    return LARGEST * max(10.0, largest_logit)


def keep_sentencepiece(vocabulary: bytes | None, folder: Path) -> bool:
    """Put the base's SentencePiece vocabulary beside a saved tokenizer, which leaves it out; True where there is one.

    Without it llama.cpp's converter takes another way, and every second word gets wrong tokens.
    """
    if not vocabulary:
        return False
    (folder / VOCABULARY).write_bytes(vocabulary)
    return True


def _logits(model: Any, ids: Sequence[int]) -> Any:
    import torch

    with torch.inference_mode():
        return model(input_ids=torch.tensor([list(ids)], device=model.device)).logits[0].float().cpu()
