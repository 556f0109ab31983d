"""Whole training processes, ended by signals, gone on with on an empty machine; see benchmarks/bench_preempt.py."""

import signal

import pytest

from benchmarks import bench_preempt


@pytest.mark.prove
@pytest.mark.slow
def test_a_killed_program_ends_with_the_same_weights(tmp_path, monkeypatch):
    monkeypatch.setattr(bench_preempt, "STEPS", 14)
    monkeypatch.setattr(bench_preempt, "SAVE_STEPS", 4)
    monkeypatch.setattr(bench_preempt, "EVAL_STEPS", 5)
    told, killed = bench_preempt.kill_and_resume(2, seed=2, folder=tmp_path)
    assert (told.signal, told.exit_code, told.recomputed, told.same_weights) == (signal.SIGTERM, 75, 0, True)
    assert (killed.signal, killed.exit_code, killed.same_weights) == (signal.SIGKILL, -9, True)
    assert 0 < killed.recomputed <= 4
    for index in range(2):
        # a finished run leaves its artifact, and what is known of its inputs' hashes
        assert {path.name for path in (tmp_path / f"{index}-store").iterdir()} == {"artifacts", "checkpoints", "hashes"}
        assert not [path for path in (tmp_path / f"{index}-store" / "checkpoints").rglob("*") if path.is_file()]
