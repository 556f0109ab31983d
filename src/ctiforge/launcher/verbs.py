"""The verbs of the launcher that do something: plan and run a line, sweep, stop a run, check the place."""

import json
import signal
from contextlib import closing
from typing import TYPE_CHECKING, Annotated

import typer

from ctiforge.errors import UsageError
from ctiforge.launcher.asked import BackendFlag, StoreFlag, check_run, load, open_to_check, say

if TYPE_CHECKING:
    from ctiforge.launcher.backend import Backend
    from ctiforge.settings import Loaded, Settings

NOT_FOUND = 404
LineArgument = Annotated[str, typer.Argument(help="What to train: extract or os-bert.")]
ModelFlag = Annotated[str | None, typer.Option(help="Base model: a Hugging Face name or folder, or demo.")]
JsonFilesFlag = Annotated[
    list[str] | None, typer.Option(help="Result files to harvest, paths or s3://… (repeat the flag).")
]
DatabaseFlag = Annotated[
    bool | None,
    typer.Option("--from-database/--no-database", help="Harvest the database; default: unless files are given."),
]
BaseRevisionFlag = Annotated[
    str | None,
    typer.Option(help="Of --model: branch, tag or commit, the same as NAME@REVISION; default: what main is now."),
]
MaxLengthFlag = Annotated[int | None, typer.Option(help="Tokens of prompt, window and answer together.")]
ReleaseFlag = Annotated[str | None, typer.Option("--release", help="The Helm release of the chart.")]
NamespaceFlag = Annotated[str | None, typer.Option("--namespace", help="The release's namespace.")]
DryRunFlag = Annotated[bool, typer.Option("--dry-run", help="Stop after the plan.")]
SetFlag = Annotated[
    list[str] | None,
    typer.Option("--set", help="A further flag of a stage: train_extract.epochs=5. May be repeated.", metavar="FLAG"),
]


def run(
    line: LineArgument,
    store: StoreFlag = None,
    model: ModelFlag = None,
    revision: BaseRevisionFlag = None,
    test_set: Annotated[str | None, typer.Option(help="Test set to evaluate on: name or name@2.")] = None,
    json_files: JsonFilesFlag = None,
    from_database: DatabaseFlag = None,
    in_use: Annotated[str | None, typer.Option(help="The model in use, evaluated beside the new one.")] = None,
    promote: Annotated[
        bool | None, typer.Option("--promote/--no-promote", help="End with the gate; default: promote_auto.")
    ] = None,
    max_length: MaxLengthFlag = None,
    outputs: Annotated[str | None, typer.Option(help="Folder that evaluations are collected in.")] = None,
    set_: SetFlag = None,
    backend: BackendFlag = None,
    release: ReleaseFlag = None,
    namespace: NamespaceFlag = None,
    run_id: Annotated[str | None, typer.Option(help="Name the run; one that is there is gone on with.")] = None,
    dry_run: DryRunFlag = False,
    detach: Annotated[bool, typer.Option("--detach", help="Hand the run to a Job of the cluster and return.")] = False,
) -> None:
    """Run a line's stages in order, skipping what is done; the same command goes on after a stop.

    The database is named by DATABASE_URL; without one, a demo database is used. In a cluster it is
    the one that the chart names.
    """
    from ctiforge.launcher.announcing import Announcing
    from ctiforge.launcher.run import run_line
    from ctiforge.lines import find_line
    from ctiforge.settings import load_settings

    names = find_line(line)
    flags = {"store": store, "max_length": max_length, "outputs": outputs, "promote_auto": promote}
    model = _with_revision(model, revision)
    flags |= {names.model: model, names.test_set: test_set, names.in_use: in_use}
    data = {"json_files": json_files or None, "from_database": from_database}
    place = {"backend": backend, "release": release, "namespace": namespace, "run_id": run_id}
    loaded = load_settings({**flags, **data, **place, "stages": _stage_flags(set_ or [])})
    _end_with_the_terminal()
    if detach:
        _detach(line, loaded)
        return
    with Announcing(loaded.settings, line, is_over=dry_run) as announcing:
        settings, where = _find_backend(loaded)
        with closing(where):
            run_line(line, settings, where, announcing, dry_run=dry_run)


