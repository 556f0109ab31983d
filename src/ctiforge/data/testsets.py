"""Test sets: human-checked articles, kept as immutable, numbered versions in the store.

`testsets/<name>/<version>/testset.jsonl` holds the records; `testset.json` beside it is written
last, with a conditional write: a version without it does not exist.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from tempfile import TemporaryDirectory

from ctiforge.data.identity import content_hash, fold
from ctiforge.data.labels import contradicted_types
from ctiforge.errors import DataError, UsageError
from ctiforge.observables.locate import Locator
from ctiforge.records.article import TESTSET_NAME, ArticleRecord, read_records
from ctiforge.records.observable import TYPES, Observable
from ctiforge.records.review import judged_label, read_review
from ctiforge.records.testset import TestSet
from ctiforge.settings import load_settings
from ctiforge.store.artifacts import fetch
from ctiforge.store.objects import ObjectStore, find_store
from ctiforge.store.reading import read_record

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_TEST_SET = "test_set:"
OS_LABEL = "os_label"
"""The entry of `TestSet.labelled_types` that counts articles with an operating system's label."""


def import_testset(
    store: ObjectStore, name: str, articles: Iterable[ArticleRecord], annotator: str | None = None, note: str = ""
) -> TestSet:
    """Keep human-checked articles as the next version of a test set; the same again gives its old version.

    Args:
        store: The store to keep them in.
        name: The test set's name: lower-case letters, digits, `.`, `_` and `-`.
        articles: The articles with their labels.
        annotator: Who labeled the articles that name nobody.
        note: Where they come from, in a person's words.

    Returns:
        The description of the version, new or old.

    Raises:
        UsageError: The name is none.
        DataError: A label is a model's, an annotator is missing, an id occurs twice, two ids have one text and other
            labels, a type is unknown, an observable is empty or of a type that is not labeled, there is no article, or
            one has neither labeled types nor an operating system's label.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(f"{name!r} is no name for a test set: use lower-case letters, digits, '.', '_' and '-'")
    records = sorted((_checked(record, annotator) for record in articles), key=lambda r: (r.id, r.content_hash))
    _check_all(name, records)
    data = b"".join(record.model_dump_json().encode() + b"\n" for record in records)
    sha256 = hashlib.sha256(data).hexdigest()
    known = _versions(store, name)
    for each in known:
        if each.sha256 == sha256 and each.note == note:
            return each
    version = max((each.version for each in known), default=0) + 1
    # whoever writes the records first owns the number, also where it died before it described them
    while not store.write_new(_data_key(name, version), data) and store.read(_data_key(name, version)) != data:
        version += 1
    test_set = TestSet(
        name=name,
        version=version,
        # of a record that several people labeled, all of them
        annotator=", ".join(sorted({name for record in records for name in (record.annotator or "").split(", ")})),
        articles=len(records),
        labelled_types=count_types(records),
        sha256=sha256,
        note=note,
    )
    store.write_new(f"{_folder(name)}/{version}/{TestSet.NAME}", test_set.to_json().encode())
    return test_set


def find_unplaced(articles: Iterable[ArticleRecord]) -> list[tuple[str, Observable]]:
    """Find the observables that stand nowhere in their article: no model that quotes it can find them.

    Args:
        articles: The articles with their labels.

    Returns:
        The article's id and the observable, of each.
    """
    found = []
    for record in articles:
        located = Locator(record.content)
        found += [(record.id, each) for each in record.observables if not located.locate(each.type, each.value)]
    return found


def load_testset(store: ObjectStore, reference: str) -> tuple[TestSet, list[ArticleRecord]]:
    """Load a test set with its articles.

    Args:
        store: The store that keeps it.
        reference: `name` for its newest version, or `name@2`.

    Returns:
        The description, and the articles.

    Raises:
        UsageError: There is none; the text names those that exist.
        DataError: Its articles are not those that were imported.
    """
    test_set = get_testset(store, reference)
    data = store.read(test_set.key)
    if hashlib.sha256(data).hexdigest() != test_set.sha256:
        raise DataError(f"test set {test_set.reference} in {store.uri} is damaged: import it again under a new name")
    return test_set, [ArticleRecord.read_line(line) for line in data.splitlines() if line]


def load_newest(store: ObjectStore, but: str) -> Iterator[list[ArticleRecord]]:
    """Load the articles of the newest version of every test set.

    Args:
        store: The store that keeps them.
        but: The name of one that is left out.

    Yields:
        The articles of each.

    Raises:
        DataError: A test set is damaged.
    """
    for name in sorted({each.name for each in list_testsets(store)} - {but}):
        yield load_testset(store, name)[1]


def find_testset(store: ObjectStore, reference: str, note: str | None = None) -> TestSet | None:
    """Look up the description of a test set.

    Args:
        store: The store that keeps it.
        reference: `name` for its newest version, or `name@2`.
        note: Only a version with this note counts; None: any.

    Returns:
        The description, None where there is no such version.
    """
    name, _, version = reference.partition("@")
    found = [each for each in _versions(store, name) if not version or str(each.version) == version]
    return next((each for each in reversed(found) if note is None or each.note == note), None)


def get_testset(store: ObjectStore, reference: str) -> TestSet:
    """Look up a test set that must be there.

    Args:
        store: The store that holds it.
        reference: `name` for the newest version, or `name@version`.

    Returns:
        The description of its version.

    Raises:
        UsageError: There is none; the text names those that exist.
    """
    test_set = find_testset(store, reference)
    if test_set is None:
        known = ", ".join(each.reference for each in list_testsets(store)) or "none"
        raise UsageError(
            f"no test set {reference} in {store.uri} (there are: {known}): import it with ctiforge testset"
        )
    return test_set


def list_testsets(store: ObjectStore) -> list[TestSet]:
    """List every version of every test set.

    Args:
        store: The store that keeps them.

    Returns:
        The descriptions, by name and version.
    """
    found = [_read_meta(store, each.key) for each in store.list("testsets/") if each.key.endswith(f"/{TestSet.NAME}")]
    return sorted(found, key=lambda each: (each.name, each.version))


def test_set_inputs(store: str | None, references: Sequence[str] | None) -> dict[str, str]:
    """Name the inputs that a stage has by using test sets.

    Args:
        store: The store's URI; None: that of the settings, wherever the stage's output goes.
        references: `name` or `name@2` each; None: the newest version of every test set in the store.

    Returns:
        `test_set:<name@version>` → the URI of its articles; empty where the store's folder is not there.

    Raises:
        UsageError: A test set is named, and there is none of this name.
    """
    uri = store or load_settings().settings.store
    opened = find_store(uri)
    if opened is None:
        if references:
            raise UsageError(
                f"no test set {references[0]}: the store {uri} is not there; name it with --store or CTIFORGE_STORE"
            )
        return {}
    newest = {each.name: each for each in list_testsets(opened)} if not references else {}
    chosen = [get_testset(opened, reference) for reference in references] if references else list(newest.values())
    return {f"{_TEST_SET}{each.reference}": f"{opened.uri}/{each.key}" for each in chosen}


def find_test_data(test_data: str | None, store: str | None) -> tuple[str, str | None]:
    """Resolve what `--test-data` names.

    Args:
        test_data: A path, a URI, or `testset:NAME` for one of the store; None where the flag was not given.
        store: The URI of the store with the test set; None: that of the settings.

    Returns:
        The URI of the articles, and `name@version` where they are a test set of the store, else None.

    Raises:
        UsageError: Nothing is named, a folder, or a test set that is not there.
    """
    if not test_data:
        raise UsageError("give --test-data FILE, or testset:NAME of the store (ctiforge testset list)")
    if not test_data.startswith("testset:"):
        if Path(test_data).is_dir():
            raise UsageError(f"--test-data {test_data} is a folder: name a file of labeled articles, as JSON lines")
        return test_data, None
    found = test_set_inputs(store, [test_data.removeprefix("testset:")])
    name, uri = next(iter(found.items()))
    return uri, name.removeprefix(_TEST_SET)


def held_out_articles(inputs: Mapping[str, Path]) -> Iterator[tuple[str, ArticleRecord]]:
    """Read the articles of test sets, which no training article may repeat.

    Args:
        inputs: The inputs of a stage; those named as `test_set_inputs` does are read.

    Yields:
        Why whatever repeats the article is left out, and the article.
    """
    for name, path in inputs.items():
        if name.startswith(_TEST_SET):
            reason = f"in test set {name.removeprefix(_TEST_SET)}, or near to it"
            yield from ((reason, record) for record in read_records(path))


def find_labelled_article(test_data: str, store: str | None, article_id: str) -> ArticleRecord:
    """Find one article of the test data.

    Args:
        test_data: A file of labeled articles, or `testset:NAME` of the store.
        store: The URI of the store that holds the test set; None: that of the settings.
        article_id: The article's id.

    Returns:
        The article with its labels.

    Raises:
        UsageError: There is no article of this id.
    """
    with TemporaryDirectory() as scratch:
        articles = read_labelled_articles(fetch(find_test_data(test_data, store)[0], Path(scratch)))
        found = next((each for each in articles if each.id == article_id), None)
    if found is None:
        raise UsageError(f"no article {article_id} in {test_data}")
    return found


def read_labelled_articles(path: Path) -> Iterator[ArticleRecord]:
    """Read the labeled articles of a review file: records, or lines as `ReviewLine` has them, also older ones.

    A line is taken for a person's work unless it says otherwise (`labelled_by`).

    Args:
        path: A JSON-lines file in UTF-8, or a CSV.

    Yields:
        The articles, in the file's order.

    Raises:
        UsageError: There is no such file.
        DataError: The file is not UTF-8, or a line, which the text names, is no labeled article.
    """
    for number, line in read_review(path):
        where = f"{path}, line {number}"
        if not line.content or not line.content.strip():
            raise DataError(f"{where}: an article is an object with id and content")
        judged = {name: value for name, value in line if name in ArticleRecord.model_fields}
        yield ArticleRecord(
            **judged
            | {
                "observables": [Observable(type=o.type, value=o.value, platform=o.platform) for o in line.observables],
                "os_label": judged_label(line, where),
                "content_hash": content_hash(fold(line.content)),
            }
        )


def count_types(records: Sequence[ArticleRecord]) -> dict[str, int]:
    """Count the articles in which each type is labeled, as `TestSet.labelled_types` does.

    Args:
        records: The articles.

    Returns:
        Type → articles; `OS_LABEL` where an operating system is.
    """
    types = sorted({type_ for record in records for type_ in record.labelled_types})
    counts = {type_: sum(type_ in record.labelled_types for record in records) for type_ in types}
    judged = sum(record.os_label is not None for record in records)
    return counts | {OS_LABEL: judged} if judged else counts


def _checked(record: ArticleRecord, annotator: str | None) -> ArticleRecord:
    if record.labelled_by != "human":
        raise DataError(f"article {record.id} is labeled by a model: only what a person checked is truth")
    name = (record.annotator or "").strip() or (annotator or "").strip()
    if not name:
        raise DataError(f"article {record.id} names no annotator: fill it in, or give --annotator NAME")
    if not record.labelled_types and record.os_label is None:
        raise DataError(
            f"article {record.id} has neither labelled_types nor os_label, so there is nothing to score against: "
            "label it, or take it out"
        )
    for type_ in (*record.labelled_types, *(o.type for o in record.observables)):
        if type_ not in TYPES:
            raise DataError(f"article {record.id}: {_no_type(type_)}")
    empty = next((o.type for o in record.observables if not o.value.strip()), None)
    if empty:
        raise DataError(f"article {record.id} has an empty {empty}: fill in its value, or take it out")
    stray = sorted({o.type for o in record.observables} - set(record.labelled_types))
    if stray:
        raise DataError(
            f"article {record.id} has observables of {', '.join(stray)}, which labelled_types does not name"
        )
    return record.model_copy(update={"annotator": name, "content_hash": content_hash(fold(record.content))})


def _no_type(given: str) -> str:
    near = get_close_matches(re.sub(r"[^a-z]+", "_", given.lower()), TYPES, 1)
    meant = f" (did you mean {near[0]}?)" if near else ""
    return f"there is no type of observables {given!r}{meant}: there are {', '.join(TYPES)}"


def _check_all(name: str, records: Sequence[ArticleRecord]) -> None:
    if not records:
        raise DataError(f"test set {name}: there is no article in it")
    seen: set[str] = set()
    for record in records:
        if record.id in seen:
            raise DataError(f"test set {name}: the id {record.id} occurs twice")
        seen.add(record.id)
    first: dict[str, list[ArticleRecord]] = {}
    for record in records:
        same = first.setdefault(record.content_hash, [])
        for other in same:
            if what := _contradiction(other, record):
                raise DataError(
                    f"test set {name}: articles {other.id} and {record.id} have the same text and another {what}: "
                    "correct one, or take it out"
                )
        same.append(record)


def _contradiction(one: ArticleRecord, other: ArticleRecord) -> str | None:
    """Name what two labels of one text contradict each other in: only what both judged can."""
    if one.os_label and other.os_label and one.os_label != other.os_label:
        return OS_LABEL
    return next(iter(contradicted_types(one, other)), None)


def _versions(store: ObjectStore, name: str) -> list[TestSet]:
    if not _NAME.fullmatch(name):
        return []
    keys = [each.key for each in store.list(f"{_folder(name)}/") if each.key.endswith(f"/{TestSet.NAME}")]
    return sorted((_read_meta(store, key) for key in keys), key=lambda each: each.version)


def _read_meta(store: ObjectStore, key: str) -> TestSet:
    return read_record(store, key, TestSet, "put back a copy of it")


def _folder(name: str) -> str:
    return f"testsets/{name}"


def _data_key(name: str, version: int) -> str:
    return f"{_folder(name)}/{version}/{TESTSET_NAME}"
