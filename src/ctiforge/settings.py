"""Settings: flags, then the environment, then `ctiforge.toml`, then defaults; each knows where it came from."""

import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from ctiforge.errors import UsageError

FILE = "ctiforge.toml"
API_KEY = "OPENAI_API_KEY"
"""The variable that clients of OpenAI-compatible endpoints read their key from."""
MASK = "********"


class Settings(BaseSettings):
    """What a run needs to know: `CTIFORGE_<NAME>` in the environment, `name = …` in the file."""

    model_config = SettingsConfigDict(env_prefix="CTIFORGE_", env_ignore_empty=True, extra="forbid", frozen=True)

    store: str = ".ctiforge/store"
    """Where artifacts and runs lie: a folder or `s3://bucket/prefix`."""
    database_url: SecretStr | None = None
    """PostgreSQL with the articles; None: the embedded demo database. `DATABASE_URL` names it as well."""
    json_files: tuple[str, ...] = ()
    """Result files to harvest: paths of this machine or `s3://` URIs; a cluster gets a copy by content."""
    from_database: bool | None = None
    """Whether to harvest the database; None: unless there are `json_files`."""
    model: str = "demo"
    """The Extract Agent's base model: a Hugging Face name or a folder; `demo` is the small one in this package."""
    test_set: str = "demo"
    """The test set that it is evaluated on: `name` (its newest version) or `name@2`."""
    in_use: str | None = None
    """The one in use, a folder, an artifact or a hub name: evaluated beside the new one; None: the champion, if any."""
    served_endpoint: str | None = None
    """An OpenAI-compatible address that serves what the application uses today: evaluated in every run."""
    served_model: str = "default"
    """The model's name there."""
    served_prompt: str | None = None
    """A file with the application's own prompt: whole articles are asked about, as they are today."""
    served_as: str | None = None
    """Or the trained model whose prompt and windows are used there."""
    os_model: str = "demo"
    """OS-BERT's base model; `demo` is a small encoder from a package."""
    os_test_set: str = "demo-os"
    """The test set that it is evaluated on."""
    os_in_use: str | None = None
    """The one in use, a folder or an artifact; None: the champion, if any."""
    promote_auto: bool = False
    """Whether a run ends with the gate: a model that passes it becomes the champion of its line."""
    max_length: int | None = Field(None, gt=0)
    """Tokens of prompt, window and answer together; None: each program's own default."""
    outputs: str = "outputs"
    """The folder of this machine that evaluations are collected in."""
    backend: Literal["local", "kubernetes"] = "local"
    """Where stages run: on this machine, or as Jobs of the chart's release."""
    release: str = "ctiforge"
    """The Helm release whose job templates are used."""
    namespace: str | None = None
    """The namespace of the release; None: the kubeconfig context's."""
    context: str | None = None
    """The kubeconfig's context; None: its current one."""
    run_id: str | None = Field(None, pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")
    """Name of the run: one that is there already is gone on with; None: a new one."""
    webhook_url: SecretStr | None = None
    """Is sent a JSON message when a run fails."""
    stages: dict[str, dict[str, str | int | float | bool]] = {}
    """Further flags by stage: `epochs = 5` under `[stages.train_extract]` becomes `--epochs 5`."""

    @property
    def reads_database(self) -> bool:
        """Whether the harvest reads the database."""
        return not self.json_files if self.from_database is None else self.from_database

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what it is given: `load_settings` reads the sources, to remember which one decided."""
        return (init_settings,)


@dataclass(frozen=True)
class Loaded:
    """Settings, and for each name (`stages.train_extract.epochs`) the source that decided it."""

    settings: Settings
    origins: dict[str, str]

    def lines(self) -> Iterator[tuple[str, str, str]]:
        """(name, value, origin) of every setting, secrets masked."""
        for name in Settings.model_fields:
            value = getattr(self.settings, name)
            for key, each in (_flat(value, f"{name}.") if isinstance(value, dict) else {name: value}).items():
                yield key, _shown(each), self.origins.get(key, "default")


def load_settings(flags: Mapping[str, Any] | None = None) -> Loaded:
    """Read the flags given (None: not given), the environment and the file in the working folder.

    Raises UsageError naming the source and the key that is unknown or whose value is not valid.
    """
    given = {name: value for name, value in (flags or {}).items() if value is not None}
    sources = {"flag": given, "environment": _read_environment(), FILE: _read_file()}
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for origin, found in sources.items():
        for key, value in _flat(found).items():
            if origins.setdefault(key, origin) == origin:
                _put(values, key, value)
    try:
        return Loaded(Settings(**values), origins)
    except ValidationError as error:
        raise UsageError(_explain(error, origins)) from None


def mask_url(url: str) -> str:
    """The URL without its password and without the values of its query; what is no URL is masked whole."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return MASK
    if not parts.netloc:
        return MASK
    place = parts.netloc
    if parts.password is not None:
        user = place.rpartition("@")[0].partition(":")[0]
        place = f"{user}:{MASK}@{place.rpartition('@')[2]}"
    query = "&".join(f"{pair.partition('=')[0]}={MASK}" for pair in parts.query.split("&") if pair)
    return parts._replace(netloc=place, query=query).geturl()


def read_api_key(*, needed: bool) -> str:
    """The key for an OpenAI-compatible endpoint, `no-key` where there is none.

    Raises UsageError where it is `needed` and missing, or is nothing that a header can carry.
    """
    key = os.environ.get(API_KEY, "").strip()
    if not key and needed:
        raise UsageError(f"{API_KEY} is not set: set it, or name an endpoint that needs no key (--endpoint)")
    if not (key.isascii() and key.isprintable()):
        raise UsageError(f"{API_KEY} holds characters that no key has: set it anew")
    return key or "no-key"


class _Environment(EnvSettingsSource):
    """`CTIFORGE_<NAME>`, and `DATABASE_URL` as most tools call it."""

    def __call__(self) -> dict[str, Any]:
        found = super().__call__()
        usual = os.environ.get("DATABASE_URL")
        return {"database_url": usual, **found} if usual else found


def _read_environment() -> dict[str, Any]:
    try:
        return _Environment(Settings)()
    except SettingsError as error:
        raise UsageError(f"environment: {error}; it must be JSON") from None


def _read_file() -> dict[str, Any]:
    try:
        return TomlConfigSettingsSource(Settings, FILE)()
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise UsageError(f"{FILE} cannot be read: {error}") from None


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in values.items():
        flat |= _flat(value, f"{prefix}{name}.") if isinstance(value, Mapping) else {f"{prefix}{name}": value}
    return flat


def _put(values: dict[str, Any], key: str, value: Any) -> None:
    *path, name = key.split(".")
    for part in path:
        values = values.setdefault(part, {})
    values[name] = value


def _shown(value: Any) -> str:
    if isinstance(value, SecretStr):
        return mask_url(value.get_secret_value())
    return "-" if value is None else str(value)


def _explain(error: ValidationError, origins: Mapping[str, str]) -> str:
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"])
    origin = next((where for name, where in origins.items() if f"{key}.".startswith(f"{name}.")), None)
    origin = origin or next((where for name, where in origins.items() if name.startswith(f"{key}.")), "settings")
    if first["type"] == "extra_forbidden":
        return f"{origin}: there is no setting {key}; there are {', '.join(Settings.model_fields)}"
    return f"{origin}: {key}: {first['msg']}"
