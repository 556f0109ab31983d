"""Runs the GPU's benchmark as on a machine that has torch, transformers, peft and pydantic alone; a CPU stands in."""

import sys
from pathlib import Path
from typing import Any

ABSENT = {
    "bitsandbytes", "boto3", "botocore", "datasets", "fastapi", "kubernetes", "llguidance", "matplotlib",
    "mlflow", "obstore", "openai", "opentelemetry", "psycopg2", "pyarrow", "pydantic_settings", "rapidfuzz", "rensa",
    "rich", "scipy", "skops", "sklearn", "typer", "uvicorn",
}  # fmt: skip
FORBIDDEN = ("ctiforge.store", "ctiforge.launcher", "ctiforge.settings")


class _Bare:
    """A finder that does not find what such a machine lacks, nor what must not be imported."""

    def __init__(self, finder: Any) -> None:
        self._finder = finder

    def __getattr__(self, name: str) -> Any:
        return getattr(self._finder, name)

    def find_spec(self, name: str, *rest: Any) -> Any:
        is_hidden = name.partition(".")[0] in ABSENT or name.startswith(FORBIDDEN)
        return None if is_hidden else self._finder.find_spec(name, *rest)


def main() -> None:
    """Import, measure, and say what was imported that must not be."""
    sys.meta_path[:] = [_Bare(finder) for finder in sys.meta_path]
    import importlib.metadata as metadata

    of_all = metadata.version

    def version(name: str) -> str:
        if name.lower().replace("-", "_") in ABSENT:
            raise metadata.PackageNotFoundError(name)
        return of_all(name)

    metadata.version = version
    import torch

    torch.set_num_threads(1)
    from benchmarks.bench_gpu import measure
    from benchmarks.gpu import machine
    from tests.gpu import runs, test_answers, test_memory, test_training, test_two_gpus  # noqa: F401
    from tests.integration.benchmarks.pretended import SIZES, TINY, Pretended

    assert machine.missing() is None
    code = measure([TINY], Pretended(), Path(sys.argv[1]), 240, *SIZES)
    print("imported:", [name for name in sys.modules if name.startswith(FORBIDDEN) or name in ABSENT])
    sys.exit(code)


if __name__ == "__main__":
    main()
