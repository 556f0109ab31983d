"""Brings labels of people into the registry, whatever form they come in."""

import json
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ctiforge.data.articles import Article
from ctiforge.data.database import Database
from ctiforge.data.evaluation_data import is_evaluation_data, read_evaluation_data
from ctiforge.data.item_values import canonical_type
from ctiforge.data.labels import (
    UNNAMED,
    Saved,
    changed_texts,
    find_conflicts,
    label_key,
    labels_of,
    merge_labels,
    read_labels,
    save_label,
)
from ctiforge.data.testsets import read_labelled_articles
from ctiforge.errors import DataError, UsageError
from ctiforge.labels.annotations import read_annotations, read_expected
from ctiforge.labels.label_studio import is_label_studio, read_label_studio
from ctiforge.labels.reading import ReadLabels
from ctiforge.records.article import ArticleRecord
from ctiforge.records.human_label import HumanLabel, LabelUsage
from ctiforge.records.observable import TYPES
from ctiforge.store.objects import ObjectStore

_ARTICLES_AT_ONCE = 200


@dataclass(frozen=True)
class ImportedLabels:
    """What an import did."""

    saved: Counter[Saved]
    """What became of the labels → how many."""
    left_out: Counter[str]
    """Reason → lines, articles or items that label nothing."""
    changed: list[str]
    """Ids of articles whose page is labeled with another text: each label stays with the text that it is of."""
    conflicts: list[str]
    """`article id: type` of what people contradict each other in, in the texts that were imported."""


def read_file(path: Path, looked_at: Sequence[str], annotator: str | None) -> ReadLabels:
    """Read labels of people from a file or folder.

    Args:
        path: A review file, an export of Label Studio (JSON), or a folder of the application's evaluation data.
        looked_at: Types that people looked for in all of every text, where the file does not say.
        annotator: Who labeled what names nobody.

    Returns:
        The labels.

    Raises:
        UsageError: There is no such file, or a type is none.
        DataError: It is none of these, or a line is no labeled article; the text says where.
    """
    unknown = [type_ for type_ in looked_at if type_ not in TYPES]
    if unknown:
        raise UsageError(f"--looked-at {unknown[0]}: there is no such type: there are {', '.join(TYPES)}")
    if is_evaluation_data(path):
        data = read_evaluation_data(path)
        signed = (each.model_copy(update={"annotator": annotator or UNNAMED}) for each in data.articles)
        return ReadLabels([_label(each, "evaluation data") for each in signed], data.left_out)
    if not path.is_file():
        raise UsageError(f"{path}: there is no such file; give a review file, an export or config/eval_articles_data")
    if path.suffix.lower() in (".csv", ".tsv"):
        raise DataError(
            f"{path} is a table, which holds no texts: give a review file, an article with its content a line "
            "(prepare-os --labels reads tables)"
        )
    document = _json(path)
    if document is None:
        return _of_review(read_labelled_articles(path), annotator)
    if not is_label_studio(document):
        raise DataError(
            f"{path} is one JSON document, and no export of Label Studio: give a review file, an article a line"
        )
    return read_label_studio(document, looked_at, annotator)


def read_application(database: Database, annotator: str | None) -> ReadLabels:
    """Read what people said in the application: annotations, and the expected items of its evaluations.

    Args:
        database: The application's database.
        annotator: Who labeled what names nobody.

    Returns:
        The labels.

    Raises:
        DatabaseError: The server stopped answering or refuses.
    """
    annotations, expected = database.annotations(), database.expected_items()
    ids = {row.article_id for row in annotations} | {row.article_id for row in expected if row.article_id is not None}
    ids.update(database.ids_by_url([row.url for row in expected if row.article_id is None and row.url]))
    articles = _articles(database, sorted(ids))
    read = read_annotations(annotations, articles, annotator)
    further = read_expected(expected, articles, annotator)
    return ReadLabels(read.labels + further.labels, read.left_out + further.left_out)


