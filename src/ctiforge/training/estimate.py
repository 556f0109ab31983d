"""What memory a training takes, from its model's shape alone.

Weights, gradients and the optimizer's averages are counted to the byte. Activations and logits are an order of
magnitude: they depend on kernels, and on the allocator.
"""

from dataclasses import dataclass, fields

import torch

from ctiforge.training.numerics import BF16_FROM, ComputeDevice, Numerics
from ctiforge.training.options import METHOD_WORDS, Attention, LoraOptions
from ctiforge.training.suitability import LinearLayer, ModelShape, adapted_layers

GIB = 2**30
FOR_CUDA = GIB
"""What CUDA's context, its libraries and the allocator's gaps take beside all tensors, about."""
ANSWER_SHARE = 0.4
"""The share of an example that its answer takes at most: format_extract leaves windows the rest beside the prompt."""
_GPUS = (16, 24, 40, 80)
_FP32 = 4
_NF4_BLOCK, _NF4_BLOCKS_TOGETHER = 64, 256
_NF4_CODES = _FP32 * (16 + 256 + 1)
_8_BIT_BLOCK, _8_BIT_FROM = 256, 4096


@dataclass(frozen=True)
class Memory:
    """What a training holds in memory at its fullest, in bytes."""

    frozen: int
    """Weights that are not trained."""
    trained: int
    """Weights that are, in fp32."""
    gradients: int
    """One for each weight that is trained, in fp32."""
    optimizer: int
    """AdamW's two averages."""
    copies: int
    """Weights once more, in what is computed in."""
    activations: int
    """What the backward pass needs of the forward pass."""
    logits: int
    """Of the answers' tokens, with what the loss makes of them."""

    @property
    def total(self) -> int:
        """Add up all of it."""
        return sum(getattr(self, each.name) for each in fields(self))


@dataclass(frozen=True)
class Workload:
    """What a training does at once."""

    shape: ModelShape
    """The model's."""
    numerics: Numerics
    """What is trained, and the types."""
    lora: LoraOptions
    """The adapter's options; unused where all weights are trained."""
    batch_size: int
    """The micro-batch."""
    attention: Attention = "auto"
    """How attention is computed; `eager` keeps the scores of all pairs of tokens."""
    answer_share: float = ANSWER_SHARE
    """The share of an example's tokens that logits are computed for; 0 of a classifier, which has few for all of it."""
    shares: int = 1
    """Processes that each keep a part of weights, gradients and averages (FSDP)."""

    @property
    def adapted(self) -> list[LinearLayer]:
        """List the layers that an adapter is laid beside; none where all weights are trained."""
        return [] if self.numerics.method == "full" else adapted_layers(self.shape, self.lora)


def estimate(work: Workload, max_length: int) -> Memory:
    """Estimate the memory of a training.

    Args:
        work: What is trained, and how.
        max_length: Tokens of an example, all of them as long.

    Returns:
        The memory, part by part.

    Raises:
        UsageError: A target of the adapter names no layer of the model.
    """
    tensors, embedded = trained_tensors(work)
    weights = sum(tensors) + embedded
    return Memory(
        frozen=frozen_bytes(work),
        trained=_FP32 * _share(work, weights),
        gradients=_FP32 * _share(work, weights) + _whole_gradients(work),
        optimizer=_share(work, optimizer_bytes(work)),
        copies=_gathered(work) if work.shares > 1 else _copies(work),
        activations=_activations(work, max_length),
        logits=_logits(work, max_length),
    )


def longest_that_fits(work: Workload, memory: int) -> int:
    """Find the longest example that a GPU has room for.

    Args:
        work: What is trained, and how.
        memory: Bytes of the GPU, `FOR_CUDA` included.

    Returns:
        Tokens, a multiple of 64, no more than the model reads; 0: not even 64.
    """
    # memory grows with the length: halve what lies between a length that fits and one that does not
    least, most = 0, (work.shape.positions or 2**20) // 64 + 1
    while most - least > 1:
        middle = (least + most) // 2
        fits = estimate(work, 64 * middle).total + FOR_CUDA <= memory
        least, most = (middle, most) if fits else (least, middle)
    return 64 * least


def compute_device(asked: str) -> tuple[ComputeDevice, int | None]:
    """Choose what an estimate is for: this machine's GPU or, without one, any that has bf16; a CPU where asked for.

    Args:
        asked: What --device says.

    Returns:
        The device, and the bytes that are free on this machine's GPU; None: it has none.
    """
    if asked == "cpu":
        return ComputeDevice("cpu"), None
    if not torch.cuda.is_available():
        return ComputeDevice("cuda", BF16_FROM), None
    return ComputeDevice.of(torch.device("cuda", 0)), torch.cuda.mem_get_info(0)[0]


