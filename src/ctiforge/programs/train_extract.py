"""Fine-tunes the Extract Agent on prepared examples."""

from datetime import date
from typing import Annotated, Any

import typer

from ctiforge.pod.entry import run_program
from ctiforge.programs.flags import (
    DeviceFlag,
    EpochsFlag,
    EvalStepsFlag,
    ExpectFlag,
    MaxStepsFlag,
    ModelFolderFlag,
    PatienceFlag,
    PlanFlag,
    ReportToFlag,
    ResumeFlag,
    RevisionFlag,
    SaveStepsFlag,
    StoreFlag,
)
from ctiforge.training.options import AGENT, LORA


def main(
    data: Annotated[str, typer.Option(help="Examples of format_extract: a folder or artifact.")],
    model: Annotated[str, typer.Option(help="The model to train: folder, hub name, or demo.")] = "demo",
    revision: RevisionFlag = None,
    output: ModelFolderFlag = None,
    text_format: Annotated[
        str, typer.Option("--format", help="The format that the data was prepared in.")
    ] = "messages",
    name: Annotated[str | None, typer.Option(help="Default: extract-agent-{base}-{YYYYMMDD}.")] = None,
    batch_size: Annotated[
        int, typer.Option(min=1, help="Examples in memory at once (micro-batch).")
    ] = AGENT.training.batch_size,
    gradient_accumulation_steps: Annotated[
        int, typer.Option(min=1, help="Micro-batches of one step.")
    ] = AGENT.training.gradient_accumulation_steps,
    epochs: EpochsFlag = AGENT.training.epochs,
    max_steps: MaxStepsFlag = AGENT.training.max_steps,
    learning_rate: Annotated[float, typer.Option(min=0.0)] = AGENT.training.learning_rate,
    max_length: Annotated[int, typer.Option(min=16, help="Must be what the data was cut for.")] = AGENT.max_length,
    warmup_ratio: Annotated[float, typer.Option(min=0.0, max=1.0)] = AGENT.training.warmup_ratio,
    weight_decay: Annotated[float, typer.Option(min=0.0)] = AGENT.training.weight_decay,
    adam_beta2: Annotated[float, typer.Option(min=0.0, max=1.0)] = AGENT.training.adam_beta2,
    qlora: Annotated[
        bool, typer.Option("--qlora/--no-qlora", help="4-bit base with LoRA, or all weights.")
    ] = AGENT.qlora,
    lora_r: Annotated[int, typer.Option(min=1)] = LORA.r,
    lora_alpha: Annotated[int, typer.Option(min=1)] = LORA.alpha,
    save_steps: SaveStepsFlag = AGENT.training.save_steps,
    eval_steps: EvalStepsFlag = AGENT.training.eval_steps,
    early_stopping_patience: PatienceFlag = AGENT.training.early_stopping_patience,
    resume: ResumeFlag = AGENT.training.resume,
    device: DeviceFlag = "auto",
    report_to: ReportToFlag = AGENT.training.report_to,
    force: Annotated[bool, typer.Option(help="Train below the minimum of examples.")] = False,
    seed: int = AGENT.training.seed,
    store: StoreFlag = None,
    expect: ExpectFlag = None,
    plan: PlanFlag = False,
) -> None:
    """Fine-tune the Extract Agent, with QLoRA or in full, on examples that format_extract prepared."""
    from ctiforge.store.hub import pin
    from ctiforge.store.named_models import find_model_uri
    from ctiforge.store.stages import Stage, StageDirs, StageFlags, run_stage
    from ctiforge.training.encoding import model_input
    from ctiforge.training.options import LoraOptions, TrainingOptions, result_params
    from ctiforge.training.summary import default_name, print_training

    training = TrainingOptions(
        batch_size=batch_size,
        gradient_accumulation_steps=gradient_accumulation_steps,
        epochs=epochs,
        max_steps=max_steps,
        learning_rate=learning_rate,
        warmup_ratio=warmup_ratio,
        weight_decay=weight_decay,
        adam_beta2=adam_beta2,
        save_steps=save_steps,
        eval_steps=eval_steps,
        early_stopping_patience=early_stopping_patience,
        seed=seed,
        report_to=report_to,
        resume=resume,
    )
    lora = LoraOptions(lora_r, lora_alpha)
    model = pin(find_model_uri(model, store), revision)
    model_inputs, model_params = model_input(model)
    run_name = name or default_name("extract-agent", model, date.today())

    def work(dirs: StageDirs) -> dict[str, Any]:
        from ctiforge.extract.train import AgentTraining, train_extract_agent

        folder = str(dirs.inputs["model"]) if "model" in dirs.inputs else None
        request = AgentTraining(model, run_name, text_format, max_length, qlora, lora, training, device, force, folder)
        return train_extract_agent(request, dirs.inputs["data"], dirs.out, dirs.scratch, dirs.checkpoints)

    result = run_stage(
        Stage(
            "train_extract",
            2,
            packages=("torch", "transformers", "peft", "accelerate", *(["bitsandbytes"] if qlora else [])),
        ),
        params=result_params(training, lora if qlora else None)
        | model_params
        | {"format": text_format, "max_length": max_length},
        inputs={"data": data, **model_inputs},
        output=output or (None if store else f"models/{run_name}"),
        flags=StageFlags(store=store, expect=expect, plan=plan),
        work=work,
    )
    if result.summary:
        print_training(result.summary, result.uri)


if __name__ == "__main__":
    run_program(main)