def import_labels(store: ObjectStore, read: ReadLabels, usage: LabelUsage | None = None) -> ImportedLabels:
    """Keep labels in the registry; what is there already is not written again.

    Args:
        store: The store of the registry.
        read: The labels.
        usage: What all of them are for; None: what each says.

    Returns:
        What was done.

    Raises:
        DataError: There is no label in it.
        StoreError: The store does not answer.
    """
    if not read.labels:
        why = "; ".join(f"{reason}: {count}" for reason, count in sorted(read.left_out.items()))
        raise DataError(f"no label of ours in it ({why or 'it is empty'}): is it another project's?")
    changed = changed_texts(read.labels, read_labels(store))
    saved: Counter[Saved] = Counter()
    for label in _one_a_person(read.labels):
        saved[save_label(store, label.model_copy(update={"usage": usage}) if usage else label)] += 1
    hashes = dict.fromkeys(label.article.content_hash for label in read.labels)
    conflicts = find_conflicts(label for hash_ in hashes for label in labels_of(store, hash_))
    return ImportedLabels(saved, read.left_out, changed, conflicts)


def _one_a_person(labels: Iterable[HumanLabel]) -> Iterable[HumanLabel]:
    """Put together what one person says of one text: saved piece by piece, one would undo the other each time."""
    together: dict[str, HumanLabel] = {}
    for label in labels:
        key = label_key(label.article.content_hash, label.annotator)
        together[key] = merge_labels(together[key], label) if key in together else label
    return together.values()


def _of_review(articles: Iterable[ArticleRecord], annotator: str | None) -> ReadLabels:
    read = ReadLabels()
    for given in articles:
        article = _of_our_types(given, read.left_out) if given.labelled_by == "human" else given
        name = (article.annotator or "").strip() or (annotator or "").strip()
        stray = [each for each in article.observables if each.type not in article.labelled_types]
        if article.labelled_by != "human":
            read.left_out["articles whose labels are a model's"] += 1
        elif not name:
            read.left_out["articles that nobody signed (--annotator NAME signs them)"] += 1
        elif not article.labelled_types and article.os_label is None and not stray:
            read.left_out["articles of which nothing was judged"] += 1
        else:
            read.labels.append(_label(article.model_copy(update={"annotator": name}), "review file"))
    return read


def _of_our_types(article: ArticleRecord, left_out: Counter[str]) -> ArticleRecord:
    """Take types by any of their names, without those that there are not and items of nothing."""
    observables = []
    unread: Counter[str] = Counter()
    for each in article.observables:
        type_ = canonical_type(each.type)
        if type_ not in TYPES:
            left_out[f"items of no type of ours ({type_[:40]})"] += 1
        elif not each.value.strip():
            unread[type_] += 1
            left_out[f"{type_}: items without a value"] += 1
        else:
            observables.append(each.model_copy(update={"type": type_}))
    found = {each.type for each in observables}
    looked_at = []
    for type_ in dict.fromkeys(map(canonical_type, article.labelled_types)):
        if type_ not in TYPES:
            left_out[f"labelled_types that are none of ours ({type_[:40]})"] += 1
        elif type_ in found or not unread[type_]:
            looked_at.append(type_)
    return article.model_copy(update={"observables": tuple(observables), "labelled_types": tuple(looked_at)})


def _label(article: ArticleRecord, source: str) -> HumanLabel:
    """Make a label of a record: items of types that it does not list are single ones."""
    looked_at = [each for each in article.observables if each.type in article.labelled_types]
    alone = tuple(each for each in article.observables if each.type not in article.labelled_types)
    kept = article.model_copy(update={"observables": tuple(looked_at), "group": "", "type_labels": {}})
    return HumanLabel(article=kept, positives=alone, sources=(source,))


def _json(path: Path) -> Any:
    """Read a file as one JSON document, an export's only task as a list of it; None where it is lines."""
    text = path.read_text(encoding="utf-8-sig", errors="replace").strip()
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        if text.startswith("["):
            why = "it is nested too deeply" if isinstance(error, RecursionError) else error
            raise DataError(f"{path} is no JSON that can be read ({why}): export it again") from None
        return None
    if is_label_studio([document]):
        return [document]
    # a review file of one line is one object
    return document if isinstance(document, list) or "\n" in text else None


def _articles(database: Database, ids: Collection[int]) -> dict[int, Article]:
    known: dict[int, Article] = {}
    ordered = list(ids)
    for start in range(0, len(ordered), _ARTICLES_AT_ONCE):
        known.update(database.articles_by_id(ordered[start : start + _ARTICLES_AT_ONCE]))
    return known
