"""What the trainings' flags refuse before anything is read."""

from pathlib import Path

import pytest

from ctiforge.pod.meeting import ONE_MACHINE
from ctiforge.programs.flags import machines_of
from tests.in_process import run_here


@pytest.mark.parametrize("program", ["train_extract", "train_os_bert", "baselines_os"])
@pytest.mark.parametrize("seed", ["-1", "4294967296"])
def test_a_seed_that_some_generator_refuses_is_refused_at_once(program: str, seed: str, tmp_path: Path) -> None:
    result = run_here(program, "--data", "nothing", "--seed", seed, cwd=tmp_path)
    assert result.returncode == 2
    assert "Invalid value for '--seed'" in result.stderr


@pytest.mark.parametrize("program", ["train_extract", "train_os_bert"])
@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--nodes=2",), "say where all reach the first machine, with --first-node HOST:PORT"),
        (("--nodes=2", "--first-node=gpu-0"), "--first-node gpu-0: say where all reach the first machine"),
        (("--nodes=2", "--first-node=http://gpu-0:29400"), "with --first-node HOST:PORT"),
        (("--node=7",), "--node 7: say of how many machines, with --nodes"),
        (("--nodes=2", "--first-node=gpu-0:99999"), "with --first-node HOST:PORT"),
        (("--node=1", "--first-node=gpu-0:29400"), "--first-node: say of how many machines it is the first"),
        (("--nodes=2", "--first-node=gpu-0:29400"), "give a --store that all machines reach"),
        (("--nodes=2", "--node=2", "--first-node=gpu-0:29400"), "--node 2: of 2 machines the last one is 1"),
    ],
)
def test_machines_that_could_not_meet_are_refused_at_once(
    program: str, flags: tuple[str, ...], said: str, tmp_path: Path
) -> None:
    model = "--model=demo" if program == "train_extract" else "--base-model=demo"
    result = run_here(program, "--data=nothing", model, *flags, cwd=tmp_path)
    assert result.returncode == 2
    assert said in result.stderr


def test_the_number_of_a_pod_in_any_indexed_job_is_nothing_that_somebody_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JOB_COMPLETION_INDEX", "7")
    assert machines_of(1, 7, None, None) == ONE_MACHINE


@pytest.mark.parametrize("program", ["train_extract", "train_os_bert"])
@pytest.mark.parametrize("rate", ["inf", "2", "-1"])
def test_a_learning_rate_that_nothing_learns_at_is_refused_at_once(program: str, rate: str, tmp_path: Path) -> None:
    result = run_here(program, "--data=nothing", f"--learning-rate={rate}", cwd=tmp_path)
    assert result.returncode == 2
    assert "Invalid value for '--learning-rate'" in result.stderr


@pytest.mark.parametrize("program", ["train_extract", "train_os_bert"])
@pytest.mark.parametrize("flag", ["--nproc=3", "--nodes=3"])
def test_processes_that_cannot_share_a_step_are_refused_where_it_is_planned(
    program: str, flag: str, tmp_path: Path
) -> None:
    where = ("--first-node=gpu-0:29400", f"--store={tmp_path}/store")
    model = "--model=demo" if program == "train_extract" else "--base-model=demo"
    more = ("--data=nothing", model, "--batch-size=16", *(where if flag == "--nodes=3" else ()))
    result = run_here(program, *more, flag, "--plan", cwd=tmp_path)
    assert result.returncode == 2
    assert "3 processes: a step's" in result.stderr


def test_an_estimate_is_of_each_of_several_processes(tmp_path: Path) -> None:
    told = [run_here("train_extract", "--estimate", f"--nproc={count}", cwd=tmp_path).stdout for count in (1, 8)]
    assert ["4 examples of" in told[0], "2 examples of" in told[1]] == [True, True]
