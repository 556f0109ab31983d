"""What a model was trained on, as its lineage or a person says, and whether the test set is among it."""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from ctiforge.data.leaks import find_leaks
from ctiforge.data.testsets import find_testset, load_testset, read_labelled_articles
from ctiforge.errors import GateError, UsageError
from ctiforge.lines import find_line
from ctiforge.lines.line import TrainedOn
from ctiforge.records.article import RECORDS_NAME, ArticleRecord
from ctiforge.records.evaluation import TestSetInfo
from ctiforge.store.artifacts import fetch
from ctiforge.store.lineage import Lineage
from ctiforge.store.objects import ObjectStore, hash_file

_NAMED = 3


def training_files(line: str, lineage: Lineage, given: Sequence[str]) -> list[str]:
    """Find the URIs of the training articles: those `given`, else those of the lineage.

    Raises GateError where neither says it.
    """
    if given:
        return list(given)
    trained_on: TrainedOn | None = find_line(line).trained_on
    found: list[str] = []
    while trained_on and not found:
        steps = [s for s in lineage.steps if s.stage == trained_on.stage and s.version >= trained_on.since]
        found = [f"{step.uri}/{name}" for step in steps for name in trained_on.files]
        trained_on = trained_on.before
    if lineage.gaps or not found:
        why = lineage.gaps[0] if lineage.gaps else f"no {find_line(line).trained_on.stage} is among its stages"
        raise GateError(
            f"what the model was trained on cannot be followed ({why}), so nobody knows whether the test set is among "
            "it: give its records with --training-data"
        )
    return found


def check_leaks(test: Sequence[ArticleRecord], training: Sequence[str]) -> None:
    """Raise GateError where an article of the test set, or nearly its text, is among the training articles."""
    for uri in training:
        with TemporaryDirectory() as folder:
            file = _file(fetch(uri, Path(folder)), uri)
            if not file.stat().st_size:
                raise GateError(f"{uri} holds no article: give what the model was trained on with --training-data")
            leaks = find_leaks(test, file)
        if leaks:
            some = ", ".join(f"{leak.test_id} is {leak.how} as {leak.training_id}" for leak in leaks[:_NAMED])
            raise GateError(
                f"{len(leaks)} of {len(test)} test articles are among those trained on ({some}; {uri}): their figures "
                "say nothing; harvest with the test set in the store, which keeps it out, and train again"
            )


def test_articles(store: ObjectStore, test_set: TestSetInfo, given: str | None) -> list[ArticleRecord]:
    """Read the articles that were scored: of the file `given`, else of the store.

    Raises UsageError where the file is another test set, GateError where there is none.
    """
    if given:
        with TemporaryDirectory() as folder:
            path = fetch(given, Path(folder))
            if not path.is_file() or hash_file(path).sha256 != test_set.content_hash:
                raise UsageError(f"--test-data {given} is not what the model was evaluated on: give that very file")
            return list(read_labelled_articles(path))
    reference = f"{test_set.name}@{test_set.version}"
    found = find_testset(store, reference)
    if found is None or found.sha256 != test_set.content_hash:
        raise GateError(
            f"test set {reference} is not in {store.uri}, so nobody knows whether it was trained on: give its articles "
            "with --test-data"
        )
    return load_testset(store, reference)[1]


def _file(path: Path, uri: str) -> Path:
    if path.is_dir() and (path / RECORDS_NAME).is_file():
        return path / RECORDS_NAME
    if path.is_dir():
        raise UsageError(f"{uri} holds no {RECORDS_NAME}: give the records of a harvest")
    return path
