"""Removes an article from a store: whatever holds its text or quotes it goes, but for weights, which cannot unlearn it.

An artifact goes whole, and is made again without the article when a run needs it; a test set loses the article; labels
of people, evaluations kept beside models, parts of evaluations in shards, what was read of its executions and what a
labeler quoted from it go.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ctiforge.data.identity import fold
from ctiforge.data.labels import PREFIX as LABELS
from ctiforge.data.mentions import ArticleIdentity, read_values
from ctiforge.data.outcome_cache import PART
from ctiforge.data.testsets import count_types
from ctiforge.records.article import TESTSET_NAME, ArticleRecord
from ctiforge.records.artifact import Manifest
from ctiforge.records.testset import TestSet
from ctiforge.store.garbage import Thing, gather
from ctiforge.store.objects import ObjectStore

_TEXT = (".json", ".json.gz", ".jsonl", ".jsonl.gz", ".csv", ".tsv")
_WEIGHTS = (".safetensors", ".gguf")
_ANSWERS, _OUTCOMES, _TEST_SETS = "labels/", "outcomes/", "testsets/"
_MODELS, _WITH_TEXTS = "models/", ("/evaluations/", "/canaries/")
_CHECKPOINTS, _PARTS = "checkpoints/", "/parts/"
_INPUTS = "inputs/"
_THINGS = ("artifacts/", _INPUTS)
_SHORTEST_QUOTE = 16
_LONGEST_ID = 20


@dataclass
class Forgotten:
    """What holds an article in a store, or held it."""

    identity: ArticleIdentity
    """What it is known by."""
    texts: int = 0
    """How many different texts have its id: more than one where a page changed, or two sources use one id."""
    things: list[Thing] = field(default_factory=list)
    """Artifacts and shared inputs, which go whole."""
    objects: list[str] = field(default_factory=list)
    """Keys of labels, of evaluations kept beside models, of parts of evaluations, of labelers' answers and of what was
    read of executions."""
    test_sets: list[TestSet] = field(default_factory=list)
    """Versions of test sets, which lose the article."""
    trained: list[str] = field(default_factory=list)
    """Trainings whose weights have learnt from it, `stage/fingerprint`: they stay."""


def find_article(store: ObjectStore, article_id: str) -> Forgotten:
    """Find everything in a store that holds an article.

    Args:
        store: The store to look through.
        article_id: The article's id, as records have it. Other ids with the same text or page are the same article.

    Returns:
        What holds it.

    Raises:
        StoreError: The store does not answer.
    """
    things = gather([info for prefix in _THINGS for info in store.list(prefix)])
    without_weights = [thing for thing in things if not any(info.key.endswith(_WEIGHTS) for info in thing.objects)]
    alone = [info.key for info in store.list(LABELS)]
    alone += [info.key for info in store.list(_MODELS) if any(part in info.key for part in _WITH_TEXTS)]
    # weights hold no text; what shards of an evaluation hand to each other does
    alone += [info.key for info in store.list(_CHECKPOINTS) if _PARTS in info.key]
    of_test_sets = [info.key for info in store.list(_TEST_SETS)]
    with TemporaryDirectory() as scratch:
        reader = _ObjectReader(store, Path(scratch))
        keys = [info.key for thing in without_weights for info in thing.objects] + alone + of_test_sets
        identity, texts = _identify(article_id, lambda: (value for key in keys for value in reader.values(key)))
        found = Forgotten(identity, len(identity.hashes))

        def holds(key: str) -> bool:
            return any(identity.is_in(value) for value in reader.values(key))

        found.things = [thing for thing in without_weights if any(holds(info.key) for info in thing.objects)]
        found.objects = [key for key in alone if holds(key)]
        for key in of_test_sets:
            if key.endswith(f"/{TESTSET_NAME}") and holds(key):
                described = f"{key.rpartition('/')[0]}/{TestSet.NAME}"
                if store.exists(described):
                    found.test_sets.append(TestSet.parse(store.read(described), described))
    ids = {article_id, *identity.copies}
    found.objects += [info.key for info in store.list(_OUTCOMES) if any(_is_part_of(info.key, id_) for id_ in ids)]
    folded = [fold(text) for text in texts]
    found.objects += [info.key for info in store.list(_ANSWERS) if _quotes(store.read(info.key), folded)]
    found.trained = _trained_on(store, things, found.things)
    return found


def forget(store: ObjectStore, found: Forgotten, say: Callable[[str], None]) -> None:
    """Remove an article from all that holds it.

    Args:
        store: The store.
        found: What holds it, as `find_article` found it.
        say: Is told each step, in one line.
    """
    for test_set in found.test_sets:
        left = _without(store, test_set, found.identity)
        say(f"test set {test_set.reference}: {left} articles are left")
    for thing in found.things:
        # what is half removed is no artifact
        store.delete(f"{thing.folder}/{Manifest.NAME}")
        for info in thing.objects:
            store.delete(info.key)
        say(f"removed {thing.folder}")
    for key in found.objects:
        store.delete(key)
        say(f"removed {key}")


class _ObjectReader:
    """Reads objects through a file of this machine: some are larger than memory."""

    def __init__(self, store: ObjectStore, scratch: Path) -> None:
        self._store = store
        self._scratch = scratch

    def values(self, key: str) -> Iterator[Any]:
        """Read what an object holds as JSON; nothing of another kind of file, and of what names no article.

        What people handed over may have any name.
        """
        if not (key.endswith(_TEXT) or key.startswith(_INPUTS)) or key.endswith(f"/{Manifest.NAME}"):
            return
        path = self._scratch / f"object{Path(key).suffix}"
        self._store.download(key, path)
        yield from read_values(path)


def _identify(article_id: str, values: Callable[[], Iterable[Any]]) -> tuple[ArticleIdentity, list[str]]:
    """Collect what an article of this id is known by, and the texts of it and its copies."""
    identity = ArticleIdentity(article_id)
    for value in values():
        identity = identity.with_texts_of(value)
    texts: dict[str, None] = {}
    # once more: a copy may come before what tells that it is one
    for value in values():
        identity = identity.with_copies_of(value)
        texts.update(dict.fromkeys(identity.texts_in(value)))
    return identity, list(texts)


def _without(store: ObjectStore, test_set: TestSet, identity: ArticleIdentity) -> int:
    """Write a version of a test set again without the article; return how many articles are left."""
    lines = [line for line in store.read(test_set.key).splitlines() if line]
    kept = [line for line in lines if not identity.is_in(json.loads(line))]
    data = b"".join(line + b"\n" for line in kept)
    labeled = count_types([ArticleRecord.read_line(line) for line in kept])
    changed = test_set.model_copy(
        update={
            "articles": len(kept),
            "forgotten": test_set.forgotten + len(lines) - len(kept),
            "labelled_types": {name: labeled.get(name, 0) for name in test_set.labelled_types},
            "sha256": hashlib.sha256(data).hexdigest(),
        }
    )
    # the articles first: a version whose hash is another's is refused until it is described
    store.write(test_set.key, data)
    store.write(f"{test_set.key.rpartition('/')[0]}/{TestSet.NAME}", changed.to_json().encode())
    return len(kept)


def _is_part_of(key: str, article_id: str) -> bool:
    """Tell whether a part of the cache is the one with this article's executions."""
    number = key.rpartition("/")[2].partition(".")[0]
    is_number = article_id.isdecimal() and len(article_id) < _LONGEST_ID
    return is_number and number.isdecimal() and int(number) == int(article_id) // PART


