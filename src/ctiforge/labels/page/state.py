"""What the page shows as judged, and the label in the registry: each made of the other."""

from collections.abc import Iterable

from ctiforge.labels.page.candidates import candidate_key
from ctiforge.records.article import ArticleRecord
from ctiforge.records.human_label import HumanLabel
from ctiforge.records.labeling_page import ItemVerdict, JudgedItem, PageState
from ctiforge.records.observable import TYPES, Observable

SOURCE = "labeling page"
"""What a label says of where it comes from."""


def state_of(label: HumanLabel | None) -> PageState:
    """Show a label of the registry.

    Args:
        label: What the person said before; None: nothing.

    Returns:
        The same for the page; types that it does not know are left out.
    """
    if label is None:
        return PageState()
    verdicts: tuple[tuple[ItemVerdict, tuple[Observable, ...]], ...] = (
        ("accepted", label.article.observables),
        ("accepted", label.positives),
        ("rejected", label.rejected),
    )
    judged = [
        JudgedItem(type=each.type, value=each.value, platform=each.platform, verdict=verdict)
        for verdict, items in verdicts
        for each in items
        if each.type in TYPES and each.value.strip()
    ]
    looked = tuple(type_ for type_ in label.article.labelled_types if type_ in TYPES)
    return PageState(judged=tuple(judged), looked=looked, os_label=label.article.os_label)


def label_of(state: PageState, article: ArticleRecord, annotator: str, known: HumanLabel | None) -> HumanLabel:
    """Make the label that the registry keeps.

    Accepted items of types that were looked at are all that there are; those of other types are single positives.

    Args:
        state: What the page shows.
        article: The article that it is about.
        annotator: The person's name.
        known: What they said before: its id, use and sources stay, and what it has of types that the page does not
            know.

    Returns:
        The label, in the place of the former.
    """
    accepted = _distinct(each for each in state.judged if each.verdict == "accepted")
    found = {candidate_key(each.type, each.value) for each in accepted}
    refused = _distinct(each for each in state.judged if each.verdict == "rejected")
    looked = state.looked
    observables = tuple(each for each in accepted if each.type in looked)
    positives = tuple(each for each in accepted if each.type not in looked)
    rejected = tuple(each for each in refused if candidate_key(each.type, each.value) not in found)
    if known:
        looked += tuple(type_ for type_ in known.article.labelled_types if type_ not in TYPES)
        observables += _strange(known.article.observables)
        positives += _strange(known.positives)
        rejected += _strange(known.rejected)
    return HumanLabel(
        article=article.model_copy(
            update={
                "id": known.article.id if known else article.id,
                "observables": observables,
                "labelled_types": looked,
                "type_labels": {},
                "os_label": state.os_label,
                "labelled_by": "human",
                "annotator": annotator,
                "generation": None,
            }
        ),
        positives=positives,
        rejected=rejected,
        usage=known.usage if known else None,
        sources=tuple(dict.fromkeys((*(known.sources if known else ()), SOURCE))),
    )


def _strange(observables: Iterable[Observable]) -> tuple[Observable, ...]:
    return tuple(each for each in observables if each.type not in TYPES)


def _distinct(items: Iterable[Observable]) -> tuple[Observable, ...]:
    found: dict[str, Observable] = {}
    for each in items:
        plain = Observable(type=each.type, value=each.value, platform=each.platform)
        found.setdefault(candidate_key(each.type, each.value), plain)
    return tuple(found.values())
