"""Files of this machine that pods need: copied into the store, under the hash of their content."""

from collections.abc import Callable
from pathlib import Path

from ctiforge.errors import UsageError
from ctiforge.settings import Settings
from ctiforge.store.objects import ObjectStore, hash_file


def share_files(settings: Settings, store: ObjectStore, say: Callable[[str], None]) -> Settings:
    """The settings with every local one of `json_files` replaced by the URI of its copy in the store.

    A file that lies there already is not uploaded again. Raises UsageError for what is no file,
    StoreError from the store.
    """
    uris = tuple(each if "://" in each else _share(Path(each), store, say) for each in settings.json_files)
    return settings.model_copy(update={"json_files": uris})


def _share(path: Path, store: ObjectStore, say: Callable[[str], None]) -> str:
    if not path.is_file():
        raise UsageError(f"--json-files {path}: there is no such file")
    key = f"inputs/{hash_file(path).sha256}/{path.name}"
    if not store.exists(key):
        store.upload(path, key)
        say(f"{path}: copied to {store.uri}/{key}")
    return f"{store.uri}/{key}"