def _quotes(answer: bytes, texts: Iterable[bytes]) -> bool:
    """Tell whether a labeler's answer quotes one of the texts, which are folded."""
    try:
        read = json.loads(answer)
    except (ValueError, RecursionError):
        return False
    entries = read.get("evidence") if isinstance(read, dict) else None
    quotes = [each.get("quote") for each in entries if isinstance(each, dict)] if isinstance(entries, list) else []
    folded = [fold(each) for each in quotes if isinstance(each, str) and len(each) >= _SHORTEST_QUOTE]
    return any(quote in text for text in texts for quote in folded)


def _trained_on(store: ObjectStore, things: Iterable[Thing], removed: Iterable[Thing]) -> list[str]:
    """Find the trainings that read what holds the article, or what was made of it."""
    manifests = {}
    for thing in things:
        if thing.kind == "artifacts" and store.exists(f"{thing.folder}/{Manifest.NAME}"):
            manifests[thing] = store.read(f"{thing.folder}/{Manifest.NAME}").decode("utf-8", "replace")
    names = {thing.name for thing in removed}
    size = -1
    while size < len(names):
        size = len(names)
        names |= {thing.name for thing, text in manifests.items() if any(name in text for name in names)}
    return sorted(
        thing.folder.removeprefix("artifacts/")
        for thing in manifests
        if thing.name in names and thing.folder.split("/")[1].startswith(("train", "baselines"))
    )
