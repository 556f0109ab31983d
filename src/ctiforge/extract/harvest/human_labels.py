"""What people said of articles, beside what executions said of the same ones."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ctiforge.data.articles import Article, Execution
from ctiforge.data.evaluation_data import is_evaluation_data, read_evaluation_data
from ctiforge.data.generations import ReadResult
from ctiforge.data.identity import canonical_url, content_hash, fold
from ctiforge.data.labels import UNNAMED, contradicted_types, held_out_labels
from ctiforge.data.states import ExtractorState, TypeState
from ctiforge.data.testsets import read_labelled_articles
from ctiforge.records.article import ArticleRecord
from ctiforge.records.human_label import HumanLabel
from ctiforge.records.observable import Observable


@dataclass
class HumanLabels:
    """Labels of people by the article's text."""

    left_out: Counter[str] = field(default_factory=Counter)
    """Reason → lines that label nothing here."""
    conflicts: list[str] = field(default_factory=list)
    """`article id: type` of two people who said different things of one text; the first counts."""
    held_out: list[tuple[str, ArticleRecord]] = field(default_factory=list)
    """Articles that people labeled for evaluation, with the reason: nothing is learnt from what repeats them."""
    _by_hash: dict[str, list[ArticleRecord]] = field(default_factory=dict)
    _positives: dict[str, list[Observable]] = field(default_factory=dict)
    _unused: set[str] = field(default_factory=set)
    _by_url: dict[str, str] = field(default_factory=dict)
    _met: set[str] = field(default_factory=set)

    def of(self, article: Article, hash_: str) -> list[Execution]:
        """Look up what people said of an article, the first one first.

        Args:
            article: An article of a source.
            hash_: The hash of its folded text.

        Returns:
            One execution a person; none where its text is not the one that was labeled.
        """
        url = canonical_url(article.url) if article.url else ""
        if hash_ not in self._by_hash:
            if url in self._by_url and self._by_url[url] not in self._met:
                self.left_out["labels of a text that has changed since: learnt with the text that they are of"] += 1
            return []
        self._met.add(hash_)
        return [_execution(record) for record in self._by_hash[hash_]]

    def single_items(self, hash_: str) -> list[Observable]:
        """Look up the items that people marked in a text without looking for all of their type.

        Args:
            hash_: The hash of the folded text.

        Returns:
            The items, in the order of people.
        """
        self._unused.discard(hash_)
        return self._positives.get(hash_, [])

    def rest(self) -> Iterator[Article]:
        """Yield the labeled articles that no source held; single items of others are counted, and of no use."""
        for hash_, records in self._by_hash.items():
            if hash_ not in self._met:
                first = records[0]
                executions = [_execution(record) for record in records]
                yield Article(first.id, first.url, first.title, first.content, first.hunt_score, executions)
        if unused := sum(len(self._positives[hash_]) for hash_ in self._unused):
            self.left_out["single items of texts that no source holds"] += unused

    def add(self, records: Iterable[ArticleRecord]) -> None:
        """Add labels; what is no person's, or signed by nobody, is counted and left out."""
        for record in records:
            if record.labelled_by != "human" or not (record.annotator or "").strip():
                self.left_out["articles that nobody signed, or that a model labeled"] += 1
                continue
            if not record.labelled_types:
                self.left_out["articles without a type that somebody looked for"] += 1
                continue
            hash_ = content_hash(fold(record.content))
            known = self._by_hash.setdefault(hash_, [])
            if known:
                self.conflicts += [f"{record.id}: {type_}" for type_ in contradicted_types(known[0], record)]
            known.append(record)
            if record.url:
                self._by_url.setdefault(canonical_url(record.url), hash_)

    def add_registered(self, label: HumanLabel) -> None:
        """Add a label of the registry; one that was made for evaluation keeps its article out of training."""
        if held_out := list(held_out_labels([label])):
            self.held_out += held_out
            return
        if label.positives:
            self._positives.setdefault(label.article.content_hash, []).extend(label.positives)
            self._unused.add(label.article.content_hash)
        if label.article.labelled_types:
            self.add([label.article])


def read_human_labels(paths: Iterable[Path], registered: Iterable[HumanLabel] = ()) -> HumanLabels:
    """Read labels of people: review files, folders of the application's evaluation data, and the registry.

    Args:
        paths: Files and folders, in the order of trust.
        registered: Labels of the registry, which come after those of files.

    Returns:
        The labels.

    Raises:
        UsageError: There is no such file.
        DataError: A line, which the text names, is no labeled article.
    """
    labels = HumanLabels()
    for path in paths:
        if is_evaluation_data(path):
            data = read_evaluation_data(path)
            labels.left_out.update(data.left_out)
            labels.add(record.model_copy(update={"annotator": UNNAMED}) for record in data.articles)
        else:
            labels.add(read_labelled_articles(path))
    for label in registered:
        labels.add_registered(label)
    return labels


def _execution(record: ArticleRecord) -> Execution:
    found = {observable.type for observable in record.observables}
    states = {
        type_: TypeState(ExtractorState.FOUND if type_ in found else ExtractorState.NOTHING)
        for type_ in record.labelled_types
    }
    outcome = ReadResult(record.generation, record.observables, states)
    return Execution("completed", "", outcome, by="person", labeler=record.annotator)
