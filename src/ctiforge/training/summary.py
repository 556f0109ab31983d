"""What a training is called where nobody names it, and what is said of it when it is done."""

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

from ctiforge.store.hub import split_name

_FIGURES = ("macro_f1", "recall_of_multiple")


def default_name(kind: str, base_model: str, today: date) -> str:
    """Name a model as the guide does: `{kind}-{base}-{YYYYMMDD}`.

    Args:
        kind: `extract-agent` or `os-bert`.
        base_model: A hub name or path; its last part is taken, in lower case.
        today: The day it is trained.

    Returns:
        The name.
    """
    return f"{kind}-{Path(split_name(base_model)[0].rstrip('/')).name.lower()}-{today:%Y%m%d}"


def print_training(summary: Mapping[str, Any], uri: str | None, named: str | None = None) -> None:
    """Print what was trained, how it deviates from the guide's settings, and where it lies.

    Args:
        summary: What `training_metadata.json` holds, as the stage's manifest keeps it; of a model with windows
            it also says how they are pooled, and why.
        uri: Where the model lies.
        named: What it was to be called; None: nobody said.
    """
    if named and named != summary["name"]:
        print(
            f"warning: --name {named} is not taken: this training was done before, and its model is called "
            f"{summary['name']}"
        )
    for warning in summary["warnings"]:
        print(f"warning: {warning}")
    for trial in summary.get("pooling_trials", ()):
        macro_f1, recall = ("n/a" if trial[name] is None else f"{trial[name]:.3f}" for name in _FIGURES)
        print(
            f"pooling {trial['pooling']}: validation macro-F1 {macro_f1}, recall of multiple {recall} "
            "(linear head on the encoder as it is, where training starts)"
        )
    for setting, (usual, ours) in summary["deviations_from_guide"].items():
        print(f"deviates from the guide: {setting} {ours} instead of {usual}")
    read = ""
    if summary.get("pooling"):
        read = f"{summary['examples']} articles, {summary['windows']} windows, pooling {summary['pooling']}; "
    loss = summary["best_validation_loss"]
    curve = [point for point in summary["validation_curve"] if point.get("choice_auc") is not None]
    best = [point["choice_auc"] for point in curve if point["step"] == summary["best_step"]]
    if best:
        print(
            f"telling windows with an item from windows without: AUC {best[0]:.3f} at step {summary['best_step']} "
            f"({curve[0]['choice_auc']:.3f} at step {curve[0]['step']}; 0.5 is chance)"
        )
    if threshold := summary.get("item_threshold"):
        print(_threshold_line(threshold))
    speed = f" ({summary['tokens_per_s']:,.0f} tokens/s)" if summary.get("tokens_per_s") else ""
    print(
        f"{summary['name']}: {read}{summary['steps_done']} steps in {summary['seconds']:.0f} s{speed} "
        f"on {summary['device']}, "
        f"{_chosen_by(summary, loss)} at step {summary['best_step']}"
        f"{' (stopped early)' if summary['stopped_early'] else ''} -> {uri}"
    )


def _chosen_by(summary: Mapping[str, Any], loss: float | None) -> str:
    told = f"best validation loss {loss if loss is None else round(loss, 4)}"
    if summary.get("best_validation_f1") is None:
        return told
    return f"best F1 of validation articles {summary['best_validation_f1']:.3f}, {told.removeprefix('best ')}"


def _threshold_line(threshold: Mapping[str, Any]) -> str:
    quality = threshold["quality"]
    by_type = ", ".join(f"{name} {share:.3f}" for name, share in sorted(quality.get("by_type", {}).items()))
    told = "unknown" if quality["auc"] is None else f"{quality['auc']:.3f}"
    line = (
        f"threshold of an item, on all {quality['windows']} windows of {threshold['articles']} validation articles "
        f"({quality['with_item']} with an item): AUC {told}{f' ({by_type})' if by_type else ''}; "
    )
    if threshold["bias"] is None:
        return f"{line}none set ({threshold['why_none']})"
    return f"{line}bias {threshold['bias']:+.2f}, F1 {threshold['f1_without']:.3f} -> {threshold['f1']:.3f}"
