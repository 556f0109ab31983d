"""Makes a model the champion of its line, where the gate lets it through."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from ctiforge.pod.entry import run_program
from ctiforge.programs.flags import ExpectFlag, LineArgument, PlanFlag, StoreFlag

if TYPE_CHECKING:
    from ctiforge.records.decision import Decision
    from ctiforge.store.stages import StageDirs


def main(
    line: LineArgument,
    model: Annotated[str, typer.Option(help="The model: a folder or artifact.")],
    evaluation: Annotated[
        str | None, typer.Option(help="Its evaluation: evaluation.json or artifact; without one nothing is promoted.")
    ] = None,
    against: Annotated[
        list[str] | None,
        typer.Option(
            help="Evaluation of what a line's first version must beat: the model in use or a floor, the first one "
            "given (repeat the flag). Of OS-BERT its own evaluation stands for the best floor in it."
        ),
    ] = None,
    champion_evaluation: Annotated[
        str | None, typer.Option(help="An evaluation of the champion, where it has none on this test set yet.")
    ] = None,
    accept_equivalent: Annotated[
        bool, typer.Option("--accept-equivalent", help="Take a model that is no worse, though not shown to be better.")
    ] = False,
    margin: Annotated[
        list[str] | None, typer.Option(help="Another margin of a figure: macro_f1=0.02 (repeat the flag).")
    ] = None,
    training_data: Annotated[
        list[str] | None,
        typer.Option(help="Records that it was trained on, where its lineage does not say (repeat the flag)."),
    ] = None,
    test_data: Annotated[
        str | None, typer.Option(help="The test set's articles (JSONL), where the store does not have it.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what the gate says.")] = False,
    store: StoreFlag = None,
    expect: ExpectFlag = None,
    plan: PlanFlag = False,
) -> None:
    """Compare a model with the champion on one test set and, where it is better and no guardrail worse, promote it.

    Exit code 5 when the gate was not passed, with the reason.
    """
    from ctiforge.errors import UsageError
    from ctiforge.evaluation.gate.gate import check_passed, parse_margins, rules_of
    from ctiforge.evaluation.tables.gate import print_decision, write_decision
    from ctiforge.lines import find_line
    from ctiforge.promotion.promote import Given, promote
    from ctiforge.settings import load_settings
    from ctiforge.store.artifacts import find_input
    from ctiforge.store.objects import open_store
    from ctiforge.store.stages import Stage, StageFlags, run_stage
    from ctiforge.tables import wide_console

    known = find_line(line)
    if evaluation is None:
        raise UsageError(f"nothing is promoted without an evaluation: run {known.evaluation}, then give --evaluation")
    opened = open_store(load_settings({"store": store}).settings.store)
    margins = parse_margins(margin or [])
    rules, found = rules_of(line, margins), find_input(model)
    given = Given(
        evaluation, tuple(against or ()), champion_evaluation, accept_equivalent, tuple(training_data or ()), test_data
    )
    decisions: list[Decision] = []

    def work(dirs: "StageDirs") -> dict[str, Any]:
        decision = promote(line, rules, found, given, opened)
        write_decision(decision, dirs.out)
        decisions.append(decision)
        return {"passed": decision.passed, "reasons": decision.reasons}

    if dry_run:
        decisions.append(promote(line, rules, found, given, opened, dry_run=True))
    else:
        run_stage(
            Stage("promote", 2, packages=("numpy", "rensa", "scipy"), keyed_by_output=True),
            params={"line": line, "model": found.content, "margins": margins, "equivalent": accept_equivalent},
            # what is compared; the model itself is not fetched
            inputs={"evaluation": evaluation, **{f"against_{number}": uri for number, uri in enumerate(given.against)}},
            output=None,
            flags=StageFlags(store=opened.uri, expect=expect, plan=plan),
            work=work,
        )
    for decision in decisions:
        print_decision(decision, wide_console())
        check_passed(decision)
        if dry_run:
            print("nothing was changed (--dry-run)")


if __name__ == "__main__":
    run_program(main)