def describe(work: Workload, name: str, max_length: int, free: int | None) -> list[str]:
    """Say an estimate to people.

    Args:
        work: What is trained, and how.
        name: What the model is called.
        max_length: Tokens of an example.
        free: Bytes that are free on this machine's GPU; None: it has none.

    Returns:
        Lines: each part, their sum, and the longest examples that GPUs of usual sizes have room for.
    """
    fitting = [f"{size}: {longest_that_fits(work, room):,}" for size, room in _rooms(free)]
    return [
        *_parts(work, name, max_length, "examples"),
        f"longest examples that fit, in tokens, {work.batch_size} at once, beside {_size(FOR_CUDA)} for CUDA itself:",
        f"  {'; '.join(fitting)}",
    ]


def describe_windows(work: Workload, name: str, max_length: int, free: int | None) -> list[str]:
    """Say the estimate of a training that reads windows, as many at once as always have room.

    Args:
        work: What is trained, and how; its micro-batch are windows.
        name: What the model is called.
        max_length: Tokens of a window.
        free: Bytes that are free on this machine's GPU; None: it has none.

    Returns:
        Lines: each part, their sum, and which GPUs of usual sizes have room for it.
    """
    needed = estimate(work, max_length).total + FOR_CUDA
    fitting = [f"{size}: {'yes' if needed <= room else 'no'}" for size, room in _rooms(free)]
    return [
        *_parts(work, name, max_length, "windows"),
        f"whether it fits, beside {_size(FOR_CUDA)} for CUDA itself:",
        f"  {'; '.join(fitting)}",
    ]


def _parts(work: Workload, name: str, max_length: int, unit: str) -> list[str]:
    memory, numerics = estimate(work, max_length), work.numerics
    compute, shared = str(numerics.compute).removeprefix("torch."), work.shares > 1
    rows = {
        "weights, frozen": memory.frozen,
        "weights, trained (fp32)": memory.trained,
        "gradients (fp32)": memory.gradients,
        f"AdamW's averages ({'8 bits' if numerics.optimizer == 'adamw_bnb_8bit' else 'fp32'})": memory.optimizer,
        f"weights gathered ({compute})" if shared else f"copies of weights ({compute})": memory.copies,
        f"activations, about ({'recomputed' if numerics.recompute else 'kept'})": memory.activations,
        **({"logits of answers, at most": memory.logits} if work.answer_share else {}),
        "all together": memory.total,
    }
    return [
        f"memory of {METHOD_WORDS[numerics.method]} of {name}: {work.shape.parameters:,} weights, computed in "
        f"{compute}, {work.batch_size} {unit} of {max_length:,} tokens at once"
        f"{f', in each of {work.shares} processes that share them out' if shared else ''}",
        *(f"  {title:<36}{_size(size):>14}" for title, size in rows.items()),
    ]


def _rooms(free: int | None) -> list[tuple[str, int]]:
    return [(f"{size} GiB", size * GIB) for size in _GPUS] + ([("free on this GPU", free)] if free else [])


def trained_tensors(work: Workload) -> tuple[list[int], int]:
    """List the weights of each tensor that is trained; those of the embeddings, one sum, stand apart.

    LoRA lays two matrices beside a layer, (inputs, rank) and (rank, outputs) (Hu et al. 2021, section 4.1).
    """
    if work.numerics.method == "full":
        return list(work.shape.tensors), work.shape.embedding
    return [work.lora.r * features for each in work.adapted for features in (each.inputs, each.outputs)], 0


def frozen_bytes(work: Workload) -> int:
    """Count the bytes of the weights that are not trained.

    QLoRA keeps linear layers in NF4: half a byte a weight, one byte for 64 of them, four for 256 of those (double
    quantization; Dettmers et al. 2023, section 3) and its tables; peft keeps all others in fp32 then
    (`prepare_model_for_kbit_training`).
    """
    shape, numerics = work.shape, work.numerics
    if numerics.method == "full":
        return 0
    if numerics.method == "lora":
        return shape.parameters * _width(numerics.frozen)
    sizes = [each.inputs * each.outputs for each in shape.linears]
    return _FP32 * (shape.parameters - sum(sizes)) + sum(_nf4(size) for size in sizes)


