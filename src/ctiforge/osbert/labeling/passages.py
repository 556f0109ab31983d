"""What of a long article a labeler is shown: the passages that hold the evidence, from the whole text."""

from collections.abc import Sequence
from dataclasses import dataclass

from ctiforge.osbert.labeling.keywords import CUE, CueEvidence, find_evidence

PASSAGE = 1_200
"""Characters of a passage, at most."""


@dataclass(frozen=True, slots=True)
class Passage:
    """Characters `start` to `end` of an article, and their text."""

    start: int
    end: int
    text: str


def evidence_passages(content: str, characters: int) -> list[Passage]:
    """Choose passages, in the article's order, of `characters` together at most; a shorter article is kept whole.

    The beginning is always among them, and a passage for every system that has a cue anywhere;
    the rest of the room goes to those that show something new of the most systems, and then the most of it.
    """
    if len(content) <= characters:
        return [Passage(0, len(content), content)]
    evidence = find_evidence(content)
    # small enough for the beginning and three systems
    size = min(PASSAGE, max(1, characters // 4))
    spans = _cut(content, size, evidence)
    cues = _cues_by_span(spans, evidence)
    room, chosen = characters - spans[0][1], [0]
    while (best := _best(spans, cues, chosen, room)) is not None:
        chosen.append(best)
        room -= spans[best][1] - spans[best][0]
    return [Passage(start, end, content[start:end]) for start, end in (spans[index] for index in sorted(chosen))]


def _cut(content: str, size: int, evidence: Sequence[CueEvidence]) -> list[tuple[int, int]]:
    """Cut spans of at most `size` characters that cover the text, cut at white space and not within a cue."""
    spans, start, upcoming = [], 0, iter(evidence)
    cue = next(upcoming, None)
    while start < len(content):
        end = min(start + size, len(content))
        if end < len(content):
            space = max(content.rfind(space, start, end) for space in " \n\t")
            end = space + 1 if space > start else end
        while cue and cue.end <= end:
            cue = next(upcoming, None)
        if cue and start < cue.start < end:
            end = cue.start
        spans.append((start, end))
        start = end
    return spans


def _cues_by_span(spans: Sequence[tuple[int, int]], evidence: Sequence[CueEvidence]) -> list[set[str]]:
    cues: list[set[str]] = [set() for _ in spans]
    index = 0
    for each in evidence:
        while each.start >= spans[index][1]:
            index += 1
        cues[index].add(each.cue)
    return cues


def _best(spans: Sequence[tuple[int, int]], cues: Sequence[set[str]], chosen: Sequence[int], room: int) -> int | None:
    """Choose the span that is to be shown next, None where none fits."""
    shown = set().union(*(cues[index] for index in chosen))
    systems = {CUE[name].label for name in shown}
    taken = set(chosen)

    def worth(index: int) -> tuple[int, ...]:
        new = [CUE[name] for name in cues[index] - shown]
        labels = {cue.label for cue in new}
        return len(labels - systems), len(labels), sum(cue.weight for cue in new), len(cues[index]), -index

    fitting = [index for index, (start, end) in enumerate(spans) if index not in taken and end - start <= room]
    return max(fitting, key=worth, default=None)
