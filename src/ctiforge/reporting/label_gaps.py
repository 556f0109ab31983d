"""Items judged wrong that do stand in their article: likely what its annotator overlooked, to be judged by a person."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ctiforge.observables.locate import Alignment, Locator
from ctiforge.observables.values import normalize
from ctiforge.records.article import ArticleRecord
from ctiforge.records.evaluation import ArticleScore, Evaluation, ScoredItem
from ctiforge.records.review import ReviewItem, ReviewLine
from ctiforge.reporting import words
from ctiforge.reporting.contest import new_stage, role_of
from ctiforge.reporting.reading import RunFiles
from ctiforge.reporting.view import Block, Note, Section
from ctiforge.tables import Cell, Column, Table

UNLABELED = "not labeled"
"""How the evidence of a likely gap begins, and that of what is labeled does not."""
_AROUND = 80

GapKey = tuple[str, str, str]
"""Article, type and normalized value."""


@dataclass(frozen=True)
class LabelGaps:
    """Articles with likely gaps, for the page to label on."""

    lines: tuple[ReviewLine, ...]
    """Each article whole: what is labeled in it, and first what likely is missing."""
    items: Mapping[str, int]
    """Type → likely gaps."""
    shared: Mapping[str, int]
    """Type → those that another model of the run gives as well."""
    path: Path
    """The review file that they belong into."""


def find_label_gaps(run: RunFiles, path: Path) -> LabelGaps:
    """Collect what the new model gives, nobody labeled, and the article says; parts of labeled items are no gaps.

    Args:
        run: What the run left.
        path: The review file that they are to be written to.

    Returns:
        The articles as a review file has them, those with the most gaps first; none where there is no new model, or
        the test set is not in the store.
    """
    name = new_stage(run)
    new = run.evaluations.get(name) if name else None
    if not new:
        return LabelGaps((), {}, {}, path)
    also = _given_by(run, name or "")
    found = [(article, _gaps(article)) for article in new.articles if article.id in run.articles]
    found = sorted(((article, gaps) for article, gaps in found if gaps), key=lambda pair: (-len(pair[1]), pair[0].id))
    lines = tuple(_line(run.articles[article.id], gaps, also) for article, gaps in found)
    items = Counter(item.type for _, gaps in found for item in gaps)
    shared = Counter(item.type for article, gaps in found for item in gaps if _key(article.id, item) in also)
    return LabelGaps(lines, items, shared, path)


def gaps_section(gaps: LabelGaps) -> Section | None:
    """Say how many there are, in which file, and how to judge them; None where there are none."""
    if not gaps.lines:
        return None
    ranked = sorted(gaps.items.items(), key=lambda pair: (-pair[1], pair[0]))
    rows = tuple(
        (Cell(type_), Cell(words.count(n)), Cell(words.count(gaps.shared.get(type_, 0)))) for type_, n in ranked
    )
    table = Table(
        "Likely gaps by type",
        (Column("", False), Column("items"), Column("given by another model too")),
        rows,
        note=f"In the file the evidence of each of them begins with “{UNLABELED}”.",
    )
    command = f"ctiforge label --input {gaps.path} --annotator NAME"
    lead = (
        f"{words.plural(sum(gaps.items.values()), 'item')} in {words.plural(len(gaps.lines), 'article')} count as "
        "wrong though they stand in the article: a person says whether the model is wrong or the label is missing. "
        "Parts of labeled items are not among them."
    )
    note = Note((f"Review file: {gaps.path}", f"Judge them on the page: {command}"))
    blocks: tuple[Block, ...] = (table, note)
    return Section("gaps", "Likely label gaps", lead, blocks)


def _given_by(run: RunFiles, new: str) -> dict[GapKey, list[str]]:
    """Find which other models say the same of what nobody labeled."""
    given: dict[GapKey, list[str]] = {}
    for stage, evaluation in run.evaluations.items():
        for key in _wrong(evaluation) if stage != new else ():
            given.setdefault(key, []).append(role_of(stage))
    return given


def _wrong(evaluation: Evaluation) -> Iterator[GapKey]:
    for article in evaluation.articles:
        yield from dict.fromkeys(_key(article.id, item) for item in article.items if item.outcome == "wrong")


def _gaps(article: ArticleScore) -> list[ScoredItem]:
    return [
        item
        for item in article.items
        if item.outcome == "wrong" and item.grounding == "located" and item.predicted and not item.near
    ]


def _key(article: str, item: ScoredItem) -> GapKey:
    return article, item.type, normalize(item.type, item.predicted or "")


def _line(article: ArticleRecord, gaps: list[ScoredItem], also: Mapping[GapKey, list[str]]) -> ReviewLine:
    locator = Locator(article.content)
    missing = [_missing(item, locator, also.get(_key(article.id, item), [])) for item in gaps]
    labeled = [
        ReviewItem(type=o.type, value=o.value, platform=o.platform, evidence=_quote(locator, o.type, o.value)[1])
        for o in article.observables
    ]
    return ReviewLine(
        id=article.id,
        title=article.title,
        url=article.url,
        why=f"{words.plural(len(gaps), 'item')} that nobody labeled",
        os_label=article.os_label,
        annotator="",
        labelled_types=article.labelled_types,
        observables=(*missing, *labeled),
        tags=article.tags,
        content=article.content,
    )


def _missing(item: ScoredItem, locator: Locator, also: list[str]) -> ReviewItem:
    written, quote = _quote(locator, item.type, item.predicted or "")
    others = f", also given by {', '.join(also)}" if also else ""
    evidence = f"{UNLABELED}{others}: {quote}"
    return ReviewItem(type=item.type, value=written, platform=item.platform_predicted, evidence=evidence)


def _quote(locator: Locator, type_: str, value: str) -> tuple[str, str]:
    """Write a value as the article does, with the text around it."""
    found = locator.locate(type_, value)
    if not found:
        return value, "NOT FOUND in the article"
    start, end = max(0, found[0].start - _AROUND), found[0].end + _AROUND
    stands = found[0].status in (Alignment.EXACT, Alignment.NORMALIZED)
    written = locator.as_written(type_, found[0]) if stands else value
    return written, " ".join(locator.text[start:end].split())
