"""Fits the baselines of OS-BERT: simple classifiers on words, and on the vectors of a frozen encoder."""

from typing import Annotated, Any

import typer

from ctiforge.pod.entry import run_program
from ctiforge.programs.flags import (
    DeviceFlag,
    ExpectFlag,
    OsDataFlag,
    OsWindowFlag,
    PlanFlag,
    RevisionFlag,
    SeedFlag,
    StoreFlag,
)
from ctiforge.training.options import OS_BERT


def main(
    data: OsDataFlag,
    base_model: Annotated[
        str, typer.Option(help="The encoder, left as it is: a hub name, folder or artifact; demo: a small one.")
    ] = "ibm-research/CTI-BERT",
    revision: RevisionFlag = None,
    output: Annotated[str | None, typer.Option(help="Folder; default: models/os-baselines.")] = None,
    max_length: OsWindowFlag = OS_BERT.max_length,
    device: DeviceFlag = "auto",
    seed: SeedFlag = 0,
    store: StoreFlag = None,
    expect: ExpectFlag = None,
    plan: PlanFlag = False,
) -> None:
    """Fit logistic regression on words and on vectors, and a random forest; settings are cross-validated."""
    from ctiforge.osbert.base import encoder_input, resolve_encoder
    from ctiforge.osbert.prepared import part_inputs
    from ctiforge.store.hub import pin
    from ctiforge.store.named_models import find_model_uri
    from ctiforge.store.stages import Stage, StageDirs, StageFlags, run_stage

    base_model = pin(find_model_uri(base_model, store), revision)
    model_inputs, model_params = encoder_input(base_model)

    def work(dirs: StageDirs) -> dict[str, Any]:
        from ctiforge.osbert.frozen import train_baselines
        from ctiforge.osbert.pickled import with_safetensors

        named = str(dirs.inputs.get("base_model", resolve_encoder(base_model)))
        base = with_safetensors(named, store, dirs.scratch)
        parts = dirs.inputs["train"], dirs.inputs["validation"]
        return train_baselines(base_model, base, max_length, seed, device, parts, dirs.out)

    result = run_stage(
        Stage("baselines_os", 3, packages=("torch", "transformers", "scikit-learn", "skops")),
        params={"max_length": max_length, "seed": seed} | model_params,
        inputs=part_inputs(data) | model_inputs,
        output=output or (None if store else "models/os-baselines"),
        flags=StageFlags(store=store, expect=expect, plan=plan),
        work=work,
    )
    for name in ("tf-idf", "logistic-regression", "random-forest"):
        fitted = result.summary.get(name)
        if fitted:
            score = fitted["cross_validated_macro_f1"]
            chosen = ", ".join(f"{key} {value}" for key, value in fitted.items() if key != "cross_validated_macro_f1")
            print(f"{name} ({chosen}): macro-F1 {'n/a' if score is None else f'{score:.3f}'} in cross-validation")


if __name__ == "__main__":
    run_program(main)
