"""The first thing a report says: is the new model better, than what, by how much, and what speaks against it."""

from collections.abc import Iterator, Mapping

from ctiforge.evaluation.statistics import LEVEL
from ctiforge.records.comparison import ChangeVerdict
from ctiforge.records.run import StageRecord
from ctiforge.reporting import words
from ctiforge.reporting.gate_section import gate_mark
from ctiforge.reporting.reading import RunFiles
from ctiforge.reporting.view import Verdict
from ctiforge.tables import Mark

SENTENCES: Mapping[ChangeVerdict, str] = {
    "better": "The new model is better than the {other}: {figure} {after} instead of {before}, {difference}",
    "worse": "The new model is worse than the {other}: {figure} {after} instead of {before}, {difference}",
    "no clear difference": "The new model and the {other} do about equally well: {figure} {after} and {before}, "
    "{difference}",
    "underpowered": "Too little data to tell whether the new model is better than the {other}: {figure} {after} "
    "and {before}, {difference}",
    "changed": "The new model differs from the {other}: {figure} {after} instead of {before}, {difference}",
    "equal": "The new model does exactly as well as the {other}: {figure} {after}",
    "n/a": "The new model cannot be compared with the {other}: one of them has no {figure}",
}
NO_VERDICT = Mark("plain", "–", "no verdict")
BUT = Mark("unsure", "▲", "better, with a loss")
"""What is judged is better, and something that must not get worse did."""


def no_verdict(run: RunFiles, why: str) -> Verdict:
    """Say that there is nothing to judge."""
    return dressed(run, Verdict(NO_VERDICT, why))


def judged(
    judgement: ChangeVerdict,
    other: str,
    figure: str,
    before: float | None,
    after: float | None,
    difference: float | None,
    ends: tuple[float | None, float | None],
    articles: int,
) -> Verdict:
    """Word the sentence about one paired difference."""
    sentence = SENTENCES[judgement].format(
        other=other,
        figure=figure,
        before=words.figure(before),
        after=words.figure(after),
        difference=words.signed(difference),
    )
    interval = words.signed_interval(*ends)
    basis = f"{LEVEL:.0%} interval {interval}, " if interval else "no interval, "
    return Verdict(words.MARKS[judgement], f"{sentence} ({basis}{words.plural(articles, 'article')}).")


def dressed(run: RunFiles, verdict: Verdict, warnings: tuple[str, ...] = ()) -> Verdict:
    """Complete the verdict with the gate's decision, with everything to be warned of, and with what is missing."""
    return Verdict(
        mark=verdict.mark,
        sentence=verdict.sentence,
        details=verdict.details,
        gate=gate_mark(run.decision) if run.decision else None,
        gate_lines=run.decision.reasons if run.decision else (),
        warnings=(*warnings, *_data_warnings(run)),
        missing=tuple(_missing(run)),
    )


def _data_warnings(run: RunFiles) -> Iterator[str]:
    if run.formatted and run.formatted.leaked:
        number = words.plural(len(run.formatted.leaked), "training article repeats", "training articles repeat")
        yield f"{number} a held-out one and was left out of training"
    for record in (run.prepared, run.training):
        yield from record.warnings if record else ()
    yield from run.problems


def _missing(run: RunFiles) -> Iterator[str]:
    for stage in run.record.stages:
        if stage.state not in ("done", "cached"):
            yield f"{stage.name}: {_why(stage)}"


def _why(stage: StageRecord) -> str:
    if stage.cause:
        return f"{stage.state}; {'; '.join(stage.cause.lines())}"
    if stage.state == "waiting":
        return "never started"
    code = f" with exit code {stage.exit_code}" if stage.exit_code else ""
    last = stage.last_lines[-1] if stage.last_lines else ""
    return f"{stage.state}{code}" + (f"; it said last: {last}" if last else "")
