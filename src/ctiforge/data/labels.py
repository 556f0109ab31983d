"""The registry of labels: what people said of articles, one object a person and text.

`human-labels/<hash of the text>/<hash of the person's name>.json` holds a `HumanLabel`. Training sets and test sets are
drawn from it; where text or name change, another object is written.
"""

import hashlib
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from enum import StrEnum

from ctiforge.data.identity import canonical_url
from ctiforge.errors import StoreError
from ctiforge.observables.values import normalize
from ctiforge.records.article import ArticleRecord
from ctiforge.records.human_label import HELD_OUT, HumanLabel
from ctiforge.records.observable import Observable
from ctiforge.store.objects import ObjectStore
from ctiforge.store.reading import parse_record, read_record

FOR_EVALUATION = "labeled for evaluation, or near to such an article"
PREFIX = "human-labels/"
UNNAMED = "the team"
"""Who labeled what names nobody, as evaluation data of the application does."""
_REMEDY = "delete it, and import its labels again"
_AT_ONCE = 8
_TRIES = 20


class Saved(StrEnum):
    """What became of a label that was given to the registry."""

    NEW = "new"
    CHANGED = "changed"
    KNOWN = "known already"


def label_key(content_hash: str, annotator: str) -> str:
    """Name the object that holds what a person said of a text.

    Args:
        content_hash: The hash of the folded text, as in `ArticleRecord`.
        annotator: The person's name; white space around it and its case do not count.

    Returns:
        The key in the store; it does not show the name.
    """
    person = hashlib.sha256(annotator.strip().casefold().encode()).hexdigest()[:16]
    return f"{PREFIX}{content_hash}/{person}.json"


def save_label(store: ObjectStore, label: HumanLabel) -> Saved:
    """Keep what a person said, on top of what they said of the same text before (see `merge_labels`).

    Args:
        store: The store of the registry.
        label: The label; its article names the person.

    Returns:
        Whether it is new, changes what was known, or says nothing new.

    Raises:
        StoreError: The store does not answer, or others write the same label all the time.
    """
    for _ in range(_TRIES):
        found = load_label(store, label.article.content_hash, label.annotator)
        known, tag = found or (None, None)
        merged = merge_labels(known, label) if known else label
        if merged == known:
            return Saved.KNOWN
        if write_label(store, merged, tag):
            return Saved.CHANGED if known else Saved.NEW
    raise StoreError(f"{store.uri}: others write the label of article {label.article.id} all the time; try again")


def load_label(store: ObjectStore, content_hash: str, annotator: str) -> tuple[HumanLabel, str] | None:
    """Load what a person said of a text, to be written again by `write_label`.

    Args:
        store: The store of the registry.
        content_hash: The hash of the folded text.
        annotator: The person's name.

    Returns:
        The label, and the tag of this version of it; None where they said nothing.

    Raises:
        StoreError: The label is damaged, or the store does not answer.
    """
    key = label_key(content_hash, annotator)
    try:
        data, tag = store.read_with_tag(key)
    except FileNotFoundError:
        return None
    return parse_record(store, key, HumanLabel, data, _REMEDY), tag


def write_label(store: ObjectStore, label: HumanLabel, tag: str | None) -> bool:
    """Write what a person says of a text in the place of all that they said before.

    Args:
        store: The store of the registry.
        label: The label; its article names the person.
        tag: The tag of the version that it replaces; None: they said nothing yet.

    Returns:
        False, and nothing is written, where somebody else wrote it since.
    """
    key, data = label_key(label.article.content_hash, label.annotator), label.to_json().encode()
    return store.write_new(key, data) if tag is None else store.replace(key, data, tag)


def merge_labels(old: HumanLabel, new: HumanLabel) -> HumanLabel:
    """Put what a person says now on top of what they said before of the same text.

    Args:
        old: What was known.
        new: What they say now: a type that they looked for replaces what they found of it before; a single item is
            added to what they found. What they labeled for evaluation once stays so.

    Returns:
        Both together.
    """
    looked = tuple(dict.fromkeys((*old.article.labelled_types, *new.article.labelled_types)))
    now = set(new.article.labelled_types)
    kept = [each for each in old.article.observables if each.type not in now]
    single = [each for each in new.positives if each.type in looked and each.type not in now]
    article = new.article.model_copy(
        update={
            "id": old.article.id,
            "url": new.article.url or old.article.url,
            "title": new.article.title or old.article.title,
            "labelled_types": looked,
            "observables": _distinct((*kept, *new.article.observables, *single)),
            "os_label": new.article.os_label or old.article.os_label,
        }
    )
    found = {_key(each) for each in article.observables}
    alone = [each for each in (*old.positives, *new.positives) if each.type not in looked]
    refused = [each for each in (*old.rejected, *new.rejected) if _key(each) not in found]
    return HumanLabel(
        article=article,
        positives=_distinct(alone),
        rejected=_distinct(refused),
        usage=old.usage if old.usage in HELD_OUT and new.usage not in HELD_OUT else new.usage or old.usage,
        sources=tuple(dict.fromkeys((*old.sources, *new.sources))),
    )


