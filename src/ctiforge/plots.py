"""Pictures of figures, drawn without a screen."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def drawing(
    path: Path, title: str, *, across: str, up: str, size: tuple[float, float] = (8, 4.5), has_grid: bool = True
) -> Iterator[Any]:
    """Open matplotlib's axes to draw on, and write them as a PNG at the end; what has a label comes into the legend.

    Args:
        path: The PNG to write; nothing is written when the drawing fails.
        title: The title of the picture.
        across: The label of the horizontal axis.
        up: The label of the vertical axis.
        size: Width and height in inches, at 120 dots each.
        has_grid: Whether to draw a grid.

    Yields:
        The axes.

    Raises:
        ImportError: matplotlib is not installed.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=size, dpi=120)
    try:
        yield axes
        axes.set_xlabel(across)
        axes.set_ylabel(up)
        axes.set_title(title)
        if has_grid:
            axes.grid(alpha=0.3)
        if axes.get_legend_handles_labels()[1]:
            axes.legend(fontsize="small")
        figure.tight_layout()
        figure.savefig(path)
    finally:
        pyplot.close(figure)
