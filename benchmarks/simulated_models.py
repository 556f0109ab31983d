"""Models of known quality on articles with the items of a real test set: what the gate's proofs are made with.

An article of a drawn test set has the items, type by type, of one of the population's. Whether a model finds an item
is drawn from a logistic of the model's skill, the item's and the article's difficulty, which all models share, and how
much the model likes the article, which is its own: with the default spreads two models of one skill agree on four of
five items. What it finds too much is Poisson, more in articles with more items.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ctiforge.evaluation.scoring.scores import Counts
from ctiforge.evaluation.statistics import Floats, ratio
from ctiforge.records.article import ArticleRecord

_TOKENS_A_WINDOW = 4000


@dataclass(frozen=True)
class Population:
    """Articles that test sets are drawn from.

    Attributes:
        name: What tables call it.
        types: The types of observables.
        items: (articles, types): how many items.
        empty: (articles,): labeled types without any.
        windows: (articles,): windows that a model reads an article in.
    """

    name: str
    types: tuple[str, ...]
    items: NDArray[np.int64]
    empty: NDArray[np.int64]
    windows: NDArray[np.int64]

    @classmethod
    def of(cls, name: str, records: Sequence[ArticleRecord]) -> "Population":
        """Count the items of labeled articles."""
        labeled = [record for record in records if record.labelled_types]
        types = tuple(sorted({item.type for record in labeled for item in record.observables}))
        items = np.array([[sum(item.type == t for item in record.observables) for t in types] for record in labeled])
        empty = np.array(
            [len(set(r.labelled_types)) - int((row > 0).sum()) for r, row in zip(labeled, items, strict=True)]
        )
        windows = np.array([1 + len(record.content) // _TOKENS_A_WINDOW for record in labeled])
        return cls(name, types, items, empty, windows)


@dataclass(frozen=True)
class Spreads:
    """How unlike items, articles and models are, standard deviations in logits.

    Attributes:
        item: Of the items' difficulty, shared by all models.
        article: Of the articles' difficulty, shared by all models.
        own: Of how much each model likes each article.
    """

    item: float = 2.5
    article: float = 0.7
    own: float = 0.5


@dataclass(frozen=True)
class Recipe:
    """What models of one recipe are like: the same in truth, other items found by each.

    Attributes:
        skill: In logits.
        wrong: Wrong items per expected one.
    """

    skill: float
    wrong: float


@dataclass(frozen=True)
class Drawn:
    """Several models on one test set.

    Attributes:
        columns: Column of counts → (models, articles), or (articles,) where all models have the same.
        types: The types that occur.
    """

    columns: dict[str, Floats]
    types: tuple[str, ...]

    def counts(self, model: int, articles: slice = slice(None)) -> Counts:
        """Take the counts of one model, on some of the articles."""
        mine = {name: (each[model] if each.ndim == 2 else each)[articles] for name, each in self.columns.items()}
        types = tuple(type_ for type_ in self.types if mine[f"type:{type_}.expected"].any())
        return Counts(mine, types, len(mine["articles"]))


def draw(population: Population, recipes: Sequence[Recipe], articles: int, spreads: Spreads, seed: int) -> Drawn:
    """Draw a test set and what one model of each recipe, named as often as there are models, makes of it."""
    rng = np.random.default_rng(seed)
    rows = rng.integers(len(population.items), size=articles)
    items = population.items[rows]
    models = len(recipes)
    skill = np.array([each.skill for each in recipes])[:, None]
    ease = rng.normal(0, spreads.article, articles) + rng.normal(0, spreads.own, (models, articles))
    columns: dict[str, Floats] = {}
    total = {name: np.zeros((models, articles)) for name in ("found", "predicted")}
    luck = np.exp(rng.normal(0, 0.6, articles) + rng.normal(0, 0.4, (models, articles)) - 0.26)
    rates = np.array([each.wrong for each in recipes])[:, None] * luck
    for number, type_ in enumerate(population.types):
        expected = items[:, number]
        place = np.repeat(np.arange(articles), expected)
        chance = 1 / (1 + np.exp(-(skill + ease[:, place] + rng.normal(0, spreads.item, len(place)))))
        found = (rng.random(chance.shape) < chance) @ np.eye(articles)[place]
        wrong = rng.poisson(rates * (0.3 / len(population.types) + expected))
        columns |= _of_type(f"type:{type_}", expected, found, found + wrong)
        total = {"found": total["found"] + found, "predicted": total["predicted"] + found + wrong}
    columns |= _of_type("all", items.sum(axis=1), total["found"], total["predicted"])
    windows, empty = population.windows[rows].astype(float), population.empty[rows].astype(float)
    spoilt = rng.binomial(population.windows[rows], 0.01, (models, articles))
    zero = rng.poisson(0.1 * empty, (models, articles))
    columns |= {
        "articles": np.ones(articles),
        "windows": windows,
        "json_parsed": windows - spoilt,
        "schema_valid": windows - spoilt,
        "located": rng.binomial(columns["all.predicted"].astype(int), 0.97).astype(float),
        "zero.pairs": empty,
        "zero.wrong": zero.astype(float),
        "zero.clean": np.maximum(empty - zero, 0),
        "pairs": empty + (items > 0).sum(axis=1),
    }
    return Drawn(columns, population.types)


def micro_f1(drawn: Drawn, articles: slice = slice(None)) -> tuple[Floats, Floats]:
    """Compute every model's micro-F1 (models,), and what it is without each article (models, articles)."""
    top, bottom = f1_parts(drawn, articles)
    whole = ratio(top.sum(axis=1), bottom.sum(axis=1))
    return whole, ratio(top.sum(axis=1, keepdims=True) - top, bottom.sum(axis=1, keepdims=True) - bottom)


