"""A run that ends with the gate, and one that meets a champion."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from ctiforge.store.garbage import find_garbage
from ctiforge.store.models import Registry
from ctiforge.store.objects import open_store
from ctiforge.store.runs import load_run
from tests.making import candidate

REASON = "agent is not promoted: micro-F1 0.5 against 0.6"


@pytest.fixture
def promoting(world):
    world.environment["CTIFORGE_PROMOTE_AUTO"] = "true"
    return world


def decision(world, line: str = "extract") -> dict[str, object]:
    path = next((world.folder / "outputs/evaluations").glob(f"promote_{line}-*.json"))
    found: dict[str, object] = json.loads(path.read_text())
    return found


def crown(world, artifact: str) -> None:
    registry = Registry(open_store(str(world.folder / ".ctiforge/store")), "extract")
    record = registry.register(candidate("c", name="agent-old", artifact=artifact))
    registry.promote(record.version, registry.standing(), "first")


def test_a_run_that_passes_the_gate_ends_well_and_asks_it_every_time(promoting) -> None:
    first = promoting.ctiforge("run", "extract")
    assert first.returncode == 0, first.stderr
    assert promoting.worked()[-1] == "promote"
    assert "the table of extract" in first.stdout
    made = decision(promoting)
    assert "train_extract" in str(made["model"])
    assert ["eval_extract" in each for each in made["against"]] == [True]  # type: ignore[attr-defined]

    again = promoting.ctiforge("run", "extract")
    assert again.returncode == 0
    assert promoting.worked() == ["harvest_extract", "promote"]


def test_a_gate_that_was_not_passed_is_told_with_5_and_is_no_failure(promoting) -> None:
    promoting.control(promote={"reason": REASON})
    # nobody may be alarmed: nothing listens here, and nothing may be sent
    promoting.environment["CTIFORGE_WEBHOOK_URL"] = "http://127.0.0.1:9/"
    ended = promoting.ctiforge("run", "extract", "--run-id", "nightly")
    assert ended.returncode == 5
    assert f"promote_extract: the gate was not passed\n{REASON}" in ended.stdout
    assert "webhook" not in ended.stdout + ended.stderr
    assert "error" not in ended.stderr

    record = load_run(open_store(str(promoting.folder / ".ctiforge/store")), "nightly")
    assert (record.state, record.exit_code) == ("done", 5)
    last = record.stages[-1]
    assert (last.state, last.exit_code, last.last_lines) == ("done", 5, [REASON])
    assert last.artifact is not None
    status = promoting.ctiforge("status", "nightly").stdout
    assert "the gate was not passed" in status
    assert REASON in status

    promoting.worked()
    gone_on = promoting.ctiforge("run", "extract", "--run-id", "nightly")
    assert (gone_on.returncode, promoting.worked()) == (5, [])
    assert promoting.ctiforge("run", "extract", "--run-id", "nightly", "--dry-run").returncode == 0


def test_in_a_scheduled_run_a_refusal_ends_with_0_and_the_record_still_says_it(promoting) -> None:
    promoting.control(promote={"reason": REASON})
    promoting.environment["CTIFORGE_REFUSAL_FAILS"] = "false"
    ended = promoting.ctiforge("run", "extract", "--run-id", "nightly")
    assert ended.returncode == 0
    assert f"promote_extract: the gate was not passed\n{REASON}" in ended.stdout
    record = load_run(open_store(str(promoting.folder / ".ctiforge/store")), "nightly")
    assert (record.state, record.exit_code) == ("done", 5)
    assert "the gate was not passed" in promoting.ctiforge("status", "nightly").stdout

    promoting.control(train_extract={"fails": True}, promote={"reason": REASON})
    assert promoting.ctiforge("run", "extract", "--set", "train_extract.epochs=7").returncode == 3


def test_the_other_line_goes_through_its_own_gate(promoting) -> None:
    ended = promoting.ctiforge("run", "os-bert")
    assert ended.returncode == 0, ended.stderr
    assert decision(promoting, "os_bert")["line"] == "os-bert"


def test_without_being_asked_no_run_promotes(world) -> None:
    assert world.ctiforge("run", "extract").returncode == 0
    assert "promote" not in world.worked()


def test_the_champion_is_evaluated_beside_the_new_model_where_none_is_said_to_be_in_use(world) -> None:
    folder = world.folder / "champion"
    folder.mkdir()
    crown(world, str(folder))
    planned = world.ctiforge("run", "extract", "--dry-run")
    assert "the champion, version 1: agent-old" in planned.stdout
    assert world.ctiforge("run", "extract").returncode == 0
    assert world.worked().count("eval_extract") == 5

    told = world.ctiforge("run", "extract", "--in-use", "hub/other", "--dry-run")
    assert "eval_in_use" in told.stdout
    assert "the champion" not in told.stdout


def test_a_version_that_is_said_to_be_in_use_is_looked_up_once_for_all_stages(world) -> None:
    folder = world.folder / "champion"
    folder.mkdir()
    crown(world, str(folder))
    planned = world.ctiforge("run", "extract", "--in-use", "models:extract@1", "--dry-run")
    assert (planned.returncode, "eval_in_use" in planned.stdout) == (0, True), planned.stderr
    wrong = world.ctiforge("run", "extract", "--in-use", "models:extract@previous", "--dry-run")
    assert (wrong.returncode, "no version was in use before version 1" in wrong.stderr) == (2, True)


def test_a_champion_of_before_that_is_gone_is_told_before_anything_runs(world) -> None:
    crown(world, "models/mine")
    refused = world.ctiforge("run", "extract")
    assert (refused.returncode, world.worked()) == (3, [])
    assert "extract version 1, agent-old: nothing is left of it at models/mine" in refused.stderr


def test_a_run_that_crowned_its_own_model_is_gone_on_with_as_it_was(promoting) -> None:
    assert promoting.ctiforge("run", "extract", "--run-id", "first").returncode == 0
    crown(promoting, str(decision(promoting)["model"]))
    promoting.worked()
    again = promoting.ctiforge("run", "extract", "--run-id", "first")
    assert (again.returncode, promoting.worked()) == (0, []), again.stderr


def exported_model(world) -> str:
    """The model that the last export was told to work on."""
    argv: list[str] = world.result("export_model")["argv"]
    return next(each for each in argv if each.startswith("--model="))


def test_the_model_in_use_is_exported_at_the_end_of_a_run_once(world) -> None:
    world.environment["CTIFORGE_EXPORT_FORMAT"] = "gguf"
    nothing = world.ctiforge("run", "extract", "--run-id", "first")
    assert nothing.returncode == 0, nothing.stderr
    assert "export_model: skipped no model is in use yet" in nothing.stdout
    assert "export_model" not in world.worked()
    store = open_store(str(world.folder / ".ctiforge/store"))
    assert load_run(store, "first").stages[-1].state == "skipped"

    folder = world.folder / "champion"
    folder.mkdir()
    crown(world, str(folder))
    assert "export_model " in world.ctiforge("run", "extract", "--dry-run").stdout
    assert world.ctiforge("run", "extract", "--run-id", "second").returncode == 0
    assert world.worked()[-1] == "export_model"
    # its number, not what is in use: that may change before its pod has started
    assert exported_model(world) == "--model=models:extract@1"
    artifact = load_run(store, "second").stages[-1].artifact
    assert artifact is not None
    assert world.ctiforge("run", "extract", "--run-id", "third").returncode == 0
    assert "export_model" not in world.worked()

    # the newest run names it, made then or before, so it stays
    gone = {thing.folder for thing in find_garbage(store, 1, datetime.now(UTC) + timedelta(days=30))}
    assert "runs/second" in gone
    assert artifact.removeprefix(f"{store.uri}/") not in gone


def test_another_model_in_use_is_exported_as_well_and_the_first_one_again_is_not(world) -> None:
    world.environment["CTIFORGE_EXPORT_FORMAT"] = "gguf"
    registry = Registry(open_store(str(world.folder / ".ctiforge/store")), "extract")
    for name in ("one", "two"):
        (world.folder / name).mkdir()
        record = registry.register(candidate(name[0], name=f"agent-{name}", artifact=str(world.folder / name)))
        registry.promote(record.version, registry.standing(), "better")
        assert world.ctiforge("run", "extract", "--in-use", "hub/old").returncode == 0
        assert exported_model(world) == f"--model=models:extract@{record.version}"
    registry.promote(1, registry.standing(), "the other is worse")
    world.worked()
    back = world.ctiforge("run", "extract", "--in-use", "hub/old")
    assert "export_model: cached" in back.stdout
    assert "export_model" not in world.worked()


def test_an_export_that_answers_otherwise_is_no_gate_of_the_promotion(world) -> None:
    world.environment["CTIFORGE_EXPORT_FORMAT"] = "gguf"
    world.control(export_model={"refused": "agent-old is not exported: q8_0 answers 0 of 9 windows alike"})
    (world.folder / "champion").mkdir()
    crown(world, str(world.folder / "champion"))
    ended = world.ctiforge("run", "extract", "--run-id", "only")
    assert ended.returncode == 5
    assert "export_model ended with exit code 5 (what it made did not pass its own check)" in ended.stderr
    assert "q8_0 answers 0 of 9 windows alike" in ended.stderr
    assert load_run(open_store(str(world.folder / ".ctiforge/store")), "only").state == "failed"


@pytest.mark.parametrize(
    ("name", "value", "among"), [("export_format", "lmstudio", "gguf"), ("export_types", "q8_0,q9", "q4_k_m")]
)
def test_what_cannot_be_exported_is_refused_before_anything_runs(world, name: str, value: str, among: str) -> None:
    world.environment[f"CTIFORGE_{name.upper()}"] = value
    refused = world.ctiforge("run", "extract")
    assert (refused.returncode, world.worked()) == (2, [])
    assert name in refused.stderr
    assert among in refused.stderr
    assert refused.stderr.count("\n") <= 2
