"""How far two people agree: F1 by type over the texts that both labeled, and the items that only one of them has."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from ctiforge.errors import UsageError
from ctiforge.evaluation.scoring.matching import match
from ctiforge.records.human_label import HumanLabel
from ctiforge.records.observable import Observable


@dataclass
class TypeAgreement:
    """What two people found of one type in the texts in which both looked for it."""

    texts: int = 0
    """Texts in which both looked for it."""
    both: int = 0
    """Items that both found."""
    only: list[tuple[str, int, Observable]] = field(default_factory=list)
    """Items of one alone: the article's id, who (0 the first, 1 the second), and the item."""

    @property
    def f1(self) -> float | None:
        """F1 of one against the other, the same for either order; None where neither found anything."""
        items = 2 * self.both + len(self.only)
        return 2 * self.both / items if items else None

    def alone(self, who: int) -> int:
        """Count the items that only one of them found: 0 the first, 1 the second."""
        return sum(each == who for _, each, _ in self.only)


@dataclass
class PeopleAgreement:
    """How far two people agree."""

    names: tuple[str, str]
    """The two, as they sign."""
    texts: int
    """Texts that both labeled."""
    types: dict[str, TypeAgreement]
    """By type, those in which both looked for it."""
    os_labels: list[tuple[str, str, str]]
    """The article's id and what each said, of the texts in which both judged the operating system."""


def measure_agreement(labels: Iterable[HumanLabel], one: str, other: str) -> PeopleAgreement:
    """Compare two people.

    Args:
        labels: The registry.
        one: A name, in any case.
        other: Another one's.

    Returns:
        The agreement over what both looked at; single items, which say nothing of the rest, do not count.

    Raises:
        UsageError: The names are one person's, or one labeled nothing; the text names who did.
    """
    by_person: dict[str, dict[str, HumanLabel]] = {}
    for label in labels:
        by_person.setdefault(_folded(label.annotator), {})[label.article.content_hash] = label
    if _folded(one) == _folded(other):
        raise UsageError("name two people: one agrees with themselves")
    for name in (one, other):
        if _folded(name) not in by_person:
            known = sorted(next(iter(each.values())).annotator for each in by_person.values())
            raise UsageError(f"{name} labeled nothing here; there are: {', '.join(known) or 'nobody yet'}")
    ours, theirs = by_person[_folded(one)], by_person[_folded(other)]
    pairs = [(ours[hash_], theirs[hash_]) for hash_ in ours if hash_ in theirs]
    names = (next(iter(ours.values())).annotator, next(iter(theirs.values())).annotator)
    agreement = PeopleAgreement(names, len(pairs), {}, [])
    for first, second in pairs:
        _compare(first, second, agreement)
    agreement.types = dict(sorted(agreement.types.items()))
    return agreement


def _compare(first: HumanLabel, second: HumanLabel, agreement: PeopleAgreement) -> None:
    one, other = first.article, second.article
    if one.os_label and other.os_label:
        agreement.os_labels.append((one.id, one.os_label, other.os_label))
    for type_ in one.labelled_types:
        if type_ not in other.labelled_types:
            continue
        found = agreement.types.setdefault(type_, TypeAgreement())
        found.texts += 1
        for each in match(_of_type(one.observables, type_), _of_type(other.observables, type_)):
            if each.expected and each.predicted:
                found.both += 1
            elif item := each.expected or each.predicted:
                found.only.append((one.id, 0 if each.expected else 1, item))


def _of_type(observables: Iterable[Observable], type_: str) -> list[Observable]:
    return [each for each in observables if each.type == type_]


def _folded(name: str) -> str:
    return name.strip().casefold()
