import re
from contextlib import suppress
from pathlib import Path

import pytest
import typer

from ctiforge.cli import app
from ctiforge.errors import UsageError
from ctiforge.lines import LINES
from ctiforge.settings import (
    COMMON_NAMES,
    FILE,
    MASK,
    RENAMED,
    Settings,
    explain_unknown,
    load_settings,
    mask_url,
    read_api_key,
    setting_names,
    settings_class,
)


@pytest.fixture(autouse=True)
def _nothing_around(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("DATABASE_URL", *(f"CTIFORGE_{field.upper()}" for field in settings_class().model_fields)):
        monkeypatch.delenv(name, raising=False)


def test_without_sources_everything_is_the_default() -> None:
    loaded = load_settings()
    assert loaded.settings == settings_class()()
    assert {origin for _, _, origin in loaded.lines()} == {"default"}


def test_flags_win_over_the_environment_over_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(FILE).write_text('store = "file"\nmodel = "file"\noutputs = "file"\n')
    monkeypatch.setenv("CTIFORGE_STORE", "environment")
    monkeypatch.setenv("CTIFORGE_MODEL", "environment")
    loaded = load_settings({"store": "flag", "model": None})
    settings = loaded.settings
    assert (settings.store, settings.model, settings.outputs) == ("flag", "environment", "file")
    origins = {name: origin for name, _, origin in loaded.lines()}
    assert origins["store"] == "flag"
    assert origins["model"] == "environment"
    assert origins["outputs"] == FILE
    assert origins["test_set"] == "default"


def test_flags_of_stages_are_merged_key_by_key() -> None:
    Path(FILE).write_text("[stages.train_extract]\nepochs = 5\nbatch_size = 2\nqlora = false\n")
    loaded = load_settings({"stages": {"train_extract": {"epochs": "3"}}})
    assert loaded.settings.stages == {"train_extract": {"epochs": "3", "batch_size": 2, "qlora": False}}
    assert ("stages.train_extract.epochs", "3", "flag") in loaded.lines()
    assert ("stages.train_extract.batch_size", "2", FILE) in loaded.lines()


def test_the_database_has_two_names_and_ours_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://usual/db")
    assert _database() == "postgresql://usual/db"
    monkeypatch.setenv("CTIFORGE_DATABASE_URL", "postgresql://ours/db")
    assert _database() == "postgresql://ours/db"


def test_an_empty_variable_is_no_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "")
    monkeypatch.setenv("CTIFORGE_STORE", "")
    loaded = load_settings()
    assert loaded.settings.database_url is None
    assert loaded.settings.store == settings_class()().store


def test_secrets_are_masked_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://team:s3cr3t@db.example:5432/cti?password=s3cr3t&sslmode=require")
    loaded = load_settings()
    shown = {name: value for name, value, _ in loaded.lines()}["database_url"]
    assert shown == f"postgresql://team:{MASK}@db.example:5432/cti?password={MASK}&sslmode={MASK}"
    assert "s3cr3t" not in repr(loaded) + str(list(loaded.lines()))


@pytest.mark.parametrize(
    ("url", "masked"),
    [
        ("postgresql://host/db", "postgresql://host/db"),
        ("postgresql://me@host/db", "postgresql://me@host/db"),
        ("postgresql://me:a@b:c@host/db", f"postgresql://me:{MASK}@host/db"),
        ("host=db user=me password=s3cr3t", MASK),
        ("postgresql://me:s3cr3t@[::1/db", MASK),
        ("postgresql://me:@[::1]:5432/db", f"postgresql://me:{MASK}@[::1]:5432/db"),
    ],
)
def test_a_password_inside_a_url_is_masked(url: str, masked: str) -> None:
    assert mask_url(url) == masked


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("store = ", r"ctiforge\.toml cannot be read"),
        ("sotre = 'x'", r"ctiforge\.toml: there is no setting sotre; there are store"),
        ("max_length = 'many'", r"ctiforge\.toml: max_length: "),
        ("max_length = 0", r"ctiforge\.toml: max_length: "),
        ("stages = 3", r"ctiforge\.toml: stages: "),
        ("[stages.train_extract]\nepochs = [1]", r"ctiforge\.toml: stages\.train_extract\.epochs"),
    ],
)
def test_a_bad_file_names_the_key(text: str, message: str) -> None:
    Path(FILE).write_text(text)
    with pytest.raises(UsageError, match=message):
        load_settings()


