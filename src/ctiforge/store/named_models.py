"""`models:extract@champion`: a version of the registry, wherever a model is named.

After the `@` stands `champion`, `previous` (the one in use before it) or a version's number.
"""

from ctiforge.errors import UsageError
from ctiforge.lines import find_line
from ctiforge.records.registry import ModelRecord
from ctiforge.settings import load_settings
from ctiforge.store.models import Registry
from ctiforge.store.objects import find_store
from ctiforge.store.owned import check_usable

PREFIX = "models:"


def find_model_uri(model: str, store: str | None = None) -> str:
    """Resolve what names a model.

    Args:
        model: `models:LINE@champion`, `models:LINE@previous` or `models:LINE@VERSION`; or what names one otherwise.
        store: The URI of the store with the registry; None: that of the settings.

    Returns:
        The URI of the version's files; a name that is no version's as it is.

    Raises:
        UsageError: There is no such line, version or store.
        DataError: Nothing is left of the version's files.
        StoreError: The store does not answer.
    """
    return find_registered(model, store)[0]


def find_registered(model: str, store: str | None = None) -> tuple[str, ModelRecord | None]:
    """Resolve what names a model, and say which version it is: both of one look, whoever is promoted meanwhile.

    Args:
        model: As for `find_model_uri`.
        store: As for `find_model_uri`.

    Returns:
        What `find_model_uri` gives, and the version's record; None for a name that is no version's.

    Raises:
        UsageError: There is no such line, version or store.
        DataError: Nothing is left of the version's files.
        StoreError: The store does not answer.
    """
    if not model.startswith(PREFIX):
        return model, None
    line, _, which = model.removeprefix(PREFIX).partition("@")
    uri = load_settings({"store": store}).settings.store
    opened = find_store(uri)
    if opened is None:
        raise UsageError(f"{model}: the store {uri} is not there; name it with --store or CTIFORGE_STORE")
    record = find_version(Registry(opened, find_line(line).name), which)
    return check_usable(opened, record), record


def find_version(registry: Registry, which: str) -> ModelRecord:
    """Find the version that a word names.

    Args:
        registry: The line's registry.
        which: `champion`, `previous` or a number.

    Returns:
        The version's record.

    Raises:
        UsageError: It is no such word, or there is no such version.
    """
    line = registry.line
    if which.isdecimal():
        return registry.get(int(which))
    if which not in ("champion", "previous"):
        raise UsageError(f"{PREFIX}{line}@{which}: after the @ give champion, previous or a version's number")
    champion = registry.standing().champion
    if champion is None:
        raise UsageError(f"{PREFIX}{line}@{which}: {line} has no champion yet in {registry.store.uri}")
    version = champion.version if which == "champion" else champion.before()
    if version is None:
        raise UsageError(f"{PREFIX}{line}@{which}: no version was in use before version {champion.version}")
    return registry.get(version)
