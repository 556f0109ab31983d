"""What the trainings' flags refuse before anything is read."""

from pathlib import Path

import pytest

from tests.in_process import run_here


@pytest.mark.parametrize("program", ["train_extract", "train_os_bert", "baselines_os"])
@pytest.mark.parametrize("seed", ["-1", "4294967296"])
def test_a_seed_that_some_generator_refuses_is_refused_at_once(program: str, seed: str, tmp_path: Path) -> None:
    result = run_here(program, "--data", "nothing", "--seed", seed, cwd=tmp_path)
    assert result.returncode == 2
    assert "Invalid value for '--seed'" in result.stderr
