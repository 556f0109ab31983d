from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

from ctiforge.demo import attack
from ctiforge.demo.attack import read_profiles
from ctiforge.errors import UsageError


def test_profiles_are_whole_sentences_with_the_platforms_that_mitre_names() -> None:
    profiles = {profile.id: profile for profile in read_profiles()}

    assert (profiles["S0362"].name, profiles["S0362"].label) == ("Linux Rabbit", "Linux")
    assert {each.label for each in profiles.values()} == {"Windows", "Linux", "MacOS", "multiple", None}
    assert all(each.label is None for id_, each in profiles.items() if id_[0] in "GC")
    sentences = [sentence for each in profiles.values() for sentence in each.sentences]
    assert len(sentences) > 12_000
    assert not [each for each in sentences if "(Citation" in each or "](" in each or each.endswith("...")]


def test_the_package_missing_or_another_is_refused_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attack, "find_spec", lambda _name: None)
    with pytest.raises(UsageError, match=r"not installed: pip install 'ctiforge\[demo\]'"):
        read_profiles()

    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "software-lookup-v18.1.json").write_text('{"software": []}')
    other = ModuleSpec("other", None, is_package=True)
    other.submodule_search_locations = [str(tmp_path)]
    monkeypatch.setattr(attack, "find_spec", lambda _name: other)
    with pytest.raises(UsageError, match=r"software-lookup-v18\.1\.json is not the file that this version"):
        read_profiles()
