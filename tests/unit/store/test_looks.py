from datetime import UTC, datetime
from pathlib import Path

import pytest

from ctiforge.records.evaluation import TestSetInfo
from ctiforge.records.registry import GateLook
from ctiforge.store.looks import Looks
from ctiforge.store.objects import open_store


@pytest.fixture
def looks(tmp_path: Path) -> Looks:
    return Looks(open_store(str(tmp_path)), "extract")


def test_a_candidate_is_looked_at_once_on_a_version_of_a_test_set(looks: Looks) -> None:
    assert look(looks, "a") == 1
    assert look(looks, "a") == 1
    assert look(looks, "b") == 2
    assert looks.was_looked_at("b", "hash-1")
    assert not looks.was_looked_at("c", "hash-1")
    assert looks.by_test_set() == {"set@1": 2}


def test_new_articles_know_nothing_of_earlier_looks(looks: Looks) -> None:
    for content in "abcd":
        look(looks, content)

    # of four articles one was looked at before
    assert look(looks, "e", version="2", articles=("1", "5", "6", "7")) == 4 * 0.25 + 1
    assert looks.count("hash-3", ("8", "9")) == 0


def test_the_looks_before_a_candidates_first_one_are_those_against_the_same_model(looks: Looks) -> None:
    def seen(content: str, day: int, against: str = "old 1") -> GateLook:
        at = datetime(2026, 11, day, tzinfo=UTC)
        made = GateLook(candidate=f"new {content}", against=against, at=at, figures=(0.5, 0.4, 0.6))
        looks.note(made, content, TestSetInfo(name="set", version="1", content_hash="h", articles=2), ("1", "2"))
        return made

    seen("x", 1, against="older 1")
    seen("a", 2)
    later = seen("b", 4)
    last = seen("c", 3)
    assert [each.candidate for each in looks.before(later, "b", "h")] == ["new a", "new c"]
    assert [each.candidate for each in looks.before(later, "b", "h", {"c"})] == ["new a"]
    # asked again a month later, the same ones count
    again = last.model_copy(update={"at": datetime(2026, 12, 24, tzinfo=UTC)})
    assert [each.candidate for each in looks.before(again, "c", "h")] == ["new a"]


def test_a_candidate_that_is_evaluated_anew_keeps_its_place_and_gets_its_figures(looks: Looks) -> None:
    info = TestSetInfo(name="set", version="1", content_hash="h", articles=2)
    day = datetime(2026, 11, 1, tzinfo=UTC)
    wrong = GateLook(candidate="new a", against="old 1", at=day, figures=(0.0, 0.0, 0.0))
    assert looks.note(wrong, "a", info, ("1", "2")) == 1
    right = wrong.model_copy(update={"at": day.replace(day=2), "figures": (0.7, 0.6, 0.8)})
    assert looks.note(right, "a", info, ("1", "2")) == 1
    other = GateLook(candidate="new b", against="old 1", at=day.replace(day=3), figures=(0.5, 0.4, 0.6))
    (kept,) = looks.before(other, "b", "h")
    assert (kept.figures, kept.at) == ((0.7, 0.6, 0.8), day)
    # by other rules of what counts as found they say nothing together
    assert looks.before(other.model_copy(update={"scoring": 9}), "b", "h") == []


def test_pairs_that_registries_of_before_counted_are_looks(looks: Looks, tmp_path: Path) -> None:
    folder = tmp_path / "models/extract/comparisons/hash-1"
    folder.mkdir(parents=True)
    (folder / "0123456789ab.json").write_text("{}")
    assert look(looks, "a") == 2


def look(looks: Looks, content: str, version: str = "1", articles: tuple[str, ...] = ("1", "2", "3", "4")) -> float:
    """GateLook at a candidate on a version of a test set."""
    seen = GateLook(candidate=f"new {content}", against="old 1", at=datetime(2026, 11, 1, tzinfo=UTC))
    test_set = TestSetInfo(name="set", version=version, content_hash=f"hash-{version}", articles=len(articles))
    return looks.note(seen, content, test_set, articles)
