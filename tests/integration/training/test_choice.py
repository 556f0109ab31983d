"""What decides whether a window holds an item weighs enough to be learnt, and what chooses the weights."""

import random
from dataclasses import replace

import pytest
import torch

from ctiforge.training.choice import ItemChoice
from ctiforge.training.encoding import EncodedExample
from tests.integration.training.conftest import OPTIONS, run

CHOICE = ItemChoice(prefix=(7,), item=8, empty=9)
_MARK = 300


def rows(count):
    """Windows with a mark, whose answer goes on to an item of many tokens, and others, whose answer is empty."""
    numbers, found = random.Random(3), []
    for index in range(count):
        prompt = [numbers.randint(10, 200) for _ in range(numbers.randint(6, 12))]
        if index % 2:
            prompt[numbers.randrange(len(prompt))] = _MARK
        answer = [7, 8, *(numbers.randint(10, 200) for _ in range(24)), 2] if index % 2 else [7, 9, 2]
        found.append(EncodedExample([*prompt, *answer], len(prompt)))
    return found


LONGER = replace(OPTIONS, max_steps=24, eval_steps=8)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    def train(weight, **options):
        folder = tmp_path_factory.mktemp("choice")
        return run(
            str(folder / "store"),
            folder / "scratch",
            replace(LONGER, **options),
            rows=rows(96),
            choice=CHOICE,
            choice_weight=weight,
        )

    return train


def aucs(found):
    return [line["eval_choice_auc"] for line in found.result.log if "eval_choice_auc" in line]


def test_the_choice_is_learnt_sooner_where_it_weighs_more(trained):
    plain, weighted = trained(0.0), trained(4.0)
    assert len(aucs(plain)) == len(aucs(weighted)) == 3
    assert aucs(weighted)[-1] > aucs(plain)[-1] + 0.1


def test_its_loss_is_a_mean_over_windows_however_a_step_is_cut(trained):
    whole, cut = trained(1.0, max_steps=6), trained(1.0, max_steps=6, batch_size=2, gradient_accumulation_steps=4)
    for name, weights in cut.weights.items():
        torch.testing.assert_close(weights, whole.weights[name], atol=1e-3, rtol=1e-2)


def test_f1_decides_before_the_loss_and_of_equal_ones_the_lower_loss(store_folder, tmp_path):
    figures = iter([0.0, 0.5, 0.5, 0.2, 0.1, 0.1, 0.1])
    options = replace(OPTIONS, max_steps=21, eval_steps=3, early_stopping_patience=3)
    found = run(store_folder, tmp_path / "first", options, judge=lambda go_on: next(figures)).result
    looks = [(line["step"], line["eval_f1"], line["eval_loss"]) for line in found.log if "eval_f1" in line]
    best = max(looks, key=lambda each: (each[1], -each[2]))
    assert (found.best_step, found.best_validation_loss) == (best[0], best[2])
    assert found.as_record()["best_validation_f1"] == 0.5
    assert found.stopped_early
    assert found.steps_done == best[0] + 3 * 3
