from dataclasses import fields, replace
from typing import Any

import pytest

from ctiforge.extract.train import AgentTraining
from ctiforge.osbert.train import OsBertTraining
from ctiforge.training.options import LORA, TrainingOptions
from ctiforge.training.together import work_of

OPTIONS = TrainingOptions(learning_rate=1e-4)
AGENT = AgentTraining("base", "name", "messages", 512, "full", LORA, OPTIONS)
OS_BERT = OsBertTraining("base", "folder", "name", 256, None, True, OPTIONS)
FOLDER = "checkpoints/train/f1"

OF_WHAT_COMES_OUT = {
    "model", "base_model", "text_format", "max_length", "method", "lora", "choice_weight", "select_by", "prompt",
    "pooling", "weigh_classes",
}  # fmt: skip
"""These the folder of the checkpoints names, by the fingerprint."""
OF_A_MACHINE = {"name", "folder", "base_folder", "attention"}
"""Where something lies there, what it is called, and how a machine computes for itself."""


@pytest.mark.parametrize("changed", [{"fsdp": True}, {"device": "cpu"}, {"force": True}])
def test_machines_with_other_flags_by_which_they_share_a_training_do_other_work(changed: dict[str, Any]) -> None:
    assert work_of(replace(AGENT, **changed), FOLDER) != work_of(AGENT, FOLDER)


@pytest.mark.parametrize("changed", [{"save_steps": 7}, {"resume": False}])
@pytest.mark.parametrize("request_", [AGENT, OS_BERT])
def test_so_do_those_with_other_checkpoints(request_: Any, changed: dict[str, Any]) -> None:
    other = replace(request_, training=replace(OPTIONS, **changed))
    assert work_of(other, FOLDER) != work_of(request_, FOLDER)


def test_machines_may_differ_in_what_is_their_own() -> None:
    own = replace(AGENT, name="other", folder="/here", training=replace(OPTIONS, report_to="tensorboard"))
    halved = replace(own, training=replace(own.training, batch_size=2, gradient_accumulation_steps=8))
    assert work_of(halved, FOLDER) == work_of(AGENT, FOLDER)


@pytest.mark.parametrize("request_", [AGENT, OS_BERT])
def test_of_every_flag_it_is_known_whether_machines_must_have_it_in_common(request_: Any) -> None:
    names = {each.name for each in fields(request_)} - {"training"}
    compared = {word.partition("=")[0].removeprefix("--") for word in work_of(request_, FOLDER).split()[1:]}
    assert names - compared <= OF_WHAT_COMES_OUT | OF_A_MACHINE
