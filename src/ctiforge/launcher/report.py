"""Runs in words: the list of them, and one with its stages."""

from datetime import datetime

from ctiforge.errors import ExitCode, StoreError
from ctiforge.launcher.failures import MEANINGS
from ctiforge.records.base import SchemaError
from ctiforge.records.run import RunRecord, StageRecord, State
from ctiforge.store.fingerprint import SHORT
from ctiforge.store.launcher_note import as_it_stands
from ctiforge.store.objects import ObjectStore
from ctiforge.store.reading import read_each
from ctiforge.store.runs import load_run, run_ids

SHOWN = 20


def describe_runs(store: ObjectStore) -> str:
    """Give the newest runs, one line each; of one whose record cannot be read, why and what to do."""
    ids = run_ids(store)
    if not ids:
        return f"{store.uri}: there are no runs yet"
    lines = list(read_each(lambda run_id: _listed(store, run_id), ids[:SHOWN]))
    if len(ids) > SHOWN:
        lines.append(f"and {len(ids) - SHOWN} older ones")
    return "\n".join(lines)


def describe_run(run: RunRecord) -> str:
    """Describe one run: why it ended, a line for each stage, and what a failed one said last."""
    width = max((len(stage.name) for stage in run.stages), default=0)
    lines = [_run_line(run), *([f"  {run.reason}"] if run.reason else [])]
    for stage in run.stages:
        lines.append(f"  {stage.name:<{width}}  {_stage_words(stage)}")
        lines += [f"    {line}" for line in (stage.cause.lines() if stage.cause else ())]
        lines += [f"    | {line}" for line in stage.last_lines]
    return "\n".join(lines)


def describe_end(run: RunRecord, folder: str) -> list[str]:
    """Say that a run is done, where its evaluations lie, and what a gate has against its model."""
    lines = [f"run {run.id} is done; its evaluations lie in {folder}"]
    for stage in run.stages:
        if stage.exit_code == ExitCode.GATE:
            lines += [f"{stage.name}: {MEANINGS[stage.exit_code]}", *stage.last_lines]
    return lines


def _listed(store: ObjectStore, run_id: str) -> str:
    try:
        return _run_line(as_it_stands(store, load_run(store, run_id)))
    except (StoreError, SchemaError) as error:
        return f"{run_id}  cannot be read  {error}"


def _run_line(run: RunRecord) -> str:
    done = sum(stage.state in ("done", "cached", "skipped") for stage in run.stages)
    words = [run.id, run.state, f"{done}/{len(run.stages)} stages", f"{run.started_at:%Y-%m-%d %H:%M}"]
    if run.ended_at:
        words.append(_took(run.started_at, run.ended_at))
    if run.exit_code:
        words.append(_ended(run.state, run.exit_code))
    return "  ".join(words)


def _stage_words(stage: StageRecord) -> str:
    words: list[str] = [stage.state]
    if stage.fingerprint:
        words.append(stage.fingerprint[:SHORT])
    if stage.started_at and stage.ended_at:
        words.append(_took(stage.started_at, stage.ended_at))
    if stage.exit_code:
        words.append(_ended(stage.state, stage.exit_code))
    if stage.artifact:
        words.append(stage.artifact)
    return "  ".join(words)


def _ended(state: State, exit_code: int) -> str:
    # of what failed with it, like an export that answers otherwise than its source, the reason stands beside
    was_decided = exit_code == ExitCode.GATE and state == "done"
    return "the gate was not passed" if was_decided else f"exit code {exit_code}"


def _took(start: datetime, end: datetime) -> str:
    return f"{(end - start).total_seconds():.0f} s"
