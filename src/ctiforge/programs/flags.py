"""The flags that several programs share, each declared once."""

import os
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from ctiforge.errors import UsageError
from ctiforge.pod.meeting import ONE_MACHINE, Machines

INDEX_VARIABLE = "JOB_COMPLETION_INDEX"
"""Kubernetes sets it in every Indexed Job."""

StoreFlag = Annotated[str | None, typer.Option(help="Where artifacts lie: a folder or s3://bucket/prefix.")]
ExpectFlag = Annotated[
    str | None, typer.Option(help="The fingerprint that the caller expects; another one exits with 2.")
]
PlanFlag = Annotated[
    bool, typer.Option("--plan", help="Print the fingerprint and whether it is cached, and do nothing.")
]

TextArgument = Annotated[str | None, typer.Argument(help="A text file, or - for standard input.")]
ArticleFlag = Annotated[str | None, typer.Option(help="An article of the database (DATABASE_URL) instead.")]
LineArgument = Annotated[str, typer.Argument(help="extract or os-bert.")]
TestSetsFlag = Annotated[
    list[str] | None,
    typer.Option(
        help="Test sets kept out of training; default: all in the store (--store, else CTIFORGE_STORE or its default)."
    ),
]

EvaluationFlag = Annotated[str | None, typer.Option(help="A folder for evaluation.json, or a file X.json.")]
DeviceFlag = Annotated[str, typer.Option(help="auto, cpu or cuda.")]
NprocFlag = Annotated[
    int,
    typer.Option(min=1, help="Processes that train together, each on its own GPU; a step's examples stay as many."),
]
ConstrainedFlag = Annotated[
    bool, typer.Option("--constrained", help="Enforce the answer's schema: JSON is valid by construction.")
]
WindowsTogetherFlag = Annotated[int, typer.Option(min=1, help="Windows that are generated together.")]

BaseModelFlag = Annotated[str, typer.Option(help="The model that is to be trained: folder, hub name, or demo.")]
RevisionFlag = Annotated[
    str | None,
    typer.Option(help="Of a hub name: branch, tag or commit, the same as NAME@REVISION; default: what main is now."),
]
OsDataFlag = Annotated[str, typer.Option(help="Output of prepare_os: a folder or artifact.")]
OsWindowFlag = Annotated[int, typer.Option(help="Tokens of a window; a longer article has several.")]
ModelFolderFlag = Annotated[
    str | None, typer.Option(help="Folder; default: models/ and the name, where no store is given.")
]
EpochsFlag = Annotated[float, typer.Option(min=0.01, max=10_000)]
EstimateFlag = Annotated[
    bool, typer.Option("--estimate", help="Print what memory it takes, by the model's config, and do nothing.")
]
MaxStepsFlag = Annotated[int | None, typer.Option(min=1, help="Stop after so many steps, whatever --epochs says.")]
ScheduleFlag = Annotated[
    str, typer.Option(help="The learning rate after warm-up: linear (falling to 0), cosine (the same) or constant.")
]
SaveStepsFlag = Annotated[int, typer.Option(min=1, help="A crash costs at most so many steps, and at most an epoch.")]
EvalStepsFlag = Annotated[int, typer.Option(min=1, help="At least once an epoch.")]
SeedFlag = Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Of all that is drawn at random.")]
PatienceFlag = Annotated[int, typer.Option(min=1, help="Evaluations without a better loss.")]
ResumeFlag = Annotated[bool, typer.Option("--resume/--no-resume", help="Go on from an interrupted run's checkpoint.")]
ReportToFlag = Annotated[str, typer.Option(help="none, tensorboard, mlflow, wandb or another that transformers know.")]
NodesFlag = Annotated[
    int,
    typer.Option(min=1, help="Machines that train together, each with --nproc processes: the same command on each."),
]
NodeFlag = Annotated[
    int, typer.Option(min=0, envvar=INDEX_VARIABLE, help="With --nodes: which of them this one is, from 0.")
]
FirstNodeFlag = Annotated[
    str | None, typer.Option(help="With --nodes: where the first of them is reached by all, HOST:PORT.")
]
TellFlag = Annotated[str, typer.Option(help="Also tell a tracker: none, tensorboard or mlflow.")]


def machines_of(nodes: int, node: int, first_node: str | None, store: str | None) -> Machines:
    """Read which machines train together.

    Args:
        nodes: How many.
        node: Which of them this one is, from 0.
        first_node: Where the first is reached, `host:port`.
        store: The store, which all must reach.

    Returns:
        The machines.

    Raises:
        UsageError: It is not said where they meet or what they share, or there is no such machine.
    """
    if nodes == 1 and first_node:
        raise UsageError("--first-node: say of how many machines it is the first, with --nodes")
    if nodes == 1 and node and os.environ.get(INDEX_VARIABLE) != str(node):
        raise UsageError(f"--node {node}: say of how many machines, with --nodes")
    if nodes == 1:
        return ONE_MACHINE
    if node >= nodes:
        raise UsageError(f"--node {node}: of {nodes} machines the last one is {nodes - 1}")
    machines = Machines(nodes, node, first_node or "")
    try:
        _ = machines.address
    except ValueError:
        given = f"--first-node {first_node}: " if first_node else "--nodes: "
        raise UsageError(f"{given}say where all reach the first machine, with --first-node HOST:PORT") from None
    if not store:
        raise UsageError("--nodes: give a --store that all machines reach: checkpoints are there")
    return machines


def choose(flag: str, value: str | None, among: Sequence[Any]) -> Any:
    """Read a flag that is one of a few words, or left out.

    Args:
        flag: The flag's name, for the error.
        value: What was given; None: nothing.
        among: What it may be.

    Returns:
        The word, None where nothing was given.

    Raises:
        UsageError: It is none of them.
    """
    if value is not None and value not in among:
        raise UsageError(f"{flag} {value}: choose among {', '.join(among)}")
    return value
