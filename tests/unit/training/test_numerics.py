"""Which types a training computes in."""

import pytest
import torch

from ctiforge.errors import CannotGoOnError, UsageError
from ctiforge.training.finite import check_weights, no_number
from ctiforge.training.numerics import ComputeDevice, choose_numerics
from ctiforge.training.options import LEARNING_RATES, choose_method

CPU, T4, H100 = ComputeDevice("cpu"), ComputeDevice("cuda", 7), ComputeDevice("cuda", 9)


@pytest.mark.parametrize(
    ("device", "method", "precision", "frozen", "compute"),
    [
        (CPU, "full", "auto", torch.float32, torch.float32),
        (CPU, "qlora", "auto", torch.float32, torch.float32),
        # the older GPU emulates bf16, and says that it has it
        (T4, "lora", "auto", torch.float16, torch.float16),
        (T4, "full", "auto", torch.float32, torch.float16),
        (H100, "qlora", "auto", torch.bfloat16, torch.bfloat16),
        (H100, "full", "auto", torch.float32, torch.bfloat16),
        (H100, "lora", "fp32", torch.float32, torch.float32),
        (CPU, "lora", "bf16", torch.bfloat16, torch.bfloat16),
    ],
)
def test_types_follow_device_method_and_wish(device, method, precision, frozen, compute):
    found = choose_numerics(device, method, precision)
    assert (found.frozen, found.compute) == (frozen, compute)
    assert found.recompute is (device.kind == "cuda")
    assert found.scales_loss is (compute is torch.float16)


def test_bf16_is_not_emulated():
    with pytest.raises(UsageError, match="--precision bf16: this GPU only emulates it"):
        choose_numerics(T4, "full", "bf16")


@pytest.mark.parametrize(
    ("method", "qlora", "chosen"),
    [(None, None, "qlora"), (None, True, "qlora"), (None, False, "full"), ("lora", None, "lora")],
)
def test_the_older_flag_means_a_method(method, qlora, chosen):
    assert choose_method(method, qlora) == chosen


@pytest.mark.parametrize("qlora", [True, False])
def test_one_of_the_two_flags_is_enough(qlora):
    with pytest.raises(UsageError, match="give --method alone"):
        choose_method("lora", qlora)


def test_all_weights_take_a_smaller_step_than_an_adapter():
    assert LEARNING_RATES["full"] * 10 == pytest.approx(LEARNING_RATES["qlora"])


def test_what_can_be_used_is_said_where_numbers_run_away():
    fp16, fp32 = choose_numerics(CPU, "full", "fp16"), choose_numerics(CPU)
    assert no_number(0, 0, fp16).exit_code == 2
    assert no_number(5, 4, fp16).exit_code == no_number(0, 0, fp32).exit_code == 4
    assert "in step 1: there is no checkpoint yet" in str(no_number(0, 0, fp32))
    model = torch.nn.Linear(2, 2)
    check_weights(model, 3, 2)
    model.bias.data[1] = float("inf")
    with pytest.raises(CannotGoOnError, match=r"bias is no number .* after step 3: the checkpoint of"):
        check_weights(model, 3, 2)