def sweep(
    line: LineArgument,
    param: Annotated[
        list[str] | None,
        typer.Option(
            help="Values of a flag of the training: learning-rate=1e-5,2e-5. May be repeated; default: the guide's "
            "ranges of learning-rate and epochs.",
            metavar="FLAG=V1,V2",
        ),
    ] = None,
    parallel: Annotated[int, typer.Option(min=1, help="Trainings at a time; more than 1 in a cluster only.")] = 1,
    store: StoreFlag = None,
    model: ModelFlag = None,
    revision: BaseRevisionFlag = None,
    json_files: JsonFilesFlag = None,
    from_database: DatabaseFlag = None,
    max_length: MaxLengthFlag = None,
    outputs: Annotated[str | None, typer.Option(help="Folder that the table and picture are written in.")] = None,
    set_: SetFlag = None,
    backend: BackendFlag = None,
    release: ReleaseFlag = None,
    namespace: NamespaceFlag = None,
    run_id: Annotated[str | None, typer.Option(help="Name the sweep; one that is there is gone on with.")] = None,
    dry_run: DryRunFlag = False,
) -> None:
    """Train a line's model with every combination of some flags, and choose on validation alone.

    Nothing of a test set is read: `ctiforge run` evaluates the winner, with the flags that the sweep
    prints. Points that are trained already are not trained again.
    """
    from ctiforge.launcher.announcing import Announcing
    from ctiforge.launcher.sweep import run_sweep
    from ctiforge.lines import find_line
    from ctiforge.settings import load_settings

    names = find_line(line)
    place = {"backend": backend, "release": release, "namespace": namespace}
    flags = {"store": store, "max_length": max_length, "outputs": outputs, **place}
    data = {"json_files": json_files or None, "from_database": from_database}
    model = _with_revision(model, revision)
    given = {**flags, names.model: model, **data, "run_id": run_id}
    loaded = load_settings({**given, "stages": _stage_flags(set_ or [])})
    again = [f"--{name.replace('_', '-')}={value}" for name, value in {**flags, "model": model}.items() if value]
    again += [f"--json-files={each}" for each in json_files or []]
    again += [] if from_database is None else ["--from-database" if from_database else "--no-database"]
    again += [f"--set={each}" for each in set_ or []]
    _end_with_the_terminal()
    with Announcing(loaded.settings, line, is_over=dry_run) as announcing:
        settings, where = _find_backend(loaded)
        with closing(where):
            run_sweep(line, param or [], settings, where, announcing, again=again, parallel=parallel, dry_run=dry_run)


def cancel(
    run_id: Annotated[
        str,
        typer.Argument(metavar="RUN", help="A run's id; a retrain's is the name of its Job.", callback=check_run),
    ],
    force: Annotated[bool, typer.Option("--force", help="End also what other runs follow.")] = False,
    backend: BackendFlag = None,
) -> None:
    """Stop a run in the cluster, handed over and scheduled ones too; its artifacts stay.

    Its launcher ends first, then its Jobs: no pod of them is left. A Job that other runs follow goes on, and they are
    named.
    """
    from ctiforge.launcher.kubernetes.cancelling import cancel as cancel_run
    from ctiforge.launcher.kubernetes.refusals import ClusterError
    from ctiforge.launcher.kubernetes.release import find_release
    from ctiforge.settings import load_settings
    from ctiforge.store.objects import open_store

    loaded = load_settings({"backend": backend})
    if loaded.settings.backend == "local":
        raise UsageError(
            "a run on this machine is stopped by Ctrl-C in its terminal; for one in a cluster --backend kubernetes"
        )
    try:
        found = find_release(loaded)
    except ClusterError as error:
        if error.status != NOT_FOUND:
            raise
        left = f"kubectl delete jobs -l ctiforge.io/run={run_id}"
        raise ClusterError(
            f"{error}; of a release that was uninstalled, `{left}` ends what is left", NOT_FOUND
        ) from None
    cancelled = cancel_run(found.cluster, open_store(found.settings.store), found.name, run_id, force=force)
    say(f"{run_id}: {cancelled.jobs} Jobs deleted, no pod of them is left; artifacts stay")
    for job, why in cancelled.go_on.items():
        say(f"job {job} goes on: {why}")
    if cancelled.go_on:
        say("--force ends it for all")


def config() -> None:
    """Print each setting and where it came from, secrets masked."""
    from ctiforge.settings import load_settings

    lines = list(load_settings().lines())
    width = max(len(name) for name, _, _ in lines)
    for name, value, origin in lines:
        say(f"{name:<{width}}  {value}  ({origin})")


def doctor(store: StoreFlag = None, backend: BackendFlag = None) -> None:
    """Check the store and, in a cluster, API, rights, chart, and each stage's image, secrets and place to run."""
    from ctiforge.store.bucket import bucket_notes
    from ctiforge.store.check import check_store

    loaded = load(store, backend)
    is_well = loaded.settings.backend == "local" or _cluster_is_well(loaded)
    opened = open_to_check(loaded)
    say(f"store {opened.uri}")
    for passed in check_store(opened):
        say(f"  ok: {passed}")
    for note in bucket_notes(opened):
        say(f"  note: {note}")
    if not is_well:
        raise UsageError("the cluster is not ready for a run: see the problems above")


