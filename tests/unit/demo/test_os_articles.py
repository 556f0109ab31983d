from collections import Counter

import pytest

from ctiforge.data.near_duplicates import near_pairs_between
from ctiforge.demo.os_articles import OsCorpus, OsSizes, make_os_corpus
from ctiforge.osbert.labeling.keywords import find_evidence
from ctiforge.records.article import OS_LABELS


@pytest.fixture(scope="module")
def corpus() -> OsCorpus:
    return make_os_corpus(0, find_evidence)


def test_a_seed_gives_the_same_corpus_and_another_gives_another() -> None:
    sizes = OsSizes(training=4, test=4)

    assert make_os_corpus(3, find_evidence, sizes) == make_os_corpus(3, find_evidence, sizes)
    more = make_os_corpus(3, find_evidence, OsSizes(training=4, test=6))
    assert more.training == make_os_corpus(3, find_evidence, sizes).training
    assert make_os_corpus(4, find_evidence, sizes) != make_os_corpus(3, find_evidence, sizes)


def test_the_classes_are_balanced_and_nobody_labeled_observables(corpus: OsCorpus) -> None:
    everything = [*corpus.training, *corpus.test]

    assert Counter(r.os_label for r in corpus.training) == dict.fromkeys(OS_LABELS, 60)
    assert Counter(r.os_label for r in corpus.test) == dict.fromkeys(OS_LABELS, 18)
    assert len({r.id for r in everything}) == len({r.url for r in everything}) == 390
    assert not any(r.labelled_types or r.observables for r in everything)
    assert all(r.hunt_score is not None and 99.1 <= r.hunt_score <= 100 for r in everything)


def test_no_software_is_on_both_sides_and_each_has_several_articles(corpus: OsCorpus) -> None:
    training, test = (Counter(r.title for r in part) for part in (corpus.training, corpus.test))

    assert not training.keys() & test.keys()
    assert sum(count > 1 for count in training.values()) > len(training) / 2
    assert near_pairs_between([r.content for r in corpus.training], [r.content for r in corpus.test]) == {}


def test_an_article_about_no_system_names_none(corpus: OsCorpus) -> None:
    unknown = [r.content for r in (*corpus.training, *corpus.test) if r.os_label == "Unknown"]

    assert not any(find_evidence(content) for content in unknown)


def test_every_title_says_whose_the_text_is(corpus: OsCorpus) -> None:
    assert all("(MITRE ATT&CK " in r.title and r.annotator == "MITRE ATT&CK" for r in corpus.test)
