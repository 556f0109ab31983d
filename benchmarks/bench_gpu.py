"""What an NVIDIA GPU does with each method of training and with evaluation, by the product's own code.

Weights and rows are drawn at random: speed and memory depend on shapes alone. It runs with what a machine with a GPU
has (torch, transformers, peft, pydantic) and neither the store nor the launcher; where there is no GPU, it says so.
"""

import argparse
import shutil
import sys
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir
from typing import Any, TypeVar

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.gpu.machine import missing, versions, why_no_gpu
from ctiforge.errors import CtiforgeError

T = TypeVar("T")
Sizes = Mapping[str, Any]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and print two tables; gives the exit code."""
    flags = argparse.ArgumentParser(description=main.__doc__)
    flags.add_argument("--minutes", type=float, default=6.0, help="What is not begun by then is left out.")
    flags.add_argument("--scratch", type=Path, default=None, help="A folder with 45 GB free, for models of 1B's shape.")
    given = flags.parse_args(arguments)
    if lacking := missing():
        print(lacking, file=sys.stderr)
        return 2
    if why := why_no_gpu():
        print(why)
        return 0
    from benchmarks.gpu.device import Gpu
    from benchmarks.gpu.shapes import LLAMA_1B, LLAMA_8B

    return measure([LLAMA_1B, LLAMA_8B], Gpu(), given.scratch or roomiest(), 60 * given.minutes, {}, {})


def measure(
    shapes: Sequence[Any], gpu: Any, scratch: Path, seconds: float, of_training: Sizes, of_answering: Sizes
) -> int:
    """Measure every shape on a GPU and print the tables.

    Args:
        shapes: The models'.
        gpu: Where.
        scratch: A folder for their weights.
        seconds: What is not begun by then is left out.
        of_training: `length` of examples, where it is not the guide's.
        of_answering: `usage` and `together` of windows, where they are not an evaluation's.

    Returns:
        The exit code; 1 where something failed that should not.
    """
    from benchmarks.gpu import answering, training
    from benchmarks.gpu.shapes import write_model
    from ctiforge.tables import markdown, table_of
    from ctiforge.training.models import only_errors

    only_errors()
    print(f"{gpu.describe()}\n{versions()}\n", flush=True)
    trying = _Trying(gpu, time.monotonic() + seconds)
    trained: list[tuple[str, ...]] = []
    answered: list[tuple[str, ...]] = []
    for shape in shapes:
        with TemporaryDirectory(dir=scratch) as temporary:
            folder = Path(temporary) / "model"
            written = trying.do(partial(write_model, shape, folder, gpu.device))
            for method in training.METHODS:
                one = partial(training.measure_training, folder, method, gpu, until=trying.until, **of_training)
                trained.append(training.row_of(shape.name, method, written or trying.do(one)))
                print(f"… {' '.join(trained[-1])}", file=sys.stderr, flush=True)
            other = partial(answering.measure_answering, folder, gpu, **of_answering)
            answered.append(answering.row_of(shape.name, written or trying.do(other)))
    tables = [table_of(training.TITLES, trained, left=(0, 1, 2)), table_of(answering.TITLES, answered)]
    print(markdown(tables), flush=True)
    return 1 if trying.failed else 0


def roomiest() -> Path:
    """Choose the folder with the most room: the disk's, or memory that is used as one."""
    return max((Path(each) for each in (gettempdir(), "/dev/shm") if Path(each).is_dir()), key=_free)


def _free(folder: Path) -> int:
    return shutil.disk_usage(folder).free


class _Trying:
    """Measures one thing after the other; what goes wrong with one leaves the others alone."""

    def __init__(self, gpu: Any, until: float) -> None:
        self._gpu = gpu
        self.until = until
        """The reading of the clock after which nothing more is begun."""
        self.failed = False
        """Whether something went wrong that nobody foresaw."""

    def do(self, call: Callable[[], T]) -> T | CtiforgeError:
        """Measure, or give the reason why not: an error of its own, which keeps no tensor alive behind it."""
        if time.monotonic() > self.until:
            return CtiforgeError("left out: the minutes of this benchmark were over")
        self._gpu.free()
        try:
            return call()
        except CtiforgeError as error:
            return CtiforgeError(str(error))
        except Exception as error:
            if "out of memory" in str(error):
                return CtiforgeError("left out: the GPU has too little memory")
            traceback.print_exc()
            self.failed = True
            lines = str(error).strip().splitlines() or [""]
            return CtiforgeError(f"failed: {type(error).__name__}: {lines[0][:120]}")


if __name__ == "__main__":
    sys.exit(main())
