"""Files of this machine that pods need: copied into the store, under the hash of their content."""

from collections.abc import Callable
from pathlib import Path

from ctiforge.errors import UsageError
from ctiforge.lines import LINES
from ctiforge.settings import Settings
from ctiforge.store.objects import ObjectStore, hash_file


def share_files(settings: Settings, store: ObjectStore, say: Callable[[str], None]) -> Settings:
    """Replace the local ones of `json_files`, and of settings that name a file, by URIs of copies in the store.

    A file that lies there already is not uploaded again. Raises UsageError for what is no file,
    StoreError from the store.
    """
    uris = tuple(_share(each, "--json-files", store, say) for each in settings.json_files)
    named = {name: place for name in file_settings() if (place := settings.value(name))}
    shared = {name: _share(place, name, store, say) for name, place in named.items()}
    return settings.model_copy(update={"json_files": uris, **shared})


def file_settings() -> list[str]:
    """Give the settings of all lines that name a file of this machine."""
    return [setting.name for line in LINES.values() for setting in line.settings if setting.is_file]


def _share(place: str, setting: str, store: ObjectStore, say: Callable[[str], None]) -> str:
    if "://" in place:
        return place
    path = Path(place)
    if not path.is_file():
        raise UsageError(f"{setting} {path}: there is no such file")
    key = f"inputs/{hash_file(path).sha256}/{path.name}"
    if not store.exists(key):
        store.upload(path, key)
        say(f"{path}: copied to {store.uri}/{key}")
    return f"{store.uri}/{key}"
