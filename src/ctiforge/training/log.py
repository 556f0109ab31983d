"""The curve of a training run, as lines and as a picture."""

from collections.abc import Sequence
from pathlib import Path

from ctiforge.plots import drawing
from ctiforge.records.training import LogLine


def write_log(log: Sequence[dict[str, float]], path: Path) -> None:
    """Write the trainer's log, one JSON object a line: training loss, validation loss, learning rate by step.

    Args:
        log: The entries of the trainer's `log_history`.
        path: The file to write (JSON lines, a `LogLine` each).
    """
    lines = (LogLine.model_validate(line, extra="ignore").model_dump_json(exclude_none=True) for line in log)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def plot_curve(
    log: Sequence[dict[str, float]], title: str, path: Path, unit: str = "loss per answer token (nats)"
) -> None:
    """Draw training and validation loss over optimizer steps, the loss on a logarithmic axis, as a PNG.

    Where validation articles were answered, their F1 stands beside it on an axis of its own.

    Args:
        log: The entries of the trainer's `log_history`.
        title: The title of the picture.
        path: The PNG to write.
        unit: The label of the axis of the loss.
    """
    judged = [(line["step"], line["eval_f1"]) for line in log if "eval_f1" in line]
    with drawing(path, title, across="step (optimizer updates)", up=unit) as axes:
        for name, label, style in (("loss", "training loss", "-"), ("eval_loss", "validation loss", "o-")):
            points = [(line["step"], line[name]) for line in log if name in line]
            if points:
                axes.plot(*zip(*points, strict=True), style, label=label, linewidth=1.4, markersize=3.5)
        axes.set_yscale("log")
        if judged:
            right = axes.twinx()
            right.plot(*zip(*judged, strict=True), "s--", label="F1 (right)", color="tab:green", linewidth=1.4)
            right.set_ylim(0, 1)
            right.set_ylabel("F1 of validation articles")
            right.legend(loc="center right", frameon=False)
