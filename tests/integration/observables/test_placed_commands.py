"""Where judged command lines stand in the 30 real articles: kept as hashes and places, for the texts are others'."""

import csv
import hashlib
import json
from collections import Counter
from pathlib import Path

import pytest

from ctiforge.observables.bare import strip_bare
from ctiforge.observables.locate import Alignment, Locator

PLACED = Path(__file__).parents[2] / "fixtures" / "placed_commands.csv"


@pytest.fixture(scope="module", name="good")
def _good(real_articles: Path) -> list[dict[str, object]]:
    lines = (real_articles.parent / "judged_commands.jsonl").read_text(encoding="utf-8").splitlines()
    return [each for each in map(json.loads, lines) if each["judged"] == "good"]


@pytest.fixture(scope="module", name="locators")
def _locators(real_articles: Path) -> dict[str, Locator]:
    articles = map(json.loads, real_articles.read_text(encoding="utf-8").splitlines())
    return {article["id"]: Locator(article["content"]) for article in articles}


def test_the_commands_that_people_judged_good_stand_where_they_did(good, locators) -> None:
    with PLACED.open(encoding="utf-8") as file:
        held = {row["value_sha256"]: row for row in csv.DictReader(file)}
    statuses: Counter[str] = Counter()
    for each in good:
        row = held.get(hashlib.sha256(each["value"].encode()).hexdigest()[:16])
        found = {id_: locators[id_].locate("cmdline", each["value"]) for id_ in each["article_ids"]}
        first = next(((id_, places[0]) for id_, places in found.items() if places), None)
        if first is None:
            assert row is None
            continue
        id_, place = first
        assert row is not None
        assert (row["article"], row["start"], row["end"]) == (id_, str(place.start), str(place.end))
        assert row["status"] == place.status
        statuses[place.status] += 1

    assert len(good) == 844
    assert statuses[Alignment.EXACT] + statuses[Alignment.NORMALIZED] + statuses[Alignment.FUZZY] >= 405
    assert statuses[Alignment.UNWRAPPED] >= 35


def test_in_an_article_that_a_command_is_not_from_it_is_placed_only_where_it_stands(good, locators) -> None:
    ids = list(locators)
    placed = 0
    for number, each in enumerate(good):
        other = next(id_ for id_ in ids[number % len(ids) :] + ids if id_ not in each["article_ids"])
        for found in locators[other].locate("cmdline", each["value"])[:1]:
            placed += 1
            stands = strip_bare(locators[other].as_written("cmdline", found)).text
            assert stands in strip_bare(each["value"]).text
            assert found.status is not Alignment.FUZZY
    assert placed <= 10
