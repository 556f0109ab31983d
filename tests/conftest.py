"""No test reaches the network, and what is skipped for want of the real articles is counted in the last lines."""

import gc
import os
from pathlib import Path

import pytest
from _pytest.terminal import TerminalReporter

from benchmarks.real_data import VARIABLE, real_articles

NOT_SET = f"{VARIABLE} is not set"

# a model that is not on this machine is an error at once
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
# threads that wait for each other cost several times as much where another worker has the core
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="session", name="real_articles")
def _real_articles() -> Path:
    """The file of the 30 real articles; a test that asks for it is skipped where no folder is named."""
    if VARIABLE not in os.environ:
        pytest.skip(NOT_SET)
    return real_articles()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "real_articles" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.real_data)


def pytest_collection_finish() -> None:
    # every training has the garbage collected: without all that the tests imported, this costs a tenth
    gc.collect()
    gc.freeze()


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    skipped = [each for each in terminalreporter.stats.get("skipped", []) if NOT_SET in str(each.longrepr)]
    if skipped:
        terminalreporter.write_line(f"{len(skipped)} tests skipped: {NOT_SET}")
