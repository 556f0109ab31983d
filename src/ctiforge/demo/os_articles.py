"""Articles about one operating system, several or none, made of the sentences of MITRE ATT&CK.

An article is some sentences of one software, and its label is what MITRE says that the software runs on. Articles about
no system are made alike of what groups and campaigns did, of the sentences that name no system. Nothing that is in the
test set, no software, group or campaign, is in the training articles.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice, repeat, zip_longest

from ctiforge.data.identity import content_hash, fold
from ctiforge.demo.attack import AttackProfile, read_profiles
from ctiforge.records.article import OS_LABELS, ArticleRecord, OsLabel

ANNOTATOR = "MITRE ATT&CK"
_SENTENCES = (4, 8)
_SHARE_FOR_TEST = 0.3
_SEVERAL = 3
"""Articles of a profile, where it has sentences enough."""
_TRIES = 40
"""How often an article is drawn anew that would be too near to another of its profile."""
Finds = Callable[[str], Sequence[object]]
"""Finds whatever names an operating system in a text: the rule of keywords."""


@dataclass(frozen=True)
class OsSizes:
    """How many articles of each of the five classes."""

    training: int = 60
    test: int = 18


@dataclass(frozen=True)
class OsCorpus:
    """Articles to learn from, and the test set; with `OsSizes` of more than there are sentences for, fewer."""

    training: tuple[ArticleRecord, ...]
    test: tuple[ArticleRecord, ...]


def make_os_corpus(seed: int, find_systems: Finds, sizes: OsSizes | None = None) -> OsCorpus:
    """Make the corpus of a seed, always the same; the classes take turns. Larger sizes only add to it.

    Args:
        seed: Of what is drawn.
        find_systems: Decides which sentences name no system.
        sizes: How many articles; None: the demo's.

    Returns:
        The corpus.

    Raises:
        UsageError: The package that brings the texts is missing, or is another than is known.
    """
    sizes = sizes or OsSizes()
    rng = random.Random(seed)
    training, test = [], []
    for label, profiles in _by_label(read_profiles(), find_systems).items():
        shuffled = rng.sample(profiles, len(profiles))
        for_test = round(_SHARE_FOR_TEST * len(shuffled))
        test.append(_articles(shuffled[:for_test], label, sizes.test, seed))
        training.append(_articles(shuffled[for_test:], label, sizes.training, seed))
    return OsCorpus(_in_turn(training), _in_turn(test))


def _by_label(profiles: Sequence[AttackProfile], find_systems: Finds) -> dict[OsLabel, list[AttackProfile]]:
    """Sort the profiles that are long enough by label; of groups and campaigns only what names no system is left."""
    found: dict[OsLabel, list[AttackProfile]] = {label: [] for label in OS_LABELS}
    for each in profiles:
        if each.id.startswith("S"):
            label, sentences = each.label, each.sentences
        else:
            label, sentences = "Unknown", tuple(s for s in each.sentences if not find_systems(s))
        if label and len(sentences) >= _SENTENCES[0]:
            found[label].append(replace(each, sentences=sentences))
    return found


def _articles(profiles: Sequence[AttackProfile], label: OsLabel, count: int, seed: int) -> list[ArticleRecord]:
    """Make so many articles of a label, several of each profile; more of each where there are few profiles."""
    drawing = [(profile, _draw(profile, seed)) for profile in profiles]
    chosen: list[tuple[AttackProfile, list[str]]] = []
    for several in (_SEVERAL, *repeat(1, _TRIES)):
        for profile, drawn in drawing:
            chosen += [(profile, each) for each in islice(drawn, min(several, count - len(chosen)))]
    return [_record(number, profile, each, label) for number, (profile, each) in enumerate(chosen)]


def _draw(profile: AttackProfile, seed: int) -> Iterator[list[str]]:
    """Draw the sentences of one article after the other; two of them share half at most: they are no duplicates."""
    rng = random.Random(f"{seed}:{profile.id}")
    least, most = _SENTENCES[0], min(_SENTENCES[1], len(profile.sentences))
    before: list[set[str]] = []
    for _ in range(_TRIES):
        drawn = rng.sample(profile.sentences, rng.randint(least, most))
        if all(2 * len(each.intersection(drawn)) <= min(len(each), len(drawn)) for each in before):
            before.append(set(drawn))
            yield drawn


def _record(number: int, profile: AttackProfile, sentences: list[str], label: OsLabel) -> ArticleRecord:
    content = " ".join(sentences)
    id_ = f"{label}-{profile.id}-{number}"
    return ArticleRecord(
        id=id_,
        url=f"https://os-reports.invalid/{id_}",
        title=f"{profile.name} (MITRE ATT&CK {profile.id})",
        content=content,
        content_hash=content_hash(fold(content)),
        os_label=label,
        labelled_by="human",
        annotator=ANNOTATOR,
        hunt_score=round(random.Random(id_).uniform(99.1, 100), 2),
    )


def _in_turn(classes: Sequence[Sequence[ArticleRecord]]) -> tuple[ArticleRecord, ...]:
    return tuple(each for turn in zip_longest(*classes) for each in turn if each)
