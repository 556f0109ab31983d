"""An evaluation that several processes of this machine share, each with a copy of the model."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from ctiforge.errors import CannotGoOnError
from ctiforge.extract import evaluate
from ctiforge.extract.scored_articles import TestData
from ctiforge.pod.ranks import OutOfMemoryOnRankError, run_ranks
from ctiforge.records.evaluation import Evaluation
from ctiforge.training.ranks import joined


@dataclass(frozen=True)
class SharedEvaluation:
    """What is evaluated, and how it is asked."""

    model: str
    """A folder, artifact, hub name, `demo` or `regex`."""
    version: str
    """What tells its weights from others."""
    inputs: Mapping[str, Path]
    """The stage's inputs by name, `test_data` among them."""
    reference: str | None
    """The test set's name and version, where it has one."""
    device: str = "auto"
    """`auto`, `cpu` or `cuda`."""
    batch_size: int = 32
    """Windows that are generated together."""
    constrained: bool = False
    """Whether the answer's schema is enforced."""
    sample: int | None = None
    """Of how many of the test set's articles; None: all."""


def evaluate_together(asked: SharedEvaluation, count: int, out: Path, scratch: Path) -> Evaluation:
    """Let so many processes read the articles, and score them as one would.

    Args:
        asked: What is evaluated, and how it is asked.
        count: How many processes, each on a GPU of its own where there are GPUs.
        out: The folder in which every window's answer is kept.
        scratch: A folder of this machine.

    Returns:
        The evaluation.

    Raises:
        RanksFailedError: A process ended before the work was done, for a reason that its own error names.
        CannotGoOnError: The memory of one does not suffice.
    """
    try:
        return Evaluation.model_validate(run_ranks(partial(evaluate_share, asked, out), count, scratch / "ranks"))
    except OutOfMemoryOnRankError as error:
        raise CannotGoOnError(f"{error}: evaluate in fewer processes (--nproc)") from None


def evaluate_share(asked: SharedEvaluation, out: Path) -> dict[str, Any]:
    """Read this process's share of the articles; the first one's result is the evaluation, as JSON."""
    with joined() as ranks:
        articles = TestData.read(asked.inputs["test_data"], asked.reference, asked.sample)
        extractor = evaluate.open_extractor(
            asked.model,
            asked.inputs,
            endpoint=None,
            device=asked.device,
            batch_size=asked.batch_size,
            constrained=asked.constrained,
        )
        found = evaluate.evaluate_on(
            articles, extractor, asked.version, asked.inputs.get("training_data"), out, ranks=ranks
        )
        return found.model_dump(mode="json")
