import json
from pathlib import Path

from ctiforge.observables.locate import Locator
from ctiforge.observables.values import normalize


def test_every_labeled_item_of_the_real_articles_is_located(real_articles: Path) -> None:
    lost, items = [], 0
    for line in real_articles.read_text(encoding="utf-8").splitlines():
        article = json.loads(line)
        locator = Locator(article["content"])
        for type_ in article["labelled_types"]:
            for number, value in enumerate(article["truth"][type_]):
                items += 1
                found = locator.locate(type_, value)
                written = {normalize(type_, locator.as_written(type_, occurrence)) for occurrence in found}
                if written != {normalize(type_, value)}:
                    lost.append((article["id"], type_, number))

    assert items == 140
    assert lost == []
