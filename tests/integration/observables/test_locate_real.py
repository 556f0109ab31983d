import json
from pathlib import Path

import pytest

from ctiforge.observables.locate import Locator
from ctiforge.observables.values import normalise

ARTICLES = Path(__file__).parents[4] / "shared" / "data" / "articles.jsonl"

pytestmark = [
    pytest.mark.real_data,
    pytest.mark.skipif(not ARTICLES.exists(), reason=f"the real articles are not on this machine ({ARTICLES})"),
]


def test_every_labelled_item_of_the_real_articles_is_located() -> None:
    lost, items = [], 0
    for line in ARTICLES.read_text(encoding="utf-8").splitlines():
        article = json.loads(line)
        locator = Locator(article["content"])
        for type in article["labelled_types"]:
            for number, value in enumerate(article["truth"][type]):
                items += 1
                found = locator.locate(type, value)
                written = {normalise(type, locator.as_written(type, occurrence)) for occurrence in found}
                if written != {normalise(type, value)}:
                    lost.append((article["id"], type, number))

    assert items == 140
    assert lost == []
