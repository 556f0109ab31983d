"""Settings: flags, then the environment, then `ctiforge.toml`, then defaults; each knows where it came from."""

import os
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, create_model
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from ctiforge.errors import UsageError
from ctiforge.lines import LINES

FILE = "ctiforge.toml"
API_KEY = "OPENAI_API_KEY"
"""The variable that clients of OpenAI-compatible endpoints read their key from."""
MASK = "********"
PREFIX = "CTIFORGE_"
RunResult = Literal["failed", "refused", "promoted", "waiting", "nothing-new", "trained"]
"""What came of a run that ended by itself; `waiting`: a model passed the gate, and a person has to approve it."""
NO_SETTINGS = (
    *("SCRATCH", "SCRATCH_LIMIT", "TOOLS", "VERSIONS", "COMMIT", "IMAGE", "RUN", "STAGE", "ATTEMPT", "GPU"),
    *("SERVE_API_KEY", "REAL_DATA", "TEST_MARK", "TOGETHER"),
)
"""Variables behind the prefix that are read elsewhere: of programs and pods, and of proofs and tests."""
_SERVICE_LINK = re.compile(
    r"(?:\w+_)?(?:SERVICE_HOST|SERVICE_PORT(?:_\w+)?|PORT(?:_\d+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?)?)"
)
"""What Kubernetes puts behind the name of a service in a pod's environment."""


@dataclass(frozen=True)
class SettingNames:
    """The names of one setting; None where it has none."""

    variable: str
    flag: str | None
    """Of `ctiforge run`."""
    chart: str | None


COMMON_NAMES = {
    "store": SettingNames("CTIFORGE_STORE", "--store", "store.uri"),
    "database_url": SettingNames("DATABASE_URL", None, "database.existingSecret"),
    "json_files": SettingNames("CTIFORGE_JSON_FILES", "--json-files", None),
    "from_database": SettingNames("CTIFORGE_FROM_DATABASE", "--from-database", None),
    "promote_auto": SettingNames("CTIFORGE_PROMOTE_AUTO", "--promote", "promote.auto"),
    "promote_approval": SettingNames("CTIFORGE_PROMOTE_APPROVAL", None, "promote.approval"),
    "actor": SettingNames("CTIFORGE_ACTOR", None, None),
    "author": SettingNames("CTIFORGE_AUTHOR", None, None),
    "max_length": SettingNames("CTIFORGE_MAX_LENGTH", "--max-length", "settings.maxLength"),
    "outputs": SettingNames("CTIFORGE_OUTPUTS", "--outputs", None),
    "backend": SettingNames("CTIFORGE_BACKEND", "--backend", None),
    "release": SettingNames("CTIFORGE_RELEASE", "--release", None),
    "namespace": SettingNames("CTIFORGE_NAMESPACE", "--namespace", None),
    "context": SettingNames("CTIFORGE_CONTEXT", None, None),
    "run_id": SettingNames("CTIFORGE_RUN_ID", "--run-id", None),
    "refusal_fails": SettingNames("CTIFORGE_REFUSAL_FAILS", None, "retrain.extract.refusalFails"),
    "webhook_url": SettingNames("CTIFORGE_WEBHOOK_URL", None, "webhook.existingSecret"),
    "webhook_results": SettingNames("CTIFORGE_WEBHOOK_RESULTS", None, "webhook.results"),
    "stages": SettingNames("CTIFORGE_STAGES", "--set", "settings.stages"),
}
"""The names of the settings that all lines share."""


TRAVELS = ("json_files", "from_database", "max_length", "stages", "promote_auto", "promote_approval", "refusal_fails")
"""What goes along when a run is handed over to a cluster, with the line's own settings; the chart knows the others."""
RENAMED = {"served_as": "served_asked_as"}
"""Former name of a setting to its present one."""


