"""What came of a run, for whoever wants to be told."""

import pytest

from ctiforge.launcher.result import Result, result_of
from ctiforge.records.run import RunRecord, StageRecord, State
from ctiforge.store.runs import new_run

LIVE = ("harvest_extract", "promote_extract")


def run_of(training: State, gate: int | None, state: State = "done") -> RunRecord:
    stages = [
        StageRecord(name="harvest_extract", program="harvest_extract", state="done", exit_code=0),
        StageRecord(name="train_extract", program="train_extract", state=training),
    ]
    if gate is not None:
        lines = ["agent is not promoted: micro-F1 0.5 against 0.6"] if gate else []
        own = {"state": "done", "exit_code": gate, "last_lines": lines}
        stages.append(StageRecord(name="promote_extract", program="promote", **own))
    return new_run("extract", stages, "nightly").model_copy(update={"state": state})


@pytest.mark.parametrize(
    ("training", "gate", "promoted", "approval", "kind"),
    [
        ("done", None, False, False, "trained"),
        ("cached", None, False, False, "nothing-new"),
        ("done", 0, True, False, "promoted"),
        ("done", 5, False, False, "refused"),
        ("done", 0, False, True, "waiting"),
        # the champion once more, and a model that was refused before
        ("cached", 0, False, False, "nothing-new"),
        ("cached", 0, False, True, "nothing-new"),
        ("cached", 5, False, False, "nothing-new"),
        # trained by a run that was cut off before its gate
        ("cached", 0, True, False, "promoted"),
        # somebody else promoted meanwhile
        ("done", 5, True, False, "refused"),
    ],
)
def test_the_kind_of_a_run_that_is_done(
    training: State, gate: int | None, promoted: bool, approval: bool, kind: str
) -> None:
    result = result_of(run_of(training, gate), LIVE, was_promoted=promoted, approval=approval)
    assert result.kind == kind
    assert result.words.startswith("nightly: ")
    assert ("micro-F1 0.5 against 0.6" in result.words) == (gate == 5)


@pytest.mark.parametrize(("state", "kind"), [("failed", "failed"), ("interrupted", None), ("cancelled", None)])
def test_the_kind_of_a_run_that_was_cut_off(state: State, kind: str | None) -> None:
    result = result_of(run_of("done", 0, state), LIVE, was_promoted=True, approval=False)
    assert result.kind == kind
    assert state in result.words


def test_a_run_that_did_not_begin_says_why() -> None:
    run = new_run("extract", [], "nightly").model_copy(update={"state": "failed", "reason": "no chart"})
    assert Result(run, "failed", began=False).words == "nightly cannot start: no chart"
