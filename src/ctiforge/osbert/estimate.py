"""What memory a training of OS-BERT takes, from its base model's config alone."""

from dataclasses import replace

from ctiforge.osbert.base import resolve_encoder
from ctiforge.osbert.model import encoder_config, positions_of
from ctiforge.osbert.train import numerics_of
from ctiforge.osbert.windows import TOKENS_TOGETHER, WindowSize, check_window
from ctiforge.records.article import OS_LABELS
from ctiforge.training.encoding import on_this_machine
from ctiforge.training.estimate import Workload, compute_device, describe_windows
from ctiforge.training.options import LORA
from ctiforge.training.suitability import CONFIG, read_shape


def describe_memory(base_model: str, max_length: int, device: str, fp16: bool) -> list[str]:
    """Say what memory a training takes, on this machine's GPU or, without one, on any that has bf16.

    Args:
        base_model: The encoder: a folder, an artifact, a hub name or `demo`.
        max_length: Tokens of a window.
        device: What --device says.
        fp16: Whether it computes in fp16.

    Returns:
        Lines: each part, their sum, and which GPUs have room for it.

    Raises:
        UsageError: There is no such encoder, it reads less than a window, or fp16 lacks a GPU.
    """
    on, free = compute_device(device)
    # of a step's windows so many are in memory together, however many articles it has; each such part is kept whole
    numerics = replace(numerics_of(on, fp16), recompute=False)
    with on_this_machine(resolve_encoder(base_model), CONFIG) as folder:
        check_window(WindowSize.of(max_length), positions_of(encoder_config(folder)))
        shape = read_shape(folder, classes=len(OS_LABELS))
    windows = max(1, TOKENS_TOGETHER // max_length)
    return describe_windows(Workload(shape, numerics, LORA, windows, answer_share=0.0), base_model, max_length, free)
