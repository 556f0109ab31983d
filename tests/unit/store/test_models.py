from datetime import UTC, datetime
from pathlib import Path

import pytest

from ctiforge.errors import ExitCode, StoreError, UsageError
from ctiforge.records.evaluation import TestSetInfo
from ctiforge.records.registry import Champion, GateLook, Move
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


def test_a_candidate_is_looked_at_once_on_a_version_of_a_test_set(registry: Registry) -> None:
    assert look(registry, "a") == 1
    assert look(registry, "a") == 1
    assert look(registry, "b") == 2
    assert registry.was_looked_at("b", "hash-1")
    assert not registry.was_looked_at("c", "hash-1")
    assert registry.looked_at() == {"set@1": 2}
    assert registry.versions() == []


def test_new_articles_know_nothing_of_earlier_looks(registry: Registry) -> None:
    for content in "abcd":
        look(registry, content)

    # of four articles one was looked at before
    assert look(registry, "e", version="2", articles=("1", "5", "6", "7")) == 4 * 0.25 + 1
    assert registry.looks("hash-3", ("8", "9")) == 0


def test_the_looks_before_a_candidates_first_one_are_those_against_the_same_model(registry: Registry) -> None:
    def seen(content: str, day: int, against: str = "old 1") -> GateLook:
        at = datetime(2026, 11, day, tzinfo=UTC)
        made = GateLook(candidate=f"new {content}", against=against, at=at, figures=(0.5, 0.4, 0.6))
        registry.note_look(
            made, content, TestSetInfo(name="set", version="1", content_hash="h", articles=2), ("1", "2")
        )
        return made

    seen("x", 1, against="older 1")
    seen("a", 2)
    later = seen("b", 4)
    last = seen("c", 3)
    assert [each.candidate for each in registry.looks_before(later, "b", "h")] == ["new a", "new c"]
    assert [each.candidate for each in registry.looks_before(later, "b", "h", {"c"})] == ["new a"]
    # asked again a month later, the same ones count
    again = last.model_copy(update={"at": datetime(2026, 12, 24, tzinfo=UTC)})
    assert [each.candidate for each in registry.looks_before(again, "c", "h")] == ["new a"]


def test_a_candidate_that_is_evaluated_anew_keeps_its_place_and_gets_its_figures(registry: Registry) -> None:
    info = TestSetInfo(name="set", version="1", content_hash="h", articles=2)
    day = datetime(2026, 11, 1, tzinfo=UTC)
    wrong = GateLook(candidate="new a", against="old 1", at=day, figures=(0.0, 0.0, 0.0))
    assert registry.note_look(wrong, "a", info, ("1", "2")) == 1
    right = wrong.model_copy(update={"at": day.replace(day=2), "figures": (0.7, 0.6, 0.8)})
    assert registry.note_look(right, "a", info, ("1", "2")) == 1
    other = GateLook(candidate="new b", against="old 1", at=day.replace(day=3), figures=(0.5, 0.4, 0.6))
    (kept,) = registry.looks_before(other, "b", "h")
    assert (kept.figures, kept.at) == ((0.7, 0.6, 0.8), day)
    # by other rules of what counts as found they say nothing together
    assert registry.looks_before(other.model_copy(update={"scoring": 9}), "b", "h") == []


def test_pairs_that_registries_of_before_counted_are_looks(registry: Registry, tmp_path: Path) -> None:
    folder = tmp_path / "models/extract/comparisons/hash-1"
    folder.mkdir(parents=True)
    (folder / "0123456789ab.json").write_text("{}")
    assert look(registry, "a") == 2


def look(
    registry: Registry, content: str, version: str = "1", articles: tuple[str, ...] = ("1", "2", "3", "4")
) -> float:
    """GateLook at a candidate on a version of a test set."""
    seen = GateLook(candidate=f"new {content}", against="old 1", at=datetime(2026, 11, 1, tzinfo=UTC))
    test_set = TestSetInfo(name="set", version=version, content_hash=f"hash-{version}", articles=len(articles))
    return registry.note_look(seen, content, test_set, articles)


def test_a_damaged_record_is_told_by_its_place(registry: Registry, tmp_path: Path) -> None:
    registry.promote(registry.register(candidate("a")).version, registry.standing(), "first")
    (tmp_path / "models/extract/champion.json").write_text("{")
    with pytest.raises(StoreError, match=r"models/extract/champion\.json is damaged"):
        registry.standing()
