"""The registry on a folder and on a real S3 server: races, and replies that are lost on the way."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from ctiforge.store.models import OvertakenError, Registry
from ctiforge.store.objects import open_store
from tests.making import candidate

AT_ONCE = 6
PROMOTE = """
import sys
from ctiforge.store.models import OvertakenError, Registry
from ctiforge.store.objects import open_store
registry = Registry(open_store(sys.argv[1]), "extract")
seen = registry.standing()
print("ready", flush=True)
sys.stdin.readline()
try:
    registry.promote(int(sys.argv[2]), seen, f"by {sys.argv[2]}")
except OvertakenError as error:
    print(error, file=sys.stderr)
    sys.exit(int(error.exit_code))
"""


@pytest.mark.parametrize("is_first", [True, False])
def test_of_processes_that_promote_at_once_one_wins_and_the_others_are_told(store_uri: str, is_first: bool) -> None:
    registry = Registry(open_store(store_uri), "extract")
    for content in "abcd":
        registry.register(candidate(content))
    if not is_first:
        registry.promote(4, registry.standing(), "the old one")
    processes = {
        version: subprocess.Popen(
            [sys.executable, "-c", PROMOTE, store_uri, str(version)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ,
        )
        for version in (1, 2, 3)
    }
    for process in processes.values():
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
    for process in processes.values():
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()
    said = {version: process.communicate(timeout=60)[1] for version, process in processes.items()}

    champion = registry.standing().champion
    assert champion is not None
    codes = {version: process.returncode for version, process in processes.items()}
    assert codes == {version: 0 if version == champion.version else 5 for version in processes}
    assert len(champion.history) == (1 if is_first else 2)
    told = f"version {champion.version} of extract was promoted meanwhile"
    assert all(told in said[version] for version in processes if version != champion.version)


def test_models_registered_at_once_get_numbers_of_their_own(store_uri: str) -> None:
    def register(content: str) -> int:
        return Registry(open_store(store_uri), "extract").register(candidate(content)).version

    with ThreadPoolExecutor(AT_ONCE) as pool:
        different = list(pool.map(register, "abcdef"))
        same = list(pool.map(register, "g" * AT_ONCE))

    assert sorted(different) == [1, 2, 3, 4, 5, 6]
    assert set(same) == {7}
    assert [each.version for each in Registry(open_store(store_uri), "extract").versions()] == list(range(1, 8))


def test_a_write_whose_reply_is_lost_counts_once(fake_s3, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ctiforge.store.models.find_fault", lambda *_: None)
    registry = Registry(open_store("s3://bucket/forge"), "extract")
    fake_s3.loses_reply_of = "model.json"
    assert registry.register(candidate("a")).version == 1
    for content in "bc":
        registry.register(candidate(content))
    for version in (1, 2):
        fake_s3.loses_reply_of = "champion.json"
        champion = registry.promote(version, registry.standing(), "better")
        assert champion.version == version

    assert [move.version for move in champion.history] == [1, 2]
    stale = registry.standing()
    registry.roll_back(None, "slow")
    with pytest.raises(OvertakenError, match="version 1 of extract was rolled back meanwhile"):
        registry.promote(3, stale, "better")
