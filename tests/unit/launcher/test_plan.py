import pytest

from ctiforge.errors import UsageError
from ctiforge.launcher.plan import (
    Answer,
    arguments_of,
    check_flags,
    describe,
    inputs_of,
    make_plan,
    merge_flags,
    missing_input,
    stages_of,
)
from ctiforge.lines import LINES
from ctiforge.lines.extract import STAGES as EXTRACT
from ctiforge.lines.line import LineStage
from ctiforge.lines.os_bert import STAGES as OS_BERT

HARVEST = LineStage("harvest", "harvest_extract", ("--from-database",))
TRAIN = LineStage("train", "train_extract", ("--data={harvest}", "--model={model}", "--max-length={max_length}"))
REPORT = LineStage("report", "compare_extract", ("{train}", "{harvest}"))
LINE = (HARVEST, TRAIN, REPORT)
VALUES = {"model": "some/model", "max_length": None}


def test_a_stage_takes_the_artifacts_that_its_arguments_name() -> None:
    assert inputs_of(HARVEST, LINE) == []
    assert inputs_of(TRAIN, LINE) == ["harvest"]
    assert inputs_of(REPORT, LINE) == ["train", "harvest"]
    assert missing_input(REPORT, LINE, {"train": "uri"}) == "harvest"
    assert missing_input(REPORT, LINE, {"train": "uri", "harvest": "uri"}) is None


def test_arguments_are_filled_and_those_without_a_value_left_out() -> None:
    assert arguments_of(TRAIN, VALUES, {"harvest": "s3://b/a"}, {}) == ("--data=s3://b/a", "--model=some/model")
    assert arguments_of(TRAIN, {**VALUES, "max_length": 99}, {"harvest": "x"}, {})[-1] == "--max-length=99"


def test_true_is_a_bare_flag_and_a_list_gives_an_argument_for_each() -> None:
    harvest = LineStage("harvest", "harvest_extract", ("--from-database={from_database}", "--json-files={json_files}"))
    both = {"from_database": True, "json_files": ("a.json", "s3://b/c.json")}
    assert arguments_of(harvest, both, {}, {}) == (
        "--from-database",
        "--json-files=a.json",
        "--json-files=s3://b/c.json",
    )
    assert arguments_of(harvest, {"from_database": False, "json_files": ()}, {}, {}) == ()


def test_a_stage_is_left_out_without_the_setting_that_it_needs() -> None:
    line = (HARVEST, LineStage("eval_in_use", "eval_extract", ("--model={in_use}",), needs="in_use"), REPORT)
    assert stages_of(line, {"in_use": None}) == (HARVEST, REPORT)
    assert stages_of(line, {"in_use": "some/model"}) == line


def test_own_flags_follow_the_tables_and_the_stages_win_over_the_programs() -> None:
    flags = {
        "train_extract": {"batch_size": 4, "epochs": 1, "qlora": False, "resume": True},
        "train": {"epochs": 5},
        "harvest": {"since": "2026-01-01"},
    }
    assert arguments_of(TRAIN, VALUES, {"harvest": "x"}, flags)[2:] == (
        "--batch-size=4",
        "--epochs=5",
        "--no-qlora",
        "--resume",
    )


def test_flags_of_unknown_stages_are_refused() -> None:
    check_flags({"train": {}, "train_extract": {}, "prepare_os": {}}, [LINE, OS_BERT])
    with pytest.raises(UsageError, match=r"stages\.trian: .*compare_extract, harvest"):
        check_flags({"trian": {"epochs": 5}}, [LINE])


@pytest.mark.parametrize(("flag", "value"), [("nodes", "nodes"), ("first-node", "nodes"), ("shards", "shards")])
def test_a_flag_that_makes_a_program_do_a_part_alone_is_not_a_runs_to_give(flag: str, value: str) -> None:
    with pytest.raises(UsageError, match=rf"stages\.train: {flag} is not .* stages\.PROGRAM\.{value} of the chart's"):
        check_flags({"train": {flag: 2}}, [LINE])


def test_a_persons_flags_win_over_defaults() -> None:
    merged = merge_flags({"train": {"epochs": 1, "seed": 1}, "a": {"x": 1}}, {"train": {"epochs": 5}, "b": {"y": 2}})
    assert merged == {"train": {"epochs": 5, "seed": 1}, "a": {"x": 1}, "b": {"y": 2}}


