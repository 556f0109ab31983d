"""Two things that a cheap learner can be taught article by article: operating systems, and which candidates are items.

Both are logistic regression over vectors of a frozen encoder, the demo's of OS-BERT.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ctiforge.demo.articles import DemoSizes, make_corpus
from ctiforge.demo.os_articles import OsSizes, make_os_corpus
from ctiforge.evaluation.scoring.classification import ClassCounts, macro_f1
from ctiforge.extract.answering.regex_floor import RegexFloor
from ctiforge.labels.choosing import Claims, PoolArticle
from ctiforge.labels.page.candidates import candidate_key
from ctiforge.observables.locate import Locator
from ctiforge.osbert.base import DEMO_MODEL, resolve_encoder
from ctiforge.osbert.embedding import Vectors, embed_articles, load_frozen
from ctiforge.osbert.labeling.keywords import decide, find_evidence
from ctiforge.osbert.windows import WindowSize, encode_articles
from ctiforge.records.article import OS_LABELS, ArticleRecord
from ctiforge.training.encoding import load_tokenizer
from ctiforge.training.models import pick_device

Numbers = NDArray[np.int64]
OS_SIZES = OsSizes(training=90, test=50)
SPAN_ARTICLES = 450
AROUND = 50
"""Characters of a candidate's context, on either side."""


class Task(Protocol):
    """What is learnt, from the labels of some articles."""

    name: str
    articles: Sequence[ArticleRecord]

    def groups(self) -> list[str]:
        """Name for each article what must not be in both pool and test."""

    def learn(self, train: Numbers) -> Any:
        """Fit the learner to the labels of some articles."""

    def score(self, learner: Any, test: Numbers) -> float:
        """Score it on others."""

    def examples(self, train: Numbers) -> Counter[str]:
        """Count what the labels of some articles hold, by type."""

    def opinions(self, learner: Any, among: Numbers) -> list[PoolArticle]:
        """What the rule and the learner say of articles whose labels nobody knows."""


class Systems:
    """Which operating system an article is about: OS-BERT's frozen row; macro-F1."""

    name = "operating systems (macro-F1)"

    def __init__(self, cache: Path) -> None:
        corpus = make_os_corpus(0, find_evidence, OS_SIZES)
        self.articles = (*corpus.training, *corpus.test)
        texts = [each.content for each in self.articles]
        self._vectors = embedded(texts, cache)
        self._truths = np.array([str(each.os_label) for each in self.articles])
        self._rule = [str(decide(find_evidence(text))) for text in texts]

    def groups(self) -> list[str]:
        return [each.title for each in self.articles]

    def learn(self, train: Numbers) -> Any:
        return fit(self._vectors[train], self._truths[train])

    def score(self, learner: Any, test: Numbers) -> float:
        counts = ClassCounts(self._truths[test].tolist(), learner.predict(self._vectors[test]).tolist(), OS_LABELS)
        return float(macro_f1(counts.once())[0])

    def examples(self, train: Numbers) -> Counter[str]:
        return Counter(self._truths[train].tolist())

    def opinions(self, learner: Any, among: Numbers) -> list[PoolArticle]:
        sure = learner.predict_proba(self._vectors[among])
        said = learner.classes_[sure.argmax(axis=1)]
        found = []
        for number, label, confidence in zip(among.tolist(), said.tolist(), sure.max(axis=1).tolist(), strict=True):
            rule = self._rule[number]
            claims = {label: Claims(agreed=1)} if label == rule else dict.fromkeys((label, rule), Claims(disputed=1))
            found.append(PoolArticle(str(number), claims, confidence))
        return found


@dataclass(frozen=True)
class Span:
    """A candidate of an article."""

    owner: int
    type: str
    by_rule: bool
    is_item: bool
    text: str


