"""What real programs say that they would make, asked through one process."""

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from ctiforge.launcher.backend import Command
from ctiforge.launcher.plan import Answer
from ctiforge.launcher.planner import Planner
from ctiforge.lines.os_bert import OS_BERT
from ctiforge.pod.process import command_of
from ctiforge.programs import train_extract, train_os_bert
from ctiforge.programs.plan import answer, estimate


@pytest.fixture
def planner() -> Iterator[Planner]:
    made = Planner("installed")
    yield made
    made.close()


@pytest.fixture
def evaluation(tmp_path: Path) -> Command:
    (tmp_path / "test.jsonl").write_text('{"id":"a","content":"x","content_hash":"h"}\n')
    return Command("eval_extract", ("--model=regex", f"--test-data={tmp_path}/test.jsonl", f"--store={tmp_path}/store"))


def test_the_answer_is_the_programs_own(planner: Planner, evaluation: Command) -> None:
    answers = planner.ask({"one": evaluation, "two": evaluation})
    command = command_of(evaluation.program, (*evaluation.arguments, "--plan"))
    own = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert answers["one"] == answers["two"] == Answer(own["fingerprint"], own["cached"])


def test_a_program_that_cannot_say_tells_why_and_the_next_one_is_asked(planner: Planner, evaluation: Command) -> None:
    missing = Command("eval_extract", ("--model=regex", "--test-data=/nowhere.jsonl", "--store=s"))
    wrong = Command("eval_extract", (*evaluation.arguments, "--epochs=3"))
    nothing = Command("eval_bread")
    answers = planner.ask({"missing": missing, "wrong": wrong, "right": evaluation})
    assert answers["missing"].exit_code == 2
    assert "/nowhere.jsonl" in str(answers["missing"].problem)
    assert "No such option: --epochs" in str(answers["wrong"].problem)
    assert answers["wrong"].exit_code == 2
    assert answers["right"].fingerprint
    told = planner.ask({"nothing": nothing})["nothing"]
    assert (told.exit_code, "eval_bread" in str(told.problem)) == (1, True)
    assert planner.ask({"right": evaluation})["right"] == answers["right"], "another process answers from then on"


def test_what_memory_a_training_takes_is_asked_of_its_program_before_anything_is_there(planner: Planner) -> None:
    flags = ("--data=not-made-yet", "--store=s", "--max-length=512")
    # in this process, which has torch already
    said = estimate(train_extract.main, flags)["lines"]
    assert said[0].startswith("memory of QLoRA of demo: 952,576 weights")
    assert [line for line in said if "all together" in line]
    assert "./gone" in estimate(train_extract.main, (*flags, "--model=./gone"))["problem"]
    told = planner.estimate({"training": Command("train_extract", (*flags, "--method=full", "--lora-r=3"))})
    assert told == [
        "training: what memory it takes cannot be told: --lora-r: --method full trains all weights and no adapter: "
        "leave it out"
    ]


def test_what_memory_os_bert_takes_is_asked_as_well() -> None:
    flags = ("--data=not-made-yet", "--store=s", "--base-model=demo", "--max-length=256")
    said = estimate(train_os_bert.main, flags)["lines"]
    assert said[0].startswith("memory of full fine-tuning of demo: 22,715,141 weights")
    assert [stage.name for stage in OS_BERT.stages if stage.estimates] == ["train_os_bert"]
    assert "--data is missing" in answer(train_os_bert.main, ("--base-model=demo",))["problem"]


def test_flags_are_read_whatever_the_inputs_are(planner: Planner) -> None:
    needed = ("--model=nowhere/there", "--data=not-made-yet", "--store=s")
    right = Command("train_extract", (*needed, "--epochs=2"))
    answers = planner.check(
        {
            "right": right,
            "unknown": Command("train_extract", (*needed, "--epochz=2")),
            "no number": Command("train_extract", (*needed, "--epochs=two")),
            "too small": Command("train_extract", (*needed, "--lora-r=0")),
            "missing": Command("detect_os"),
        }
    )
    assert answers["right"] == Answer()
    assert "No such option: --epochz" in str(answers["unknown"].problem)
    assert "Invalid value for '--epochs'" in str(answers["no number"].problem)
    assert "--lora-r" in str(answers["too small"].problem)
    assert "--model" in str(answers["missing"].problem)
    assert {each.exit_code for each in answers.values()} == {0, 2}


def test_a_plan_for_an_image_takes_the_images_versions(tmp_path: Path, evaluation: Command) -> None:
    def other_pins(program: str, arguments: Sequence[str]) -> list[str]:
        code = "from ctiforge.store import versions; versions.pinned_versions = lambda: {'numpy': '0.0.1'}\n"
        return [sys.executable, "-c", f"{code}from ctiforge.programs.plan import main; main()"]

    here, there = Planner("installed", other_pins), Planner("image", other_pins)
    try:
        answers = [each.ask({"one": evaluation})["one"].fingerprint for each in (here, there)]
    finally:
        here.close()
        there.close()
    assert all(answers)
    assert len(set(answers)) == 2
