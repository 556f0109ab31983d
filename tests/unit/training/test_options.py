import pytest

from ctiforge.errors import UsageError
from ctiforge.training.options import (
    AGENT,
    OS_BERT,
    LoraOptions,
    TrainingOptions,
    check_fsdp,
    choose_lora,
    result_params,
)
from ctiforge.training.steps import derive_steps


@pytest.mark.parametrize(("examples", "per_epoch", "total"), [(40, 3, 9), (40_000, 2_500, 7_500), (1, 1, 3)])
def test_steps_follow_the_data(examples, per_epoch, total):
    steps = derive_steps(examples, TrainingOptions())
    assert (steps.per_epoch, steps.total) == (per_epoch, total)
    assert 1 <= steps.evaluate_every <= per_epoch
    assert 1 <= steps.save_every <= steps.at_risk <= per_epoch


def test_saving_does_not_depend_on_evaluating():
    steps = derive_steps(40_000, TrainingOptions(save_steps=100, eval_steps=400))
    assert (steps.evaluate_every, steps.at_risk) == (400, 100)
    # begun early enough to arrive before the hundredth step
    assert steps.save_every == 75


def test_max_steps_overrules_epochs():
    assert derive_steps(40_000, TrainingOptions(max_steps=5)).total == 5


def test_the_effective_batch_stands_for_its_factors_in_the_fingerprint():
    one = result_params(TrainingOptions(batch_size=4, gradient_accumulation_steps=4), None)
    other = result_params(
        TrainingOptions(batch_size=8, gradient_accumulation_steps=2, report_to="mlflow", save_steps=7), None
    )
    assert one == other
    assert one != result_params(TrainingOptions(seed=1), None)
    assert one != result_params(TrainingOptions(), LoraOptions())


@pytest.mark.parametrize(
    ("before", "after"), [((16, 1), (8, 2)), ((4, 4), (2, 8)), ((6, 1), (3, 2)), ((3, 2), (1, 6)), ((5, 3), (1, 15))]
)
def test_a_smaller_micro_batch_keeps_the_effective_batch(before, after):
    smaller = TrainingOptions(*before).with_smaller_micro_batch()
    assert (smaller.batch_size, smaller.gradient_accumulation_steps) == after


def test_what_differs_from_the_guide_is_told_with_both() -> None:
    assert AGENT.deviations(AGENT.training, AGENT.max_length, AGENT.method) == {}
    # all weights have a learning rate of their own, which is no deviation
    assert AGENT.deviations(TrainingOptions(epochs=1, seed=7, learning_rate=2e-5), 304, "full") == {
        "epochs": [3.0, 1], "max_length": [2048, 304], "method": ["qlora", "full"],
    }  # fmt: skip
    assert OS_BERT.deviations(OS_BERT.training, 64) == {"max_length": [512, 64]}


def test_an_adapter_is_as_the_flags_say_and_else_as_usual():
    nothing = {"r": None, "alpha": None, "dropout": None, "targets": None}
    assert choose_lora("qlora", **nothing) == choose_lora("full", **nothing) == LoraOptions()
    chosen = choose_lora("lora", **nothing | {"r": 8, "dropout": 0.0, "targets": " v_proj,q_proj, q_proj"})
    assert chosen == LoraOptions(r=8, dropout=0.0, targets="q_proj,v_proj")
    with pytest.raises(UsageError, match="--lora-dropout: --method full trains all weights"):
        choose_lora("full", **nothing | {"dropout": 0.0})
    with pytest.raises(UsageError, match="--lora-targets: name modules"):
        choose_lora("lora", **nothing | {"targets": " , "})


def test_targets_are_part_of_the_fingerprint_where_they_are_not_the_usual_ones():
    assert result_params(TrainingOptions(), LoraOptions())["lora"] == {"r": 16, "alpha": 32, "dropout": 0.05}
    chosen = result_params(TrainingOptions(), LoraOptions(targets="q_proj"))["lora"]
    assert chosen == {"r": 16, "alpha": 32, "dropout": 0.05, "targets": "q_proj"}


def test_a_schedule_is_part_of_the_fingerprint():
    usual = result_params(TrainingOptions(), None)
    assert "schedule" not in usual, "fingerprints of before it could be chosen stay"
    assert result_params(TrainingOptions(schedule="cosine"), None) == usual | {"schedule": "cosine"}


@pytest.mark.parametrize(
    ("options", "count", "cut"),
    [((4, 4), 1, (4, 4)), ((4, 4), 2, (4, 4)), ((4, 4), 8, (2, 8)), ((16, 1), 2, (8, 2)), ((6, 2), 4, (3, 4))],
)
def test_a_step_is_cut_for_processes_and_stays_as_large(options, count, cut):
    made = TrainingOptions(*options).for_ranks(count)
    assert (made.batch_size, made.gradient_accumulation_steps) == cut
    assert made.for_ranks(count) == made
    assert made.effective_batch % (count * made.batch_size) == 0


def test_a_step_that_processes_cannot_share_is_refused():
    with pytest.raises(UsageError, match=r"3 processes: a step's 16 examples .* cannot be shared evenly"):
        TrainingOptions(4, 4).for_ranks(3)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"method": "qlora"}, "--fsdp .* add --method full"),
        ({"processes": 1}, "--fsdp .* add --nproc or --nodes"),
        ({"training": TrainingOptions(optimizer="adamw-8bit")}, "--fsdp: averages in 8 bits .* leave --optimizer out"),
        ({"training": TrainingOptions(precision="fp16")}, "--fsdp .* give --precision bf16 or fp32"),
        ({"select_by": "f1"}, "--fsdp: .* --select-by loss"),
    ],
)
def test_what_sharded_weights_rule_out_is_refused_with_what_to_do(changed, message):
    fits = {"method": "full", "training": TrainingOptions(), "select_by": "auto", "processes": 2}
    check_fsdp(**fits)
    with pytest.raises(UsageError, match=message):
        check_fsdp(**fits | changed)