def f1_parts(drawn: Drawn, articles: slice = slice(None)) -> tuple[Floats, Floats]:
    """Give what micro-F1 divides, article by article (models, articles) each."""
    expected, found, predicted = (drawn.columns[f"all.{each}"] for each in ("expected", "found", "predicted"))
    return 2 * found[:, articles], (expected + predicted)[:, articles]


def recipe_with(population: Population, figure: float, spreads: Spreads) -> Recipe:
    """Find the recipe whose micro-F1 is this one in truth, precision and recall about alike, by bisection."""
    low, high = -6.0, 8.0
    for _ in range(25):
        middle = (low + high) / 2
        made = Recipe(middle, 1 - figure)
        reached = float(micro_f1_of_many(population, made, spreads))
        low, high = (middle, high) if reached < figure else (low, middle)
    return Recipe((low + high) / 2, 1 - figure)


def micro_f1_of_many(population: Population, recipe: Recipe, spreads: Spreads) -> float:
    """Compute a recipe's micro-F1 over thousands of articles: the true one, up to 0.003."""
    top, bottom = zip(*(f1_parts(draw(population, [recipe], 500, spreads, seed)) for seed in range(24)), strict=True)
    return float(np.concatenate(top, axis=1).sum() / np.concatenate(bottom, axis=1).sum())


def agreement(population: Population, recipe: Recipe, spreads: Spreads) -> float:
    """Compute on how many items two models of a recipe agree, found by both or by neither, by drawing both."""
    rng = np.random.default_rng(0)
    ease = rng.normal(0, np.hypot(spreads.item, spreads.article), 200_000)
    both = 1 / (1 + np.exp(-(recipe.skill + ease + rng.normal(0, spreads.own, (2, 200_000)))))
    return float((both[0] * both[1] + (1 - both[0]) * (1 - both[1])).mean())


def _of_type(prefix: str, expected: NDArray[np.int64], found: Floats, predicted: Floats) -> dict[str, Floats]:
    return {
        f"{prefix}.expected": expected.astype(float),
        f"{prefix}.found": found,
        f"{prefix}.exact": found,
        f"{prefix}.partial": found,
        f"{prefix}.predicted": predicted,
    }
