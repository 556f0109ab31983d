"""Articles that a classifier took for another class, with what they say for the one and for the other."""

from collections.abc import Callable, Mapping, Sequence

from ctiforge.records.classification import Case, ClassifierEvaluation
from ctiforge.reporting.passages import AROUND, passage
from ctiforge.reporting.view import Finding, FindingGroup, Findings, ShownPassage
from ctiforge.tables import Mark

SHOWN = 12
"""Errors of one class that are shown; the rest is counted."""
PASSAGES = 2
"""Passages of an article that are shown for one class."""

FindCues = Callable[[str], Sequence[tuple[str, int, int]]]
"""From a text to the places that speak for a class: label, first character, one past the last."""


def os_findings(evaluation: ClassifierEvaluation, texts: Mapping[str, str], find_cues: FindCues) -> Findings:
    """Collect the errors by true class."""
    pairs = list(zip(evaluation.cases, evaluation.result.predictions, strict=True))
    groups = []
    for label in evaluation.labels:
        wrong = [(case, predicted) for case, predicted in pairs if case.label == label != predicted]
        if wrong:
            findings = tuple(
                case_finding(case, predicted, Mark("bad", "✕", f"taken for {predicted}"), texts, find_cues)
                for case, predicted in wrong[:SHOWN]
            )
            support = sum(case.label == label for case in evaluation.cases)
            groups.append(FindingGroup(label, f"{len(wrong)} of {support} wrong", findings, len(wrong) - len(findings)))
    found = {predicted for case, predicted in pairs if case.label != predicted}
    return Findings(tuple(groups), tuple(f"taken for {label}" for label in evaluation.labels if label in found))


def case_finding(case: Case, predicted: str, mark: Mark, texts: Mapping[str, str], find_cues: FindCues) -> Finding:
    """Show an article with what it says for its true class and for the other one that somebody took it for."""
    text = texts.get(case.id)
    cues = find_cues(text) if text else []
    labels = [label for label in (case.label, predicted) if any(each[0] == label for each in cues)]
    # `multiple` and `Unknown` have no cues of their own: what speaks for any system tells about them
    labels = labels if len(labels) == 2 else sorted({label for label, _, _ in cues})
    passages = tuple(each for label in labels for each in _passages(text or "", label, cues))
    remark = "No cue of any operating system stands in the text." if text and not cues else ""
    return Finding(
        value=case.title or case.id,
        mark=mark,
        article=f"{case.id} · labeled {case.label}",
        remarks=(remark,) if remark else (),
        passages=passages,
    )


def _passages(text: str, label: str, cues: Sequence[tuple[str, int, int]]) -> list[ShownPassage]:
    """Choose the first places that speak for a class, far enough apart to show something new."""
    chosen: list[tuple[int, int]] = []
    for _, start, end in (each for each in cues if each[0] == label):
        if len(chosen) < PASSAGES and (not chosen or start > chosen[-1][1] + AROUND):
            chosen.append((start, end))
    return [passage(text, [each], title=f"speaks for {label}") for each in chosen]
