"""What needs a GPU: `make test-gpu`. Without one every test is skipped, for one reason.

`--on cpu` tries the tests themselves where there is no GPU; what only an allocator of a GPU can show is skipped then.
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from _pytest.terminal import TerminalReporter

from benchmarks.gpu.machine import missing, versions, why_no_gpu


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--on", choices=("cuda", "cpu"), default="cuda", help="Where what a GPU computes is computed.")


def pytest_configure(config: pytest.Config) -> None:
    if lacking := missing():
        pytest.exit(lacking, returncode=2)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    # where all tests are collected these are some of them, and nobody knows the flag
    on = config.getoption("--on", default="cuda")
    own = [item for item in items if Path(__file__).parent in item.path.parents]
    why = why_no_gpu() if on == "cuda" else "--on cpu: the GPU's allocator is what it tries"
    for item in own:
        if why and (on == "cuda" or item.get_closest_marker("cuda")):
            item.add_marker(pytest.mark.skip(reason=why))


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    terminalreporter.write_line(versions())
    reasons = Counter(str(each.longrepr[2]) for each in terminalreporter.stats.get("skipped", []))
    for reason, count in reasons.items():
        terminalreporter.write_line(f"{count} tests skipped: {reason.removeprefix('Skipped: ')}")


@pytest.fixture
def on(request: pytest.FixtureRequest) -> str:
    """Where it computes: `cuda`, or `cpu` to try the tests."""
    name: str = request.config.getoption("--on", default="cuda")
    return name


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a small Llama with weights drawn at random."""
    import torch

    from benchmarks.gpu.shapes import write_model
    from tests.gpu.runs import SMALL

    folder = tmp_path_factory.mktemp("small") / "model"
    write_model(SMALL, folder, torch.device("cpu"), torch.float32)
    return folder


@pytest.fixture(autouse=True)
def _freed() -> Iterator[None]:
    """Leave the next test the whole GPU."""
    yield
    from ctiforge.training.resumable import free_gpu_memory

    free_gpu_memory()
