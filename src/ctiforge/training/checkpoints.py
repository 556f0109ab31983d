"""Which saved state of a training run can be gone on from."""

from pathlib import Path

# What transformers writes first into a checkpoint and removes last, and the file it writes near the end.
_INCOMPLETE = "checkpoint-is-incomplete.txt"
_LAST_WRITTEN = "trainer_state.json"


def newest_complete(folder: Path) -> Path | None:
    """The newest complete `checkpoint-N` of a training folder; None where there is none."""
    complete = [
        path
        for path in folder.glob("checkpoint-*")
        if path.name.removeprefix("checkpoint-").isdigit()
        and (path / _LAST_WRITTEN).is_file()
        and not (path / _INCOMPLETE).exists()
    ]
    return max(complete, key=lambda path: int(path.name.removeprefix("checkpoint-")), default=None)