def read_labels(store: ObjectStore) -> Iterator[HumanLabel]:
    """Read the whole registry.

    Args:
        store: The store of the registry.

    Yields:
        Every label, in the order of texts and people, whatever the order they came in.

    Raises:
        StoreError: A label is damaged, which the text names, or the store does not answer.
    """
    keys = sorted(info.key for info in store.list(PREFIX) if info.key.endswith(".json"))
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        yield from pool.map(lambda key: read_record(store, key, HumanLabel, _REMEDY), keys)


def labels_of(store: ObjectStore, content_hash: str) -> list[HumanLabel]:
    """Read what everybody said of one text.

    Args:
        store: The store of the registry.
        content_hash: The hash of the folded text.

    Returns:
        The labels, one a person.
    """
    keys = sorted(info.key for info in store.list(f"{PREFIX}{content_hash}/"))
    return [read_record(store, key, HumanLabel, _REMEDY) for key in keys]


def held_out_labels(labels: Iterable[HumanLabel]) -> Iterator[tuple[str, ArticleRecord]]:
    """Find the articles that people labeled for evaluation, which no training article may repeat.

    Args:
        labels: The registry.

    Yields:
        Why whatever repeats the article is left out, and the article.
    """
    return ((FOR_EVALUATION, label.article) for label in labels if label.usage in HELD_OUT)


def contradicted_types(one: ArticleRecord, other: ArticleRecord) -> list[str]:
    """List the types that two people both looked for in one text, and of which they found different values.

    Args:
        one: What one said.
        other: What the other said.

    Returns:
        The types, in the order of the first.
    """
    both = [type_ for type_ in one.labelled_types if type_ in other.labelled_types]
    return [type_ for type_ in both if _values(one, type_) != _values(other, type_)]


def group_by_text(labels: Iterable[HumanLabel]) -> list[list[HumanLabel]]:
    """Group labels by the text that they are of.

    Args:
        labels: The labels of any texts.

    Returns:
        The labels of each text, in their order.
    """
    by_text: dict[str, list[HumanLabel]] = {}
    for label in labels:
        by_text.setdefault(label.article.content_hash, []).append(label)
    return list(by_text.values())


def find_conflicts(labels: Iterable[HumanLabel]) -> list[str]:
    """Find what people contradict each other in.

    Args:
        labels: The labels of any texts.

    Returns:
        `article id: type` of each type, and of `os_label`, that two said different things of.
    """
    found: dict[str, None] = {}
    for same in group_by_text(labels):
        first, *others = (each.article for each in same)
        for number, other in enumerate(others, start=1):
            for one in [first, *others[: number - 1]]:
                types = contradicted_types(one, other)
                if one.os_label and other.os_label and one.os_label != other.os_label:
                    types.append("os_label")
                found.update(dict.fromkeys(f"{first.id}: {type_}" for type_ in types))
    return list(found)


def changed_texts(new: Iterable[HumanLabel], known: Iterable[HumanLabel]) -> list[str]:
    """Find the pages of which one text is labeled already and another one now.

    Args:
        new: Labels that are imported.
        known: The registry before.

    Returns:
        The ids of the new labels' articles.
    """
    hashes: dict[str, set[str]] = {}
    for label in known:
        if label.article.url:
            hashes.setdefault(canonical_url(label.article.url), set()).add(label.article.content_hash)
    found = [
        label.article.id
        for label in new
        if label.article.url and hashes.get(canonical_url(label.article.url), set()) - {label.article.content_hash}
    ]
    return list(dict.fromkeys(found))


def _distinct(observables: Iterable[Observable]) -> tuple[Observable, ...]:
    """Keep the first of each value, with the platform that any of its spellings has."""
    found: dict[tuple[str, str], Observable] = {}
    for each in observables:
        known = found.setdefault(_key(each), each)
        if known.platform is None and each.platform:
            found[_key(each)] = known.model_copy(update={"platform": each.platform})
    return tuple(found.values())


def _key(observable: Observable) -> tuple[str, str]:
    return observable.type, normalize(observable.type, observable.value)


def _values(record: ArticleRecord, type_: str) -> set[str]:
    return {normalize(o.type, o.value) for o in record.observables if o.type == type_}
