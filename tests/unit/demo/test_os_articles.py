import re
from collections import Counter
from dataclasses import astuple

import pytest

from ctiforge.data.near_duplicates import near_pairs_between
from ctiforge.demo.os_articles import LATE_FROM, OsSizes, make_os_corpus
from ctiforge.demo.sentences import KINDS, Cues, os_phrases, os_prose
from ctiforge.records.article import OS_LABELS, ArticleRecord

SLOT = re.compile(r"\{\w+\}")


@pytest.fixture(scope="module")
def corpus():
    return make_os_corpus(0)


def cues_of(cues: Cues) -> list[str]:
    return [cue for kind in KINDS for cue in getattr(cues, kind)]


def literal(cue: str) -> str:
    """The longest part of a cue that every article with it has in common."""
    return max(SLOT.split(cue), key=len)


def first_seen(content: str) -> dict[str, int]:
    """System → where the first cue of it stands."""
    found = {}
    for system in os_phrases().spoken:
        literals = [
            literal(cue) for cue in cues_of(os_phrases().seen_cues[system]) + cues_of(os_phrases().unseen_cues[system])
        ]
        places = [place for each in literals for place in [content.lower().find(each.lower())] if place >= 0]
        if places:
            found[system] = min(places)
    return found


def everything(corpus) -> list[ArticleRecord]:
    return [*corpus.training, *corpus.test]


def test_a_seed_gives_the_same_corpus_and_another_gives_another() -> None:
    sizes = OsSizes(training=4, test=4)

    assert make_os_corpus(3, sizes) == make_os_corpus(3, sizes)
    assert make_os_corpus(4, sizes) != make_os_corpus(3, sizes)


def test_the_classes_are_balanced_and_nobody_labeled_observables(corpus) -> None:
    assert Counter(r.os_label for r in corpus.training) == dict.fromkeys(OS_LABELS, 66)
    assert Counter(r.os_label for r in corpus.test) == dict.fromkeys(OS_LABELS, 20)
    assert len({r.id for r in everything(corpus)}) == len({r.url for r in everything(corpus)}) == 430
    assert not any(r.labelled_types or r.observables for r in everything(corpus))
    assert all(r.hunt_score is not None and 99.1 <= r.hunt_score <= 100 for r in everything(corpus))


def test_the_text_shows_what_the_label_says_and_nothing_else(corpus) -> None:
    for record in everything(corpus):
        shown = set(first_seen(record.content))
        if record.os_label == "multiple":
            assert len(shown) >= 2, record.id
        else:
            assert shown == {record.os_label} - {"Unknown"}, record.id
        if record.os_label == "Unknown":
            assert not any(spoken in record.content for spoken in os_phrases().spoken.values()), record.id


def test_half_is_long_and_the_tags_say_where_the_evidence_is(corpus) -> None:
    for record in everything(corpus):
        low, high = (2_400, 3_900) if record.tags["length"] == "long" else (750, 1_700)
        assert low <= len(record.content) <= high, record.id
        starts = first_seen(record.content).values()
        # a cue may stand some words into its sentence
        where = "none" if not starts else "late" if min(starts) >= LATE_FROM else "early"
        assert record.tags["evidence"] == where or abs(min(starts) - LATE_FROM) < 100, record.id
    tags = Counter((r.tags["length"], r.tags["evidence"]) for r in corpus.training)
    assert sum(count for (length, _), count in tags.items() if length == "long") == 165
    assert tags["long", "late"] > 50
    assert tags["long", "early"] > 40
    assert tags["normal", "late"] == 0


def test_evidence_lies_anywhere(corpus) -> None:
    shares = [
        start / len(r.content)
        for r in everything(corpus)
        if r.tags["length"] == "normal" and r.os_label in os_phrases().spoken
        for cue in cues_of(os_phrases().seen_cues[r.os_label])
        for start in [r.content.find(literal(cue))]
        if start >= 0
    ]
    quarters = Counter(int(4 * share) for share in shares)
    assert len(shares) > 200
    assert all(quarters[quarter] > 0.08 * len(shares) for quarter in range(4)), quarters


def test_half_of_the_articles_about_several_show_them_far_apart(corpus) -> None:
    spreads = []
    for record in everything(corpus):
        if record.os_label == "multiple":
            starts = first_seen(record.content).values()
            room = len(record.content) - (LATE_FROM if record.tags["evidence"] == "late" else 0)
            spreads.append((max(starts) - min(starts)) / room)
    far = sum(spread > 0.3 for spread in spreads)
    assert 0.4 < far / len(spreads) < 0.65


def test_half_of_the_test_articles_have_cues_and_sentences_of_their_own(corpus) -> None:
    assert Counter(r.tags["style"] for r in corpus.test) == {"seen": 50, "unseen": 50}
    assert {r.tags["style"] for r in corpus.training} == {"seen"}
    training = "\n".join(r.content for r in corpus.training).lower()
    unseen = "\n".join(r.content for r in corpus.test if r.tags["style"] == "unseen").lower()
    for system in os_phrases().spoken:
        literals = [literal(cue).lower() for cue in cues_of(os_phrases().unseen_cues[system])]
        assert not [each for each in literals if each in training]
        assert sum(each in unseen for each in literals) > len(literals) / 2
        tools = {cue.split()[0] for cue in os_phrases().unseen_cues[system].commands}
        assert not tools & {cue.split()[0] for cue in os_phrases().seen_cues[system].commands}
        assert len(cues_of(os_phrases().seen_cues[system])) >= 40
    frames = [literal(frame).lower() for frames in os_phrases().unseen_frames.values() for frame in frames]
    assert not [each for each in frames if each and each in training]


def test_every_part_has_near_misses_of_each_class(corpus) -> None:
    for part in (corpus.training, corpus.test):
        for label in OS_LABELS:
            texts = [r.content for r in part if r.os_label == label]
            distractors = [
                literal(d) for d in (*os_prose().seen_prose.distractors, *os_prose().unseen_prose.distractors)
            ]
            assert all(any(each in text for each in distractors) for text in texts)


def test_no_made_up_name_stands_in_two_articles(corpus) -> None:
    parts = [
        os_prose().seen_prose,
        os_prose().unseen_prose,
        *os_phrases().seen_cues.values(),
        *os_phrases().unseen_cues.values(),
    ]
    texts = [text for part in parts for field in astuple(part) for text in field]
    texts += [word for words in os_prose().slots.values() for word in words]
    texts += [text for part in os_prose().composed for text in part]
    for frames in (os_phrases().seen_frames, os_phrases().unseen_frames):
        texts += [frame for each in frames.values() for frame in each]
    vocabulary = set(words(" ".join(texts)))
    articles = Counter(name for r in everything(corpus) for name in set(words(r.content)) - vocabulary)
    assert len(articles) > 2_000
    assert not [name for name, count in articles.items() if count > 1]


def words(text: str) -> list[str]:
    return re.findall(r"[a-z]{5,}", text.lower())


def test_no_training_article_is_nearly_a_test_article(corpus) -> None:
    training, test = ([r.content for r in part] for part in (corpus.training, corpus.test))
    assert near_pairs_between(training, test) == {}


def test_sentences_are_varied_and_no_slot_stays_open(corpus) -> None:
    sentences = Counter(s for r in everything(corpus) for s in re.split(r"(?<=[.])\s+", r.content))
    assert len(sentences) > 5_000
    assert not [s for s in sentences if SLOT.search(s)]
