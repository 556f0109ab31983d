"""Every branch that a GPU takes, forced on a CPU: it learns what fp32 learns, and numbers that run away are told."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch

from ctiforge.errors import CannotGoOnError, CtiforgeError, UsageError
from ctiforge.store.checkpoints import Checkpoints
from ctiforge.store.objects import open_store
from ctiforge.training.options import Method
from tests.integration.training import conftest
from tests.integration.training.conftest import FOLDER, OPTIONS, Run, run, same_weights

SHORT = replace(OPTIONS, max_steps=12, learning_rate=2e-4, eval_steps=12)
"""Few steps, in which the loss falls by nats."""
APART = 0.7
"""Nats: fp16 skips its first steps, until the loss is scaled right."""


@pytest.fixture(scope="module")
def in_fp32(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Method], float]:
    """The validation loss of a method in fp32."""

    @cache
    def train_once(method: Method) -> float:
        folder = tmp_path_factory.mktemp(method)
        return last_loss(run(str(folder / "store"), folder / "scratch", SHORT, method=method))

    return train_once


def last_loss(done: Run) -> float:
    return [line["eval_loss"] for line in done.result.log if "eval_loss" in line][-1]


@pytest.mark.parametrize(
    ("method", "precision"),
    [
        ("full", "bf16"),
        ("lora", "bf16"),
        pytest.param("qlora", "bf16", marks=pytest.mark.slow),
        ("full", "fp16"),
        pytest.param("lora", "fp16", marks=pytest.mark.slow),
        pytest.param("qlora", "fp16", marks=pytest.mark.slow),
    ],
)
def test_a_smaller_type_learns_what_fp32_learns(
    store_folder: str, tmp_path: Path, in_fp32: Callable[[Method], float], method: Method, precision: Any
) -> None:
    done = run(store_folder, tmp_path / "one", replace(SHORT, precision=precision), method=method)
    assert {each.dtype for each in done.weights.values()} == {torch.float32}
    assert last_loss(done) == pytest.approx(in_fp32(method), abs=APART)


def test_weights_in_bf16_would_not(store_folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = replace(SHORT, max_steps=20, eval_steps=20, learning_rate=4e-4)
    usual = last_loss(run(str(tmp_path / "other"), tmp_path / "usual", options, method="full"))
    load = conftest.load_to_train
    monkeypatch.setattr(conftest, "load_to_train", lambda *given: load(*given).to(torch.bfloat16))
    done = run(store_folder, tmp_path / "one", replace(options, precision="bf16"), method="full")
    assert last_loss(done) - usual > 1.5 * APART


def test_averages_in_8_bits_learn_the_same_and_survive_an_interruption(
    store_folder: str, tmp_path: Path, in_fp32: Callable[[Method], float], signal_at: Callable[[int, int], None]
) -> None:
    options = replace(SHORT, optimizer="adamw-8bit")
    whole = run(str(tmp_path / "other"), tmp_path / "whole", options, method="full")
    assert last_loss(whole) == pytest.approx(in_fp32("full"), abs=0.1)
    signal_at(15, 7)
    with pytest.raises(CtiforgeError, match="interrupted at step 7"):
        run(store_folder, tmp_path / "first", options, method="full")
    assert same_weights(run(store_folder, tmp_path / "second", options, method="full"), whole)


@pytest.mark.slow
def test_the_scale_of_the_loss_survives_an_interruption(
    store_folder: str, tmp_path: Path, signal_at: Callable[[int, int], None]
) -> None:
    options = replace(SHORT, precision="fp16")
    whole = run(str(tmp_path / "other"), tmp_path / "whole", options, method="lora")
    signal_at(15, 7)
    with pytest.raises(CtiforgeError, match="interrupted at step 7"):
        run(store_folder, tmp_path / "first", options, method="lora")
    resumed = run(store_folder, tmp_path / "second", options, method="lora")
    assert last_loss(resumed) == pytest.approx(last_loss(whole), abs=1e-3)


def poisoned(monkeypatch: pytest.MonkeyPatch, micro_batch: int) -> Callable[[bool, int], None]:
    """Spoils one weight before the given micro-batch of the training."""
    load, models, seen = conftest.load_to_train, [], []

    def remember(*given: Any) -> Any:
        models.append(load(*given))
        return models[-1]

    monkeypatch.setattr(conftest, "load_to_train", remember)

    def spoil(training: bool, _: int) -> None:
        seen.append(training)
        if sum(seen) == micro_batch and training:
            next(each for each in models[-1].parameters() if each.requires_grad).data.view(-1)[0] = float("nan")

    return spoil


def test_a_loss_that_is_no_number_ends_the_training_and_the_last_good_checkpoint_stays(
    store_folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = r"no number \(inf or nan\) in step 7: the checkpoint of step [3-6]"
    with pytest.raises(CannotGoOnError, match=told) as caught:
        run(store_folder, tmp_path / "one", OPTIONS, before_forward=poisoned(monkeypatch, 7))
    assert caught.value.exit_code == 4
    kept = Checkpoints(open_store(store_folder), FOLDER)
    assert kept.begin(tmp_path / "kept") >= 3
    weights = torch.load(tmp_path / "kept" / "pytorch_model.bin", weights_only=True)
    assert all(torch.isfinite(each).all() for each in weights.values())


def test_a_first_loss_that_fp16_cannot_hold_names_the_types_that_can(
    store_folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UsageError, match=r"--precision bf16 .* or --precision fp32") as caught:
        run(
            store_folder, tmp_path / "one", replace(SHORT, precision="fp16"), method="full",
            before_forward=poisoned(monkeypatch, 1),
        )  # fmt: skip
    assert caught.value.exit_code == 2


def test_the_validation_loss_does_not_depend_on_the_micro_batch(tmp_path: Path) -> None:
    found = []
    for size in (8, 3, 1):
        options = replace(OPTIONS, batch_size=size, gradient_accumulation_steps=1, max_steps=1, learning_rate=0.0)
        found.append(last_loss(run(str(tmp_path / f"store-{size}"), tmp_path / f"{size}", options)))
    assert found == pytest.approx([found[0]] * 3, abs=1e-5)