class Settings(BaseSettings):
    """What a run needs to know: `CTIFORGE_<NAME>` in the environment, `name = …` in the file.

    These are the settings that all lines share; each line adds its own (`settings_class`).
    """

    model_config = SettingsConfigDict(env_prefix="CTIFORGE_", env_ignore_empty=True, extra="forbid", frozen=True)

    store: str = ".ctiforge/store"
    """Where artifacts and runs lie: a folder or `s3://bucket/prefix`."""
    database_url: SecretStr | None = None
    """PostgreSQL with the articles; None: the embedded demo database. `DATABASE_URL` names it as well."""
    json_files: tuple[str, ...] = ()
    """Result files to harvest: paths of this machine or `s3://` URIs; a cluster gets a copy by content."""
    from_database: bool | None = None
    """Whether to harvest the database; None: unless there are `json_files`."""
    promote_auto: bool = False
    """Whether a run ends with the gate: a model that passes it becomes the champion of its line."""
    promote_approval: Literal["required"] | None = None
    """`required`: what passes the gate waits until a person approves it (`ctiforge approve`); None: it does not."""
    actor: str | None = None
    """Who promotes, approves or rolls back, for the history; None: the login name, in a cluster the pod's."""
    author: str | None = None
    """Who is cited in the cards of what is published (`--author`); None: they say nothing of a citation."""
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
    refusal_fails: bool = True
    """Whether a run ends with 5 where the gate refused the model; the chart's scheduled runs end with 0."""
    webhook_url: SecretStr | None = None
    """Is sent a JSON message when a run has ended in one of the ways of `webhook_results`."""
    webhook_results: tuple[RunResult, ...] = ("failed",)
    """What it is told of: `failed` (also a run that could not start), `refused`, `promoted`, `waiting` (for a person),
    `nothing-new`, `trained` (without a gate)."""
    stages: dict[str, dict[str, str | int | float | bool]] = {}
    """Further flags by stage: `epochs = 5` under `[stages.train_extract]` becomes `--epochs 5`."""

    @property
    def reads_database(self) -> bool:
        """Tell whether the harvest reads the database."""
        return not self.json_files if self.from_database is None else self.from_database

    def value(self, name: str) -> Any:
        """Return the value of a setting by name, also of one that only some line has.

        Args:
            name: The setting's name, as in `ctiforge.toml`.

        Returns:
            Its value.
        """
        return getattr(self, name)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Keep pydantic-settings from reading any source: `load_settings` reads them, to remember which one decided.

        Args:
            settings_cls: The class of the settings; unused.
            init_settings: The arguments of the constructor.
            env_settings: The environment; unused.
            dotenv_settings: A `.env` file; unused.
            file_secret_settings: A folder of secrets; unused.

        Returns:
            The constructor's arguments alone.
        """
        return (init_settings,)


def settings_class() -> type[Settings]:
    """Return the class of the settings that all lines share, with those of each line there is."""
    return _class_of(tuple(LINES))


def setting_names(name: str) -> SettingNames:
    """Look up the names of the setting that is called so in `ctiforge.toml`; KeyError where there is none."""
    own = {setting.name: setting for line in LINES.values() for setting in line.settings}
    if name in own:
        return SettingNames(f"CTIFORGE_{name.upper()}", own[name].flag, own[name].chart)
    return COMMON_NAMES[name]


@dataclass(frozen=True)
class Loaded:
    """Settings, and where each came from.

    Attributes:
        settings: The settings.
        origins: Setting (`stages.train_extract.epochs` for one inside) → `flag`, `environment` or `ctiforge.toml`;
            without an entry it is the default.
    """

    settings: Settings
    origins: dict[str, str]

    def is_named(self, name: str) -> bool:
        """Tell whether a person gave the setting, so that it is not the default.

        Args:
            name: The setting's name, as in `ctiforge.toml`.

        Returns:
            False where the value is the default.
        """
        return name in self.origins

    def lines(self) -> Iterator[tuple[str, str, str]]:
        """Yield (name, value, origin) of every setting, secrets masked."""
        for name in type(self.settings).model_fields:
            value = getattr(self.settings, name)
            for key, each in (_flat(value, f"{name}.") if isinstance(value, dict) else {name: value}).items():
                yield key, _shown(each), self.origins.get(key, "default")


def load_settings(flags: Mapping[str, Any] | None = None) -> Loaded:
    """Read the flags, the environment and `ctiforge.toml` in the working folder; the first that has a setting decides.

    Args:
        flags: Setting → value, as flags gave it; None stands for a flag that was not given.

    Returns:
        The settings, with the source of each.

    Raises:
        UsageError: A key is unknown, renamed or its value is not valid, or a source cannot be read; the text names
            the source and the key.
    """
    known = settings_class()
    given = {name: value for name, value in (flags or {}).items() if value is not None}
    sources = {"flag": given, "environment": _read_environment(known), FILE: _read_file(known)}
    _refuse_former_names(sources[FILE])
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for origin, found in sources.items():
        for key, value in _flat(found).items():
            if origins.setdefault(key, origin) == origin:
                _put(values, key, value)
    try:
        return Loaded(known(**values), origins)
    except ValidationError as error:
        raise UsageError(_explain(error, origins, known)) from None


def explain_unknown(variables: Iterable[str]) -> Iterator[str]:
    """Say which variables look like settings and are none: they are passed over, and may be another tool's.

    Args:
        variables: The names in the environment.

    Yields:
        One line for each, with the nearest name that is known; none for what Kubernetes puts there for services.
    """
    known = {setting_names(name).variable.removeprefix(PREFIX) for name in settings_class().model_fields}
    known |= {name.upper() for name in (*settings_class().model_fields, *RENAMED)} | set(NO_SETTINGS)
    for variable in sorted(variables):
        name = variable.removeprefix(PREFIX)
        if name == variable or name in known or _SERVICE_LINK.fullmatch(name):
            continue
        near = get_close_matches(name, known, n=1)
        hint = f"did you mean {PREFIX}{near[0]}?" if near else "`ctiforge config` lists the settings"
        yield f"{variable} is no setting of ctiforge and is ignored: {hint}"


def mask_url(url: str) -> str:
    """Mask the password of a URL and the values of its query; what is no URL is masked whole.

    Args:
        url: The URL.

    Returns:
        The URL with `MASK` in their place.
    """
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
    """Read the key for an OpenAI-compatible endpoint from the environment (`OPENAI_API_KEY`).

    Args:
        needed: Whether the endpoint cannot be asked without a key.

    Returns:
        The key, `no-key` where there is none.

    Raises:
        UsageError: The key is needed and missing, or holds characters that a header cannot carry.
    """
    key = os.environ.get(API_KEY, "").strip()
    if not key and needed:
        raise UsageError(f"{API_KEY} is not set: set it, or name an endpoint that needs no key (--endpoint)")
    if not (key.isascii() and key.isprintable()):
        raise UsageError(f"{API_KEY} holds characters that no key has: set it anew")
    return key or "no-key"


@cache
def _class_of(lines: tuple[str, ...]) -> type[Settings]:
    own: dict[str, Any] = {
        setting.name: (
            str | None if setting.default is None else str,
            Field(setting.default, description=setting.text, pattern=setting.pattern and f"^({setting.pattern})$"),
        )
        for name in lines
        for setting in LINES[name].settings
    }
    return create_model("Settings", __base__=Settings, **own)


_AS_JSON = {
    "json_files": '["results.json"]',
    "webhook_results": '["failed", "refused"]',
    "stages": '{"train_extract": {"epochs": 2}}',
}
"""What the environment holds as JSON, and an example of each."""


class _Environment(EnvSettingsSource):
    """`CTIFORGE_<NAME>`, and `DATABASE_URL` as most tools call it."""

    def __call__(self) -> dict[str, Any]:
        found = super().__call__()
        usual = os.environ.get("DATABASE_URL")
        return {"database_url": usual, **found} if usual else found


def _read_environment(known: type[Settings]) -> dict[str, Any]:
    try:
        return _Environment(known)()
    except SettingsError as error:
        name, like = next((name, like) for name, like in _AS_JSON.items() if f'"{name}"' in str(error))
        raise UsageError(f"environment: {COMMON_NAMES[name].variable} must be JSON, like {like}") from None


def _read_file(known: type[Settings]) -> dict[str, Any]:
    try:
        return TomlConfigSettingsSource(known, FILE)()
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise UsageError(f"{FILE} cannot be read: {error}") from None


def _refuse_former_names(of_file: Mapping[str, Any]) -> None:
    for former, present in RENAMED.items():
        for place, name, is_there in (
            (FILE, former, former in of_file),
            ("environment", f"CTIFORGE_{former.upper()}", f"CTIFORGE_{former.upper()}" in os.environ),
        ):
            if is_there:
                new = present if place == FILE else f"CTIFORGE_{present.upper()}"
                raise UsageError(f"{place}: {name} is called {new} now: rename it")


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


def _explain(error: ValidationError, origins: Mapping[str, str], known: type[Settings]) -> str:
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"])
    origin = next((where for name, where in origins.items() if f"{key}.".startswith(f"{name}.")), None)
    origin = origin or next((where for name, where in origins.items() if name.startswith(f"{key}.")), "settings")
    if first["type"] == "extra_forbidden":
        return f"{origin}: there is no setting {key}; there are {', '.join(known.model_fields)}"
    if key == "run_id":
        return f"{origin}: run_id: lower-case letters, digits and hyphens between them, 63 at most"
    return f"{origin}: {key}: {first['msg']}"
