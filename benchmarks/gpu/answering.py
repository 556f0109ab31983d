"""How many windows a second the Extract Agent answers on a GPU, by the product's own agent."""

import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.gpu.device import GIB, Gpu
from ctiforge.extract.answering.agent import ExtractAgent
from ctiforge.extract.answering.extraction import Source
from ctiforge.records.model_note import AgentUsage, WindowSizes
from ctiforge.training.encoding import count_tokens, load_tokenizer
from ctiforge.training.models import load_causal_lm, merge_adapter

TOGETHER = 32
"""Windows of a batch, as in an evaluation."""
BATCHES = 2
USAGE = AgentUsage("messages", "short-v1", ("cmdline", "registry_artifacts"), WindowSizes(1_280, 900, 0))
SENTENCE = "The loader ran cmd.exe /c whoami and wrote the registry key HKCU\\Software\\Run before it slept. "
TITLES = ("model", "windows", "windows/s", "tokens of a prompt", "tokens of an answer", "answer tokens/s", "peak GiB")


@dataclass(frozen=True)
class Answering:
    """What was measured of one model's answers."""

    windows: int
    prompt_tokens: int
    answer_tokens: int
    seconds: float
    peak: int


def measure_answering(folder: Path, gpu: Gpu, *, usage: AgentUsage = USAGE, together: int = TOGETHER) -> Answering:
    """Ask a model of random weights about windows of one length; it never ends: answers stop in circles.

    Args:
        folder: The model's; its words are the tokens of the demo's tokenizer.
        gpu: Where.
        usage: How a text is cut, and so how long prompts and answers are.
        together: Windows of a batch.

    Returns:
        What was measured.
    """
    tokenizer = load_tokenizer("demo")
    model = merge_adapter(load_causal_lm(str(folder), gpu.device, gpu.kind.best)).eval()
    agent = ExtractAgent(model, tokenizer, usage, "random", together, halves=False)
    text = SENTENCE * (usage.sizes.window_tokens // count_tokens(tokenizer, [SENTENCE])[0])
    gpu.begin_peak()
    # chooses kernels, takes memory
    list(agent.extract_many([Source(text)] * together))
    gpu.finish()
    started = time.monotonic()
    found = list(agent.extract_many([Source(text)] * (BATCHES * together)))
    gpu.finish()
    seconds = time.monotonic() - started
    windows = [each for extraction in found for each in extraction.windows]
    if faults := [each.error for each in windows if each.error]:
        raise RuntimeError(f"{len(faults)} of {len(windows)} windows have no answer: {faults[0]}")
    return Answering(
        windows=len(windows),
        prompt_tokens=sum(each.prompt_tokens for each in windows),
        answer_tokens=sum(each.answer_tokens for each in windows),
        seconds=seconds,
        peak=gpu.peak(),
    )


def row_of(model: str, found: Answering | Exception) -> tuple[str, ...]:
    """Write a line of the table; what was not measured says why."""
    if isinstance(found, Exception):
        return (model, str(found), *[""] * (len(TITLES) - 2))
    return (
        model,
        str(found.windows),
        f"{found.windows / found.seconds:.2f}",
        f"{found.prompt_tokens / found.windows:,.0f}",
        f"{found.answer_tokens / found.windows:,.0f}",
        f"{found.answer_tokens / found.seconds:,.0f}",
        f"{found.peak / GIB:.2f}",
    )
