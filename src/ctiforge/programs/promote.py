"""Makes a model the champion of its line, where the gate lets it through."""

from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer

from ctiforge.pod.entry import run_program
from ctiforge.programs.flags import ExpectFlag, LineArgument, PlanFlag, StoreFlag, TellFlag, choose

if TYPE_CHECKING:
    from ctiforge.records.decision import Decision
    from ctiforge.store.stages import StageDirs


def main(
    line: LineArgument,
    model: Annotated[
        str | None, typer.Option(help="The model: a folder, an artifact, or models:LINE@VERSION; needed.")
    ] = None,
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
    license_name: Annotated[
        str | None,
        typer.Option("--license", "--licence", help="Of the weights, as the Hub names it; default: as its card says."),
    ] = None,
    approval: Annotated[
        str | None,
        typer.Option(help="required: what passes waits for ctiforge approve; default: promote_approval."),
    ] = None,
    verify: Annotated[
        int | None,
        typer.Option(help="Only derive the verdict on this version again, from what the registry keeps."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what the gate says.")] = False,
    report_to: TellFlag = "none",
    store: StoreFlag = None,
    expect: ExpectFlag = None,
    plan: PlanFlag = False,
) -> None:
    """Compare a model with the champion on one test set and, where it is better and no guardrail worse, promote it.

    Its files are kept with the registry: pinned where they lie in the store, copied where they lie elsewhere. Exit code
    5 when the gate was not passed, with the reason; with --verify 3 when the verdict is another, or cannot be derived.
    """
    from ctiforge.errors import UsageError
    from ctiforge.evaluation.gate.gate import check_passed
    from ctiforge.evaluation.gate.rules import parse_margins, rules_of
    from ctiforge.evaluation.tables.gate import print_decision, write_decision
    from ctiforge.evaluation.tracking import Tracker, tell, told_of_decision
    from ctiforge.lines import find_line
    from ctiforge.promotion.promote import Given, Orders, promote
    from ctiforge.settings import load_settings
    from ctiforge.store.actor import find_actor
    from ctiforge.store.artifacts import find_input
    from ctiforge.store.named_models import find_model_uri
    from ctiforge.store.objects import open_store
    from ctiforge.store.stages import Stage, StageFlags, run_stage
    from ctiforge.tables import wide_console

    known = find_line(line)
    if verify is not None:
        verify_decision(line, verify, store)
        return
    if evaluation is None:
        raise UsageError(f"nothing is promoted without an evaluation: run {known.evaluation}, then give --evaluation")
    if model is None:
        raise UsageError("give the model that is to be promoted with --model")
    tracker: Tracker = choose("--report-to", report_to, get_args(Tracker))
    settings = load_settings({"store": store, "promote_approval": approval}).settings
    opened = open_store(settings.store)
    orders = Orders(find_actor(), license_name, settings.promote_approval == "required", dry_run)
    margins = parse_margins(margin or [])
    rules, found = rules_of(line, margins), find_input(find_model_uri(model, store))
    given = Given(
        evaluation, tuple(against or ()), champion_evaluation, accept_equivalent, tuple(training_data or ()), test_data
    )
    decisions: list[Decision] = []

    def work(dirs: "StageDirs") -> dict[str, Any]:
        from ctiforge.training.tracking import check_tracker

        check_tracker(tracker)
        decision = promote(line, rules, found, given, opened, orders)
        write_decision(decision, dirs.out)
        tell(tracker, told_of_decision(decision, found.uri), dirs.out)
        decisions.append(decision)
        return {"passed": decision.passed, "reasons": decision.reasons}

    if dry_run:
        decisions.append(promote(line, rules, found, given, opened, orders))
    else:
        run_stage(
            Stage("promote", 3, packages=("numpy", "rensa", "scipy"), keyed_by_output=True),
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


def verify_decision(line: str, version: int, store: str | None) -> None:
    """Derive the verdict on a version again, offline, and say whether it is the one that was kept."""
    from ctiforge.errors import DataError
    from ctiforge.evaluation.tables.gate import print_decision
    from ctiforge.programs.models import open_registry
    from ctiforge.promotion.grounds import TOLERANCE, derive, differences, read_grounds
    from ctiforge.tables import wide_console

    registry = open_registry(line, store)
    name = registry.grounds_of(version)
    if name is None:
        raise DataError(f"{line} version {version} was promoted before registries kept what was decided on")
    grounds = read_grounds(registry.store, line, name)
    derived = derive(registry.store, line, grounds)
    print_decision(derived, wide_console())
    different = differences(grounds.decision, derived)
    if different:
        more = f" (and {len(different) - 1} more)" if len(different) > 1 else ""
        raise DataError(f"the verdict on version {version}, made by ctiforge {grounds.release}: {different[0]}{more}")
    print(f"the same verdict, every figure to {TOLERANCE:g}: version {version} as ctiforge {grounds.release} decided")


if __name__ == "__main__":
    run_program(main)
