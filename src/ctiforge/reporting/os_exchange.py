"""Articles that the new classifier lost and gained against another one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from ctiforge.records.classification import Case, ClassifierRow
from ctiforge.reporting.os_errors import FindCues, case_finding
from ctiforge.reporting.view import FindingGroup, Findings
from ctiforge.tables import Mark

SHOWN = 30
"""Articles of one kind that are shown; the rest is counted."""
_TITLES = {
    "lost": "Lost: the {other} names the class, the new model does not",
    "gained": "Gained: the new model names the class that the {other} missed",
}


@dataclass(frozen=True)
class ExchangedCase:
    """One article of which only one of two classifiers names the class."""

    kind: Literal["lost", "gained"]
    case: Case
    wrong: str
    """What the other one, of the two, took it for."""


def exchanged_cases(cases: Sequence[Case], before: ClassifierRow, after: ClassifierRow) -> list[ExchangedCase]:
    """Find the articles that one of the two names right, and the other does not."""
    found = []
    for case, was, now in zip(cases, before.predictions, after.predictions, strict=True):
        if was == case.label != now:
            found.append(ExchangedCase("lost", case, now))
        elif now == case.label != was:
            found.append(ExchangedCase("gained", case, was))
    return found


def case_findings(
    items: Sequence[ExchangedCase], other: str, texts: Mapping[str, str], find_cues: FindCues
) -> Findings:
    """Lay out what was lost and gained, with what each article says for either class."""
    groups = []
    for kind, title in _TITLES.items():
        found = [each for each in items if each.kind == kind]
        classes = sorted({each.case.label for each in found})
        counts = ", ".join(f"{sum(each.case.label == label for each in found)} {label}" for label in classes)
        findings = tuple(case_finding(each.case, each.wrong, _mark(each), texts, find_cues) for each in found[:SHOWN])
        if found:
            groups.append(FindingGroup(title.format(other=other), counts, findings, len(found) - len(findings)))
    return Findings(tuple(groups), tuple(dict.fromkeys(_mark(each).word for each in items)))


def _mark(each: ExchangedCase) -> Mark:
    if each.kind == "lost":
        return Mark("bad", "▼", f"now taken for {each.wrong}")
    return Mark("good", "▲", f"was taken for {each.wrong}")
