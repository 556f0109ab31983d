"""Fine-tunes the Extract Agent on prepared examples."""

from datetime import date
from typing import Annotated, Any, get_args

import typer

from ctiforge.pod.entry import run_program
from ctiforge.programs.flags import (
    DeviceFlag,
    EpochsFlag,
    EstimateFlag,
    EvalStepsFlag,
    ExpectFlag,
    FirstNodeFlag,
    MaxStepsFlag,
    ModelFolderFlag,
    NodeFlag,
    NodesFlag,
    NprocFlag,
    PatienceFlag,
    PlanFlag,
    ReportToFlag,
    ResumeFlag,
    RevisionFlag,
    SaveStepsFlag,
    ScheduleFlag,
    SeedFlag,
    StoreFlag,
    choose,
    machines_of,
)
from ctiforge.training.options import AGENT, CHOICE_WEIGHT, LORA, Attention, LoraOptions, Method, TrainingOptions


def main(
    data: Annotated[
        str | None,
        typer.Option(
            help="Examples of format_extract: a folder or artifact; or your own rows, messages or prompt and answer: "
            "a .jsonl or .parquet file, or a folder with train and validation. --estimate needs none."
        ),
    ] = None,
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
    learning_rate: Annotated[
        float | None, typer.Option(min=1e-9, max=1.0, help="Default: 2e-4 for an adapter, 2e-5 for all weights.")
    ] = None,
    max_length: Annotated[int, typer.Option(min=16, help="Must be what the data was cut for.")] = AGENT.max_length,
    warmup_ratio: Annotated[float, typer.Option(min=0.0, max=1.0)] = AGENT.training.warmup_ratio,
    schedule: ScheduleFlag = AGENT.training.schedule,
    weight_decay: Annotated[float, typer.Option(min=0.0)] = AGENT.training.weight_decay,
    adam_beta2: Annotated[float, typer.Option(min=0.0, max=0.99999)] = AGENT.training.adam_beta2,
    method: Annotated[
        str | None,
        typer.Option(help="qlora (an adapter over a 4-bit base; the default), lora (over the base as it is) or full."),
    ] = None,
    qlora: Annotated[
        bool | None, typer.Option("--qlora/--no-qlora", help="The same as --method qlora, or --method full.")
    ] = None,
    precision: Annotated[
        str, typer.Option(help="What to compute in: fp32, bf16, fp16, or auto: what the device does best.")
    ] = "auto",
    optimizer: Annotated[
        str, typer.Option(help="adamw, or adamw-8bit, whose averages take a quarter of the memory.")
    ] = "adamw",
    choice_weight: Annotated[
        float,
        typer.Option(
            min=0.0, max=1000.0, help="What the choice of an item or an empty answer weighs beside all tokens together."
        ),
    ] = CHOICE_WEIGHT,
    select_by: Annotated[
        str, typer.Option(help="What chooses the weights: loss, f1 (greedy answers), or auto: f1 on a GPU, else loss.")
    ] = "auto",
    attention: Annotated[
        str, typer.Option(help="How attention is computed: auto, sdpa, eager, or flex (on a GPU).")
    ] = "auto",
    lora_r: Annotated[int | None, typer.Option(min=1, help=f"The adapter's rank; default: {LORA.r}.")] = None,
    lora_alpha: Annotated[
        int | None, typer.Option(min=1, help=f"The adapter's output is scaled by alpha / r; default: {LORA.alpha}.")
    ] = None,
    lora_dropout: Annotated[
        float | None,
        typer.Option(min=0.0, max=0.99, help=f"Share of its inputs that training drops; default: {LORA.dropout}."),
    ] = None,
    lora_targets: Annotated[
        str | None,
        typer.Option(
            help=f"The layers that it is laid beside: names of modules, as q_proj,v_proj; default: {LORA.targets}."
        ),
    ] = None,
    save_steps: SaveStepsFlag = AGENT.training.save_steps,
    eval_steps: EvalStepsFlag = AGENT.training.eval_steps,
    early_stopping_patience: PatienceFlag = AGENT.training.early_stopping_patience,
    resume: ResumeFlag = AGENT.training.resume,
    prompt: Annotated[
        str | None, typer.Option(help="Of rows of your own: the prompt they were written with, a TOML file.")
    ] = None,
    device: DeviceFlag = "auto",
    nproc: NprocFlag = 1,
    nodes: NodesFlag = 1,
    node: NodeFlag = 0,
    first_node: FirstNodeFlag = None,
    fsdp: Annotated[
        bool,
        typer.Option(
            "--fsdp",
            help="With --method full and several processes: each keeps a part of weights, gradients and averages.",
        ),
    ] = False,
    report_to: ReportToFlag = AGENT.training.report_to,
    force: Annotated[bool, typer.Option(help="Train below the minimum of examples.")] = False,
    seed: SeedFlag = AGENT.training.seed,
    store: StoreFlag = None,
    expect: ExpectFlag = None,
    plan: PlanFlag = False,
    estimate: EstimateFlag = False,
) -> None:
    """Fine-tune the Extract Agent, with an adapter or in full, on examples that format_extract prepared."""
    from ctiforge.errors import UsageError
    from ctiforge.store.hub import pin
    from ctiforge.store.named_models import find_model_uri
    from ctiforge.store.stages import Stage, StageDirs, StageFlags, run_stage
    from ctiforge.training.encoding import model_input
    from ctiforge.training.options import (
        LEARNING_RATES,
        OptimizerName,
        Precision,
        Schedule,
        SelectBy,
        check_fsdp,
        choose_lora,
        choose_method,
        result_params,
    )
    from ctiforge.training.summary import default_name, print_training
    from ctiforge.training.tracking import TRACKERS

    named: Method | None = choose("--method", method, get_args(Method))
    chosen = choose_method(named, qlora)
    training = TrainingOptions(
        batch_size=batch_size,
        gradient_accumulation_steps=gradient_accumulation_steps,
        epochs=epochs,
        max_steps=max_steps,
        learning_rate=LEARNING_RATES[chosen] if learning_rate is None else learning_rate,
        warmup_ratio=warmup_ratio,
        schedule=choose("--schedule", schedule, get_args(Schedule)),
        weight_decay=weight_decay,
        adam_beta2=adam_beta2,
        save_steps=save_steps,
        eval_steps=eval_steps,
        early_stopping_patience=early_stopping_patience,
        seed=seed,
        precision=choose("--precision", precision, get_args(Precision)),
        optimizer=choose("--optimizer", optimizer, get_args(OptimizerName)),
        report_to=choose("--report-to", report_to, TRACKERS),
        resume=resume,
    )
    selecting: SelectBy = choose("--select-by", select_by, get_args(SelectBy))
    way: Attention = choose("--attention", attention, get_args(Attention))
    lora = choose_lora(chosen, r=lora_r, alpha=lora_alpha, dropout=lora_dropout, targets=lora_targets)
    if fsdp:
        check_fsdp(chosen, training, selecting, nproc * nodes)
        # what auto chooses with it, on a GPU as well
        selecting = "loss"
    model = pin(find_model_uri(model, store), revision)
    # refused where it is planned, not after the stages before it
    of_each = training.for_ranks(nproc * nodes)
    if estimate:
        shares = nproc * nodes if fsdp else 1
        print("\n".join(_estimate(model, chosen, of_each, lora, max_length, way, device, shares)))
        return
    if data is None:
        raise UsageError("--data is missing: give the output of format_extract")
    machines = machines_of(nodes, node, first_node, store)
    model_inputs, model_params = model_input(model)
    run_name = name or default_name("extract-agent", model, date.today())

    def work(dirs: StageDirs) -> dict[str, Any] | None:
        from ctiforge.extract.train import AgentTraining, train_extract_agent
        from ctiforge.training.together import train_together

        folder = str(dirs.inputs["model"]) if "model" in dirs.inputs else None
        request = AgentTraining(
            model=model,
            name=run_name,
            text_format=text_format,
            max_length=max_length,
            method=chosen,
            lora=lora,
            training=training,
            choice_weight=choice_weight,
            select_by=selecting,
            attention=way,
            fsdp=fsdp,
            device=device,
            force=force,
            folder=folder,
            prompt=dirs.inputs.get("prompt"),
        )
        data = dirs.inputs["data"]
        return train_together(
            train_extract_agent,
            request,
            data,
            dirs.out,
            dirs.scratch,
            dirs.checkpoints,
            nproc,
            machines,
            dirs.is_published,
        )

    in_8_bits = chosen == "qlora" or training.optimizer == "adamw-8bit"
    result = run_stage(
        Stage(
            "train_extract",
            5,
            packages=("torch", "transformers", "peft", "accelerate", *(["bitsandbytes"] if in_8_bits else [])),
        ),
        params=result_params(training, None if chosen == "full" else lora)
        | model_params
        | {"method": chosen}
        | {"format": text_format, "max_length": max_length, "choice_weight": choice_weight}
        | {"select_by": selecting},
        inputs={"data": data, **model_inputs, **({"prompt": prompt} if prompt else {})},
        output=output or (None if store else f"models/{run_name}"),
        flags=StageFlags(store=store, expect=expect, plan=plan),
        work=work,
    )
    if result.summary:
        print_training(result.summary, result.uri, name)


def _estimate(
    model: str,
    method: Method,
    training: TrainingOptions,
    lora: LoraOptions,
    max_length: int,
    attention: Attention,
    device: str,
    shares: int,
) -> list[str]:
    """Say what memory the training takes, on this machine's GPU or, without one, on any that has bf16."""
    from ctiforge.training.estimate import Workload, compute_device, describe
    from ctiforge.training.numerics import choose_numerics
    from ctiforge.training.suitability import check_attention, check_suitable, read_shape

    on, free = compute_device(device)
    shape = read_shape(model)
    check_suitable(shape, name=model, method=method, max_length=max_length, tokens=(), device=on.kind, asked=device)
    check_attention(attention, on.kind)
    numerics = choose_numerics(on, method, training.precision, training.optimizer)
    work = Workload(shape, numerics, lora, training.batch_size, attention, shares=shares)
    return describe(work, model, max_length, free)


if __name__ == "__main__":
    run_program(main)