def test_a_bad_variable_names_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CTIFORGE_BACKEND", "mainframe")
    with pytest.raises(UsageError, match="environment: backend: "):
        load_settings()
    monkeypatch.setenv("CTIFORGE_BACKEND", "local")
    monkeypatch.setenv("CTIFORGE_STAGES", "{")
    with pytest.raises(UsageError, match=r'^environment: CTIFORGE_STAGES must be JSON, like {"train_extract": '):
        load_settings()


def test_what_the_environment_holds_as_json_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """A setting of another kind than text, number or yes and no has its example."""
    for names in COMMON_NAMES.values():
        monkeypatch.setenv(names.variable, "a.json")
        with suppress(UsageError):
            load_settings()
        monkeypatch.delenv(names.variable)
    monkeypatch.setenv("CTIFORGE_JSON_FILES", "a.json")
    with pytest.raises(UsageError, match=r'^environment: CTIFORGE_JSON_FILES must be JSON, like \["results.json"\]$'):
        load_settings()


def test_a_name_of_a_run_that_is_none_is_told_in_words() -> None:
    with pytest.raises(UsageError, match=r"^flag: run_id: lower-case letters, digits and hyphens"):
        load_settings({"run_id": "A B"})


def _database() -> str:
    url = load_settings().settings.database_url
    assert url
    return url.get_secret_value()


def test_an_endpoints_key_is_read_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    assert read_api_key(needed=False) == "no-key"
    with pytest.raises(UsageError, match="OPENAI_API_KEY is not set"):
        read_api_key(needed=True)
    monkeypatch.setenv("OPENAI_API_KEY", " sk-1\n")
    assert read_api_key(needed=True) == "sk-1"
    monkeypatch.setenv("OPENAI_API_KEY", "sk-\u00fc")
    with pytest.raises(UsageError, match="characters that no key has"):
        read_api_key(needed=False)


def test_a_former_name_is_refused_with_the_present_one(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(FILE).write_text('served_as = "models/mine"\n')
    with pytest.raises(UsageError, match=r"ctiforge\.toml: served_as is called served_asked_as now: rename it"):
        load_settings()
    Path(FILE).unlink()
    monkeypatch.setenv("CTIFORGE_SERVED_AS", "models/mine")
    with pytest.raises(UsageError, match="CTIFORGE_SERVED_AS is called CTIFORGE_SERVED_ASKED_AS now"):
        load_settings()


def test_every_setting_has_its_names() -> None:
    for name in settings_class().model_fields:
        names = setting_names(name)
        assert names.variable in (f"CTIFORGE_{name.upper()}", "DATABASE_URL")
    assert set(COMMON_NAMES) == set(Settings.model_fields)
    assert not {setting.name for line in LINES.values() for setting in line.settings} & set(COMMON_NAMES)
    assert not set(RENAMED) & set(settings_class().model_fields)


def test_the_flags_of_the_names_are_flags_of_a_run() -> None:
    options = {each for option in typer.main.get_command(app).commands["run"].params for each in option.opts}
    assert {names.flag for name in settings_class().model_fields if (names := setting_names(name)).flag} <= options


def test_a_misspelled_variable_is_told_once_with_the_nearest_name(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CTIFORGE_STOER", "s3://team/store")
    with suppress(SystemExit):
        app(["config"])
    errors = capsys.readouterr().err
    assert errors == (
        "warning: CTIFORGE_STOER is no setting of ctiforge and is ignored: did you mean CTIFORGE_STORE?\n"
    )
    (far,) = explain_unknown(["CTIFORGE_QQQQ", "PATH", "OTHER_STOER"])
    assert far.endswith("`ctiforge config` lists the settings")


def test_variables_that_somebody_reads_or_kubernetes_puts_there_are_known() -> None:
    """Every name in the sources, the chart and the images is one."""
    root = Path(__file__).parents[2]
    files = [path for place in ("src", "helm", "docker") for path in (root / place).rglob("*") if path.is_file()]
    texts = [path.read_text(errors="ignore") for path in [*files, root / "Makefile"] if path.suffix != ".pyc"]
    named = {name for text in texts for name in re.findall(r"\bCTIFORGE_[A-Z_]*[A-Z]\b", text)}
    assert {"CTIFORGE_SCRATCH", "CTIFORGE_REAL_DATA", "CTIFORGE_STORE"} <= named
    services = [
        *("CTIFORGE_SERVICE_HOST", "CTIFORGE_SERVICE_PORT", "CTIFORGE_SERVICE_PORT_HTTP", "CTIFORGE_PORT"),
        *("CTIFORGE_POSTGRES_PORT_5432_TCP", "CTIFORGE_POSTGRES_PORT_5432_TCP_ADDR", "CTIFORGE_DB_SERVICE_HOST"),
    ]
    assert list(explain_unknown([*named, *services])) == []