def test_the_plan_says_what_runs_what_is_cached_and_what_waits() -> None:
    fresh = make_plan(LINE, {}, {"harvest": Answer()})
    assert [each.state for each in fresh] == ["runs", "waits", "waits"]
    assert [each.after for each in fresh] == [None, "harvest", "train"]
    done = make_plan(
        LINE, {"harvest": "u", "train": "v"}, {"harvest": Answer("a" * 64, True), "train": Answer("b" * 64)}
    )
    assert [each.state for each in done] == ["cached", "runs", "runs"]
    assert describe(done) == [f"  harvest  cached {'a' * 12}", f"  train    runs {'b' * 12}", "  report   runs"]


def test_a_stage_that_cannot_say_is_shown_with_its_reason() -> None:
    plan = make_plan(LINE, {}, {"harvest": Answer(problem="no database", exit_code=2)})
    assert plan[0].state == "unknown"
    assert describe(plan)[0] == "  harvest  cannot be planned yet: no database"


@pytest.mark.parametrize("line", [each.stages for each in LINES.values()])
def test_every_line_is_in_order_and_its_names_are_unique(line: tuple[LineStage, ...]) -> None:
    names = [stage.name for stage in line]
    assert len(set(names)) == len(names)
    for place, stage in enumerate(line):
        assert set(inputs_of(stage, line)) <= set(names[:place])


def test_the_extract_line_evaluates_base_floor_and_tuned_model_on_one_test_set() -> None:
    evaluations = [stage for stage in EXTRACT if stage.program == "eval_extract"]
    assert [stage.name for stage in evaluations] == [
        "eval_base",
        "eval_base_constrained",
        "eval_base_examples",
        "eval_teacher",
        "eval_regex",
        "eval_in_use",
        "eval_as_served",
        "eval_tuned",
    ]
    assert all("--test-data=testset:{test_set}" in stage.arguments for stage in evaluations)
    (compare,) = (stage for stage in EXTRACT if stage.program == "compare")
    assert set(inputs_of(compare, EXTRACT)) == {stage.name for stage in evaluations}


def test_the_gate_is_given_the_model_in_use_before_the_floor() -> None:
    unset = ("in_use", "served_endpoint", "teacher_endpoint", "examples", "export_format")
    settings = dict.fromkeys(unset) | {"promote_auto": True}
    line = stages_of(EXTRACT, settings)
    artifacts = {stage.name: f"s3://{stage.name}" for stage in line}
    against = [each for each in arguments_of(line[-1], {}, artifacts, {}) if each.startswith("--against")]
    assert against == ["--against=s3://eval_regex"]
    assert [stage.name for stage in stages_of(EXTRACT, {**settings, "in_use": "x"})][-1] == "promote_extract"
    others = {name: f"s3://{name}" for name in ("eval_in_use", "eval_as_served")}
    all_of_them = arguments_of(line[-1], {}, {**artifacts, **others}, {})
    assert all_of_them[-3:] == tuple(f"--against=s3://{name}" for name in (*others, "eval_regex"))


def test_the_export_is_planned_when_everything_else_is_done() -> None:
    export = EXTRACT[-1]
    assert (export.name, export.of_champion) == ("export_model", True)
    (planned,) = make_plan((export,), {}, {})
    assert describe([planned]) == ["  export_model  after everything else, of the model then in use"]
    (planned,) = make_plan((export,), {}, {"export_model": Answer("a" * 64, cached=True)})
    assert planned.state == "cached"
    values = {"export_format": "merged", "export_types": "q8_0", "test_set": "demo@1"}
    version = {"champion": "models:extract@3"}
    assert arguments_of(export, values | version, {}, {})[:2] == ("--model=models:extract@3", "--format=merged")


def test_no_two_lines_share_a_stage_so_that_one_file_of_settings_serves_them_all() -> None:
    names = [stage.name for line in LINES.values() for stage in line.stages]
    assert len(set(names)) == len(names)


def test_os_bert_is_compared_with_the_one_in_use_where_there_is_one() -> None:
    values = {"os_in_use": "models/in-use", "promote_auto": False}
    assert [stage.name for stage in stages_of(OS_BERT, {"os_in_use": None, "promote_auto": False})] == [
        "prepare_os",
        "train_os_bert",
        "baselines_os",
        "eval_os_bert",
        "compare_os",
    ]
    assert inputs_of(stages_of(OS_BERT, values)[-1], OS_BERT) == ["eval_os_in_use", "eval_os_bert"]