class Spans:
    """Which candidates of an article are items: those of the rules, and what only looks like one; F1."""

    name = "candidate spans (F1)"

    def __init__(self, cache: Path) -> None:
        sizes = DemoSizes(training=SPAN_ARTICLES, training_long=0, test_seen=0, test_unseen=0, test_long=0)
        self.articles = make_corpus(0, sizes).training
        spans = [span for number, article in enumerate(self.articles) for span in spans_of(number, article)]
        types = sorted({each.type for each in spans})
        kinds = np.array([[each.type == type_ for type_ in types] for each in spans], dtype=np.float32)
        self._vectors = np.hstack([embedded([each.text for each in spans], cache), kinds])
        self._owners = np.array([each.owner for each in spans])
        self._types = np.array([each.type for each in spans])
        self._by_rule = np.array([each.by_rule for each in spans])
        self._truths = np.array([each.is_item for each in spans])
        self._expected = np.array([len({key_of(o) for o in each.observables}) for each in self.articles])

    def groups(self) -> list[str]:
        return [each.id for each in self.articles]

    def learn(self, train: Numbers) -> Any:
        rows = np.isin(self._owners, train)
        return fit(self._vectors[rows], self._truths[rows])

    def score(self, learner: Any, test: Numbers) -> float:
        rows = np.isin(self._owners, test)
        said = learner.predict(self._vectors[rows])
        return float(2 * (said & self._truths[rows]).sum() / (said.sum() + self._expected[test].sum()))

    def examples(self, train: Numbers) -> Counter[str]:
        return Counter(self._types[np.isin(self._owners, train) & self._truths].tolist())

    def opinions(self, learner: Any, among: Numbers) -> list[PoolArticle]:
        rows = np.flatnonzero(np.isin(self._owners, among))
        sure = learner.predict_proba(self._vectors[rows])
        said = learner.classes_[sure.argmax(axis=1)].astype(bool)
        claims: dict[int, dict[str, Claims]] = {number: {} for number in among.tolist()}
        lowest: dict[int, float] = {}
        for row, positive, confidence in zip(rows.tolist(), said.tolist(), sure.max(axis=1).tolist(), strict=True):
            owner, type_, rule = int(self._owners[row]), str(self._types[row]), bool(self._by_rule[row])
            lowest[owner] = min(confidence, lowest.get(owner, 1.0))
            if positive or rule:
                known = claims[owner].get(type_, Claims())
                both = positive and rule
                claims[owner][type_] = Claims(known.agreed + both, known.disputed + (not both))
        return [PoolArticle(str(number), claims[number], lowest.get(number)) for number in among.tolist()]


_LOOKS_LIKE = {
    "services": re.compile(r"\b[A-Z][a-z]+(?:[A-Z][a-z]+)+\b"),
    "scheduled_tasks": re.compile(r"\b[A-Z][a-z]+(?:[A-Z][a-z]+)+\b"),
    "cmdline": re.compile(r"[\"'`]([^\"'`\n]{6,120})[\"'`]"),
}
"""What only looks like an item of a type, mostly."""
_LOOK_ALIKES = 2
"""Of an article and type at most."""


def spans_of(number: int, article: ArticleRecord) -> Iterator[Span]:
    """The candidates of an article, each value of a type once."""
    truths = {key_of(each) for each in article.observables}
    locator, seen = Locator(article.content), set()
    found = [(each.type, each.value, True) for each in RegexFloor().extract(article.content).observables]
    for type_, pattern in _LOOKS_LIKE.items():
        alike = [match[match.lastindex or 0] for match in pattern.finditer(article.content)]
        found += [(type_, value, False) for value in list(dict.fromkeys(alike))[:_LOOK_ALIKES]]
    for type_, value, by_rule in found:
        key = candidate_key(type_, value)
        places = locator.locate(type_, value)
        if key in seen or not places:
            continue
        seen.add(key)
        start, end = places[0].start, places[0].end
        before, after = article.content[max(0, start - AROUND) : start], article.content[end : end + AROUND]
        text = f"{before} [ {article.content[start:end][:200]} ] {after}"
        yield Span(number, type_, by_rule, key in truths, text)


def key_of(observable: Any) -> str:
    """What two spellings of an observable share."""
    return candidate_key(observable.type, observable.value)


def embedded(texts: Sequence[str], cache: Path) -> Vectors:
    """The frozen encoder's mean vector of each text, (texts, hidden), kept in a folder."""
    file = cache / f"{hashlib.sha256(chr(0).join(texts).encode()).hexdigest()[:16]}.npy"
    if file.is_file():
        kept: Vectors = np.load(file)
        return kept
    folder = resolve_encoder(DEMO_MODEL)
    tokenizer, encoder = load_tokenizer(folder), load_frozen(folder, pick_device("cpu"))
    distinct = list(dict.fromkeys(texts))
    encoded = encode_articles(tokenizer, distinct, WindowSize.of(256))
    found = embed_articles(encoder, encoded, int(tokenizer.pad_token_id or 0), "embed")
    place = {text: number for number, text in enumerate(distinct)}
    vectors = found[[place[text] for text in texts]]
    cache.mkdir(parents=True, exist_ok=True)
    np.save(file, vectors)
    return vectors


def fit(vectors: Vectors, truths: NDArray[Any]) -> Any:
    """Logistic regression as in OS-BERT's frozen row, with one strength of regularization."""
    from sklearn.dummy import DummyClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    if len(set(truths.tolist())) < 2:
        return DummyClassifier().fit(vectors, truths)
    model = LogisticRegression(C=0.1, class_weight="balanced", max_iter=500)
    return make_pipeline(StandardScaler(), model).fit(vectors, truths)
