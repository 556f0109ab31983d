from datetime import UTC, datetime
from pathlib import Path

import pytest

from ctiforge.errors import DamagedError, DataError, ExitCode, UsageError
from ctiforge.records.registry import Champion, Move
from ctiforge.store.models import OvertakenError, Registry
from ctiforge.store.objects import open_store
from tests.making import candidate, decision


def moves(*versions: tuple[str, int]) -> Champion:
    history: list[Move] = []
    for what, version in versions:
        previous = history[-1].version if history else None
        at = datetime(2026, 11, 24, tzinfo=UTC)
        history.append(Move(at=at, what=what, version=version, previous=previous, why="because"))
    return Champion(version=history[-1].version, history=tuple(history))


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Registry:
    # what these versions are made of lies nowhere
    monkeypatch.setattr("ctiforge.store.models.find_fault", lambda *_: None)
    return Registry(open_store(str(tmp_path)), "extract")


def test_versions_count_up_and_a_model_keeps_its_number(registry: Registry) -> None:
    first, second = registry.register(candidate("a")), registry.register(candidate("b"))
    again = registry.register(candidate("a", decision=decision(passed=False)))

    assert (first.version, second.version, again) == (1, 2, first)
    assert [each.version for each in registry.versions()] == [1, 2]
    assert registry.find("b" * 64) == second
    assert registry.find("c" * 64) is None


def test_lines_do_not_mix(registry: Registry, tmp_path: Path) -> None:
    registry.register(candidate("a"))
    other = Registry(open_store(str(tmp_path)), "os-bert")
    assert other.versions() == []
    assert other.register(candidate("a")).line == "os-bert"


def test_a_version_that_is_not_there_is_told_with_those_that_are(registry: Registry) -> None:
    registry.register(candidate("a"))
    with pytest.raises(UsageError, match=r"no version 7 in .* \(there are: 1\)"):
        registry.get(7)


def test_a_promotion_is_kept_with_its_reason_and_the_one_before(registry: Registry) -> None:
    assert registry.standing().champion is None
    for content in "ab":
        registry.register(candidate(content))
    registry.promote(1, registry.standing(), "the first")
    champion = registry.promote(2, registry.standing(), "better")

    assert champion.version == 2
    assert [(move.what, move.version, move.previous, move.why) for move in champion.history] == [
        ("promoted", 1, None, "the first"),
        ("promoted", 2, 1, "better"),
    ]
    assert registry.standing().champion == champion


@pytest.mark.parametrize("is_first", [True, False])
def test_of_two_promotions_at_once_the_later_is_told_which_came_first(registry: Registry, is_first: bool) -> None:
    for content in "abc":
        registry.register(candidate(content))
    if not is_first:
        registry.promote(3, registry.standing(), "old")
    seen_by_both = registry.standing()
    registry.promote(1, seen_by_both, "mine")
    with pytest.raises(OvertakenError, match="version 1 of extract was promoted meanwhile") as caught:
        registry.promote(2, seen_by_both, "theirs")

    assert caught.value.exit_code == ExitCode.GATE
    champion = registry.standing().champion
    assert champion is not None
    assert champion.version == 1
    assert 2 not in champion.ever()


def test_a_rollback_goes_to_the_version_before_and_stays_in_the_history(registry: Registry) -> None:
    for content in "abc":
        registry.promote(registry.register(candidate(content)).version, registry.standing(), "better")
    assert registry.roll_back(None, "too slow").version == 2
    assert registry.roll_back(None, "worse still").version == 1
    with pytest.raises(UsageError, match="no version was in use before version 1"):
        registry.roll_back(None, "again")
    champion = registry.roll_back(3, "it was not the model")

    assert champion.version == 3
    assert [move.what for move in champion.history] == ["promoted"] * 3 + ["rolled back"] * 3
    assert champion.history[-1].why == "it was not the model"


