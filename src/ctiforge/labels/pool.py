"""What may be labeled next: articles that nobody labeled, with what rules and models say of them."""

import gzip
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from ctiforge.data.leaks import leaks_between
from ctiforge.errors import UsageError
from ctiforge.extract.answering.regex_floor import RegexFloor
from ctiforge.extract.testset_review import review_line
from ctiforge.labels.choosing import ChosenArticle, Claims, PoolArticle, choose_next
from ctiforge.labels.drawing import near_groups
from ctiforge.labels.likeness import TextLikeness
from ctiforge.labels.page.candidates import Origin, candidate_key
from ctiforge.labels.page.reading import ArticleFinds, origin_of
from ctiforge.progress import Progress
from ctiforge.records.answer import ANSWERS_NAME, KeptAnswer
from ctiforge.records.article import ArticleRecord
from ctiforge.records.base import explain
from ctiforge.records.human_label import HELD_OUT, HumanLabel
from ctiforge.records.observable import TYPES
from ctiforge.records.review import ReviewLine

_LABELED = "labeled already, or near to such an article"
_IN_TEST_SET = "in a test set, or near to one of its articles"
_SAME = "near to another article that may be labeled"


@dataclass(frozen=True)
class LabelPool:
    """Articles that may be labeled next, and what is known beside them."""

    articles: list[ArticleRecord]
    """Articles that nobody labeled, of near duplicates one, in the order of their hashes."""
    labeled: list[ArticleRecord]
    """Articles that people labeled."""
    examples: Counter[str]
    """Type → items that people found or marked, each once a text."""
    left_out: Counter[str]
    """Reason → articles that are not proposed."""


def make_pool(
    articles: Iterable[ArticleRecord], labels: Iterable[HumanLabel], tests: Sequence[ArticleRecord], scratch: Path
) -> LabelPool:
    """Find the articles that may be labeled next.

    Args:
        articles: Articles of a harvest or of a review file.
        labels: The registry. Where people marked single items alone, nobody labeled the article yet.
        tests: Articles of test sets.
        scratch: A folder for the comparison.

    Returns:
        Those that nobody labeled, that are in no test set and near to neither; the same whatever their order.
    """
    left_out: Counter[str] = Counter()
    examples: set[tuple[str, str]] = set()
    known: dict[str, ArticleRecord] = {}
    for label in labels:
        article = label.article
        found = (*article.observables, *label.positives)
        examples.update((candidate_key(each.type, each.value), article.content_hash) for each in found)
        if article.labelled_types or article.os_label or label.usage in HELD_OUT:
            known.setdefault(article.content_hash, article)
    labeled = list(known.values())
    free = sorted(articles, key=lambda each: (each.content_hash, each.id))
    for others, why in ((labeled, _LABELED), (tests, _IN_TEST_SET)):
        taken = {number for number, _ in leaks_between(free, others)}
        left_out[why] += len(taken)
        free = [each for number, each in enumerate(free) if number not in taken]
    first = dict(reversed(list(zip(near_groups(free, scratch), free, strict=True))))
    left_out[_SAME] += len(free) - len(first)
    counts = Counter(key.partition("\n")[0] for key, _ in examples)
    return LabelPool(list(first.values())[::-1], labeled, counts, +left_out)


def choose_from(
    pool: LabelPool,
    count: int,
    *,
    finds: Sequence[ArticleFinds] = (),
    confidences: Mapping[str, float] | None = None,
    seed: int = 0,
) -> list[tuple[ArticleRecord, ChosenArticle]]:
    """Choose the articles of a pool that a person should label next.

    Args:
        pool: The articles.
        count: Articles at most.
        finds: What models found.
        confidences: Article's id → the lowest probability that a model gave to one of its items; None: unknown.
        seed: Decides between equal scores.

    Returns:
        The articles and why, the most worth first.
    """
    if not pool.articles:
        return []
    rules = RegexFloor()
    known = confidences or {}
    opinions: list[PoolArticle] = []
    with Progress("label_next", len(pool.articles)) as progress:
        for article in pool.articles:
            said = [Origin("rule", "rules", rules.extract(article.content).observables, TYPES)]
            said += [origin_of(article, "the input"), *(origin for find in finds for origin in find(article))]
            opinions.append(_opinion(article, said, known.get(article.id)))
            progress.advance()
    likeness = TextLikeness([each.content for each in (*pool.articles, *pool.labeled)])
    own_count = len(pool.articles)
    nearest = likeness.to_nearest(range(own_count, own_count + len(pool.labeled)))[:own_count]
    chosen = choose_next(
        opinions,
        count,
        examples=pool.examples,
        similar=lambda number: likeness.to_all(number)[:own_count],
        nearest=nearest,
        seed=seed,
    )
    return [(pool.articles[each.index], each) for each in chosen]


def queue_line(article: ArticleRecord, chosen: ChosenArticle) -> ReviewLine:
    """Lay out a chosen article for a person to label.

    Args:
        article: The article.
        chosen: Why it was chosen.

    Returns:
        The line of a review file, with the reasons in `why`.
    """
    return review_line(article).model_copy(update={"why": "; ".join(chosen.reasons)})


def read_confidences(evaluation: Path) -> dict[str, float]:
    """Read how sure a model was of what it wrote, from the answers beside its evaluation.

    Args:
        evaluation: The evaluation, or its folder.

    Returns:
        Article's id → the geometric mean of the probabilities of an item's tokens, of the item where it is lowest;
        empty where no answers lie there, or nobody noted probabilities.

    Raises:
        UsageError: The answers cannot be read.
    """
    file = (evaluation if evaluation.is_dir() else evaluation.parent) / ANSWERS_NAME
    if not file.is_file():
        return {}
    lowest: dict[str, float] = {}
    try:
        with gzip.open(file, "rt", encoding="utf-8") as lines:
            for line in filter(str.strip, lines):
                answer = KeptAnswer.read_line(line)
                for item in answer.items or ():
                    sure = math.exp(min(0.0, item.mean))
                    lowest[answer.article_id] = min(sure, lowest.get(answer.article_id, 1.0))
    except (OSError, EOFError, ValueError) as error:
        why = explain(error, "a line") if isinstance(error, ValidationError) else error
        raise UsageError(f"{file} holds no answers of an evaluation ({why}): take it away, or evaluate again") from None
    return lowest


def _opinion(article: ArticleRecord, said: Sequence[Origin], confidence: float | None) -> PoolArticle:
    """Compare what labelers found, by type, of those that are known to have looked for it."""
    speaking = [each for each in said if each.looked_for or each.observables]
    claims: dict[str, Claims] = {}
    for type_ in dict.fromkeys(type_ for each in speaking for type_ in _types(each)):
        found = [
            {candidate_key(o.type, o.value) for o in each.observables if o.type == type_}
            for each in speaking
            if type_ in _types(each)
        ]
        all_of_them, by_all = set.union(*found), set.intersection(*found)
        if all_of_them:
            claims[type_] = Claims(agreed=len(by_all), disputed=len(all_of_them) - len(by_all))
    *names, last = dict.fromkeys(each.name or "a person" for each in speaking)
    return PoolArticle(article.id, claims, confidence, f"{', '.join(names)} and {last}" if names else last)


def _types(origin: Origin) -> dict[str, None]:
    return dict.fromkeys((*origin.looked_for, *(each.type for each in origin.observables)))