def optimizer_bytes(work: Workload) -> int:
    """Count the bytes of AdamW's two averages of each weight, in fp32 or in 8 bits.

    In 8 bits a block of 256 has a scale of four bytes (Dettmers et al. 2022, section 2.1); bitsandbytes leaves tensors
    of fewer than 4,096 weights in fp32, and transformers embeddings.
    """
    tensors, embedded = trained_tensors(work)
    in_8_bits = work.numerics.optimizer == "adamw_bnb_8bit"
    small = [size for size in tensors if not in_8_bits or size < _8_BIT_FROM]
    large = [size for size in tensors if in_8_bits and size >= _8_BIT_FROM]
    return 2 * (_FP32 * (sum(small) + embedded) + sum(size + _FP32 * -(-size // _8_BIT_BLOCK) for size in large))


def _nf4(weights: int) -> int:
    blocks = -(-weights // _NF4_BLOCK)
    return -(-weights // 2) + blocks + _FP32 * -(-blocks // _NF4_BLOCKS_TOGETHER) + _NF4_CODES


def _copies(work: Workload) -> int:
    """Count what autocast makes of fp32 weights, and the largest 4-bit layer while it is unpacked."""
    shape, numerics = work.shape, work.numerics
    width = _width(numerics.compute)
    if numerics.method == "full":
        return width * shape.parameters if width < _FP32 else 0
    if numerics.method == "lora":
        return 0
    unpacked = max((each.inputs * each.outputs for each in shape.linears), default=0)
    return width * (unpacked + (shape.vocabulary * shape.hidden if width < _FP32 else 0))


def _share(work: Workload, whole: int) -> int:
    return -(-whole // work.shares)


def _gathered(work: Workload) -> int:
    """Count the weights that are whole at once: one layer, the next that is fetched meanwhile, and what is no layer.

    The latter, embeddings above all, stays from the forward to the backward pass in fp32, and autocast copies the layer
    that computes logits.
    """
    width, head = _width(work.numerics.compute), work.shape.vocabulary * work.shape.hidden
    layer, rest = _layer_and_rest(work.shape)
    return 2 * width * layer + _FP32 * rest + (width * head if width < _FP32 else 0)


def _whole_gradients(work: Workload) -> int:
    """Count the gradients that are whole, in fp32, until they are summed up: of one layer, or of what is none."""
    return _FP32 * max(_layer_and_rest(work.shape)) if work.shares > 1 else 0


def _layer_and_rest(shape: ModelShape) -> tuple[int, int]:
    """Count the weights of one decoder layer, on average, and those that belong to none."""
    head = shape.vocabulary * shape.hidden
    # one that is tied counts among the embeddings
    rest = shape.embedding + (head if head in shape.tensors else 0)
    return (shape.parameters - rest) // max(shape.layers, 1), rest


def _activations(work: Workload, max_length: int) -> int:
    """Reckon the activations: what goes into each linear layer and what comes out, once each.

    For the block of Korthikanti et al. 2022 (h features, 4h inside, 16 bits) that is 36h bytes a token, beside the 34h
    of their equation 1, whose 5as²/h of attention scores only `eager` keeps; the others keep a mask of one byte and one
    number for each pair of tokens. An adapter keeps its input once more, and where it drops a share a mask of it. Where
    activations are recomputed, blocks keep their inputs alone, and one at a time all of it (ibid., section 5).
    """
    shape, numerics = work.shape, work.numerics
    width, tokens = _width(numerics.compute), work.batch_size * max_length
    pairs = work.batch_size * max_length**2
    every = tokens * width * sum(each.inputs + each.outputs for each in shape.linears)
    every += tokens * (width + (work.lora.dropout > 0)) * sum(each.inputs for each in work.adapted)
    if work.attention == "eager":
        every += shape.layers * shape.heads * pairs * (2 * width + _FP32)
    block = every // max(shape.layers, 1)
    mask = pairs * (1 + width)
    if not numerics.recompute:
        return every + block + mask
    stream = _width(numerics.frozen) if numerics.method == "lora" else _FP32
    # the block that is computed again has gradients of as much
    return tokens * stream * shape.hidden * shape.layers + 2 * block + mask


def _logits(work: Workload, max_length: int) -> int:
    """Count logits as they are computed, and in fp32 their logarithms of probabilities and the gradients of both.

    They are asked of the model for the answers' tokens alone (`logits_to_keep`).
    """
    positions = work.batch_size * int(work.answer_share * max_length)
    return positions * work.shape.vocabulary * (_width(work.numerics.compute) + 3 * _FP32)


def _width(dtype: torch.dtype) -> int:
    return int(dtype.itemsize)


def _size(size: int) -> str:
    return f"{size / GIB:,.2f} GiB" if size >= GIB else f"{size / 2**20:,.1f} MiB"
