"""This machine's cache of the Hub, made by hand: models that were loaded once, and no network."""

import os
from pathlib import Path

from huggingface_hub.file_download import repo_folder_name


def cache_model(cache: Path, name: str, commit: str, folder: Path, refs: tuple[str, ...] = ("main",)) -> Path:
    """Lay the files of a folder into the cache as one commit of a model; these refs are of that commit from now on."""
    repo = cache / repo_folder_name(repo_id=name, repo_type="model")
    snapshot = repo / "snapshots" / commit
    snapshot.mkdir(parents=True)
    for path in folder.iterdir():
        os.link(path.resolve(), snapshot / path.name)
    (repo / "refs").mkdir(exist_ok=True)
    for ref in refs:
        (repo / "refs" / ref).write_text(commit)
    return snapshot