def test_what_cannot_be_rolled_back_is_told(registry: Registry) -> None:
    with pytest.raises(UsageError, match="no champion yet"):
        registry.roll_back(None, "x")
    registry.promote(registry.register(candidate("a")).version, registry.standing(), "first")
    with pytest.raises(UsageError, match="in use already"):
        registry.roll_back(1, "x")
    with pytest.raises(UsageError, match="no version 9"):
        registry.roll_back(9, "x")


def test_a_rollback_goes_to_no_version_that_was_never_in_use(registry: Registry) -> None:
    registry.promote(registry.register(candidate("a")).version, registry.standing(), "first")
    registry.register(candidate("b"))
    with pytest.raises(UsageError, match=r"version 2 was never in use, .*ctiforge approve extract 2"):
        registry.roll_back(2, "skip the approval")


def test_a_champion_whose_record_is_gone_is_no_line_without_one(registry: Registry, tmp_path: Path) -> None:
    for content in "ab":
        registry.promote(registry.register(candidate(content)).version, registry.standing(), "better")
    before, record = registry.standing().champion, tmp_path / "models/extract/champion.json"
    record.unlink()
    with pytest.raises(DamagedError, match=r"champion\.json is gone: copy models/extract/champions/000002\.json back"):
        registry.standing()
    record.write_bytes((tmp_path / "models/extract/champions/000002.json").read_bytes())
    assert registry.standing().champion == before
    record.write_text(
        record.read_text().replace('"version": 2', '"version": 1', 1).replace('"version":2', '"version":1', 1)
    )
    with pytest.raises(DamagedError, match="its version is not its last move's"):
        registry.standing()


def test_a_version_is_rolled_back_until_it_is_brought_back() -> None:
    promoted = moves(("promoted", 1), ("promoted", 2))
    back = moves(("promoted", 1), ("promoted", 2), ("rolled back", 1))
    forth = moves(("promoted", 1), ("promoted", 2), ("rolled back", 1), ("rolled back", 2))
    later = moves(("promoted", 1), ("promoted", 2), ("rolled back", 1), ("promoted", 3))

    assert promoted.rolled_back(1) is None
    assert back.rolled_back(2) == back.history[-1]
    assert back.rolled_back(1) is None
    assert forth.rolled_back(2) is None
    assert later.rolled_back(2) is not None
    assert later.rolled_back(1) is None
    assert (later.before(), later.ever()) == (1, (1, 2, 3))


def test_the_first_evaluation_on_a_test_set_stands_and_a_newer_schema_has_its_own(registry: Registry) -> None:
    registry.add_evaluation(1, "hash", 1, b"first")
    registry.add_evaluation(1, "hash", 1, b"a luckier one")
    registry.add_evaluation(1, "hash", 2, b"newer")

    assert registry.evaluation(1, "hash", 1) == "first"
    assert registry.evaluation(1, "hash", 2) == "newer"
    assert registry.evaluation(1, "other", 1) is None


def test_an_evaluation_that_was_changed_beside_its_version_is_refused(registry: Registry, tmp_path: Path) -> None:
    old = registry.register(candidate("a"))
    new = registry.register(candidate("b", grounds="0" * 64))
    for version in (old.version, new.version):
        registry.add_evaluation(version, "hash", 3, b'{"f1":0.5}')
        (tmp_path / f"models/extract/{version}/evaluations/hash-3.json").write_text('{"f1":0.1}')
    with pytest.raises(
        DataError, match=r"evaluations/hash-3\.json was changed: delete it, and evaluate models:extract@2"
    ):
        registry.evaluation(new.version, "hash", 3)
    # the registry of before kept nothing to hold it against
    assert registry.evaluation(old.version, "hash", 3) == '{"f1":0.1}'
    assert registry.schemas_evaluated(old.version, "hash") == [3]


def test_a_damaged_record_is_told_by_its_place(registry: Registry, tmp_path: Path) -> None:
    registry.promote(registry.register(candidate("a")).version, registry.standing(), "first")
    (tmp_path / "models/extract/champion.json").write_text("{")
    with pytest.raises(DamagedError, match=r"models/extract/champion\.json is damaged"):
        registry.standing()