def _end_with_the_terminal() -> None:
    """Let a terminal that is closed stop the run as SIGTERM does; nohup is left alone."""
    if signal.getsignal(signal.SIGHUP) == signal.SIG_DFL:
        signal.signal(signal.SIGHUP, signal.getsignal(signal.SIGTERM))


def _find_backend(loaded: "Loaded") -> "tuple[Settings, Backend]":
    """Where stages run, and the settings with its store and with files that it can read."""
    if loaded.settings.backend == "local":
        from ctiforge.launcher.local import LocalBackend

        return loaded.settings, LocalBackend()
    from ctiforge.launcher.kubernetes.backend import KubernetesBackend
    from ctiforge.launcher.kubernetes.release import find_release
    from ctiforge.launcher.sharing import share_files
    from ctiforge.store.objects import open_store

    found = find_release(loaded)
    opened = open_store(found.settings.store)
    settings = share_files(found.settings, opened, say)
    return settings, KubernetesBackend(found.cluster, found.name, opened)


def _cluster_is_well(loaded: "Loaded") -> bool:
    """Say every finding about the cluster; False when one is a problem."""
    from itertools import chain

    from ctiforge import __version__
    from ctiforge.launcher.kubernetes.connecting import connect
    from ctiforge.launcher.kubernetes.doctor import check_cluster, check_stages
    from ctiforge.lines import LINES

    settings = loaded.settings
    cluster = connect(settings.context, settings.namespace)
    programs = list(dict.fromkeys(stage.program for line in LINES.values() for stage in line.stages))
    first = check_cluster(cluster, settings.release, programs[0], __version__)
    is_well = True
    say(f"cluster, release {settings.release}")
    for finding in chain(first, check_stages(cluster, settings.release, programs)):
        say(f"  {finding.level}: {finding.text}" + (f"; {finding.remedy}" if finding.remedy else ""))
        is_well = is_well and finding.level != "problem"
    return is_well


def _detach(line: str, loaded: "Loaded") -> None:
    from ctiforge.launcher.kubernetes.connecting import connect
    from ctiforge.launcher.kubernetes.release import find_release
    from ctiforge.launcher.kubernetes.runs import submit
    from ctiforge.launcher.sharing import file_settings, share_files
    from ctiforge.lines import find_line
    from ctiforge.settings import TRAVELS
    from ctiforge.store.objects import open_store
    from ctiforge.store.runs import new_run_id

    settings = loaded.settings
    if settings.json_files or any(settings.value(name) for name in file_settings()):
        # nothing else of a run that is handed over needs the store from here
        found = find_release(loaded)
        cluster, settings = found.cluster, share_files(found.settings, open_store(found.settings.store), say)
    else:
        cluster = connect(settings.context, settings.namespace)
    run_id = settings.run_id or new_run_id(line)
    # what was set here goes along; where the runner is, and its store, the chart knows
    own = [*TRAVELS, *(setting.name for setting in find_line(line).settings)]
    given = {name for name in own if any(key == name or key.startswith(f"{name}.") for key in loaded.origins)}
    environment = {
        f"CTIFORGE_{name.upper()}": value if isinstance(value, str) else json.dumps(value)
        for name, value in settings.model_dump().items()
        if name in given
    }
    submit(cluster, settings.release, run_id, ["run", line], environment)
    say(f"run {run_id} goes on in the cluster; `ctiforge status {run_id}`, `ctiforge logs {run_id}`")


def _with_revision(model: str | None, revision: str | None) -> str | None:
    """Give the model as the settings name it: `NAME@REVISION`."""
    from ctiforge.store.hub import with_revision

    if revision and not model:
        raise UsageError(f"--revision {revision}: give --model with it, or set the model to NAME@{revision}")
    return model and with_revision(model, revision)


def _stage_flags(texts: list[str]) -> dict[str, dict[str, str | bool]]:
    flags: dict[str, dict[str, str | bool]] = {}
    for text in texts:
        place, equals, value = text.partition("=")
        stage, dot, name = place.partition(".")
        if not (equals and dot and stage and name):
            raise UsageError(f"--set {text}: write it as stage.flag=value, like train_extract.epochs=5")
        flags.setdefault(stage, {})[name.replace("-", "_")] = {"true": True, "false": False}.get(value, value)
    return flags
