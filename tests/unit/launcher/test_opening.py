from pathlib import Path

import pytest

from ctiforge.errors import UsageError
from ctiforge.launcher.opening import base_settings, with_stored_base
from ctiforge.lines import find_line
from ctiforge.settings import Settings, load_settings
from ctiforge.store.bases import BaseFacts, put_base
from ctiforge.store.objects import ObjectStore, open_store
from ctiforge.training import smollm2

LINE = find_line("extract")
SMOLLM2 = LINE.bases["smollm2"]


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ObjectStore:
    """A store, in a working folder without settings."""
    monkeypatch.chdir(tmp_path)
    return open_store(str(tmp_path / "store"))


def test_a_stored_base_of_a_short_name_is_the_one_that_model_add_puts_there(store: ObjectStore) -> None:
    assert (smollm2.NAME, smollm2.FACTS.name) == ("smollm2", SMOLLM2.stored_as)
    with pytest.raises(UsageError, match=r"smollm2 is not in .*; put it there with: ctiforge model add smollm2"):
        with_stored_base(LINE, asked("smollm2"), store)
    uri = put(store, smollm2.FACTS, "one")
    assert with_stored_base(LINE, asked("smollm2"), store).value("model") == uri
    put(store, smollm2.FACTS, "another")
    with pytest.raises(UsageError, match=rf"2 bases called SmolLM2-135M-Instruct; name one: .*{uri}"):
        with_stored_base(LINE, asked("smollm2"), store)


@pytest.mark.parametrize("name", ["demo", "org/smollm2", "models/smollm2", "SmolLM2"])
def test_other_names_stay_what_they_are(store: ObjectStore, name: str) -> None:
    put(store, smollm2.FACTS, "one")
    assert with_stored_base(LINE, asked(name), store).value("model") == name


def test_settings_of_a_stored_base_are_for_the_demos_articles_those_of_the_demos_model_for_any(
    store: ObjectStore,
) -> None:
    assert base_settings(LINE, asked("smollm2"), reads_demo=True) == SMOLLM2
    assert not base_settings(LINE, asked("smollm2"), reads_demo=False).flags
    assert base_settings(LINE, asked("demo"), reads_demo=False) == LINE.bases["demo"]
    assert not base_settings(LINE, asked("org/model"), reads_demo=True).flags


def test_a_folder_of_the_name_goes_first(store: ObjectStore) -> None:
    Path("smollm2").mkdir()
    assert with_stored_base(LINE, asked("smollm2"), store).value("model") == "smollm2"
    assert not base_settings(LINE, asked("smollm2"), reads_demo=True).flags


def asked(model: str) -> Settings:
    return load_settings({"model": model}).settings


def put(store: ObjectStore, facts: BaseFacts, text: str) -> str:
    file = Path(f"{text}.json")
    file.write_text(text)
    return put_base(store, facts, {"config.json": file})[0].uri
