"""The report of an Extract Agent's run."""

from collections.abc import Iterator
from dataclasses import replace

from ctiforge.evaluation.gate.sides import scored_extraction
from ctiforge.evaluation.statistics import MIN_POSITIVE_ARTICLES
from ctiforge.evaluation.tables.evaluation import choice_words
from ctiforge.lines.extract import EXTRACT
from ctiforge.reporting import words
from ctiforge.reporting.article_table import article_tables, half_of
from ctiforge.reporting.contest import Contest, contest_of, new_stage
from ctiforge.reporting.exchange import MARKS, exchange_findings, exchanged
from ctiforge.reporting.exchange import SHOWN as SHOWN_OF_A_KIND
from ctiforge.reporting.export_section import export_section
from ctiforge.reporting.extract_errors import SHOWN, extract_findings
from ctiforge.reporting.extract_tables import (
    all_metrics_table,
    change_table,
    guardrail_table,
    length_facts,
    primary_table,
    row_table,
    truncation_table,
)
from ctiforge.reporting.gate_section import gate_section
from ctiforge.reporting.label_gaps import LabelGaps, gaps_section
from ctiforge.reporting.places import Places
from ctiforge.reporting.power_section import power_section
from ctiforge.reporting.reading import RunFiles
from ctiforge.reporting.run_sections import cost_section, data_section, lineage_section, training_section
from ctiforge.reporting.since_section import since_section
from ctiforge.reporting.trial import deciding_check
from ctiforge.reporting.verdict import basis, dressed, judged, losses, no_verdict, told
from ctiforge.reporting.view import Block, Note, Section, Verdict
from ctiforge.reporting.worth_section import worth_section
from ctiforge.tables import Cell, Column, Table

_COUNTS_ONLY = f"Fewer than {MIN_POSITIVE_ARTICLES} articles carry no figure: counts only."

RAW_ANSWERS = "answers.jsonl.gz"
"""What an evaluation that keeps raw answers calls them."""


def extract_sections(run: RunFiles, gaps: LabelGaps | None = None) -> tuple[Verdict, tuple[Section, ...]]:
    """Build the verdict, and every section that the run has something for."""
    contest, places = contest_of(run), Places(run.texts)
    worth = worth_section(contest)
    sections = [
        _comparison(contest),
        worth,
        gate_section(run.decision, contest.reference.tested if contest.reference else None),
        _types(contest),
        _articles(contest),
        _exchange(contest, places),
        _power(contest),
        since_section(run),
        training_section(run, "loss per answer token (nats)"),
        _lengths(run),
        _errors(run, contest, places),
        gaps_section(gaps) if gaps else None,
        export_section(run),
        data_section(run),
        lineage_section(run),
        # the table of every way has them already
        cost_section(run, None if worth else _reading_costs(contest)),
    ]
    return _verdict(run, contest), tuple(section for section in sections if section)


def _verdict(run: RunFiles, contest: Contest) -> Verdict:
    if not contest.new:
        return no_verdict(run, "There is no verdict: this run has no evaluation of a new model.")
    decision = run.decision if deciding_check(run.decision) else None
    tested = contest.reference.tested if contest.reference else None
    ruling = decision or tested
    if not ruling:
        return no_verdict(run, "There is no verdict: nothing that the new model can be compared with was evaluated.")
    verdict = judged(ruling)
    details = (
        *_types_below_rules(contest),
        *verdict.details,
        *basis(run.decision),
        *_rivals(contest, is_asked=decision is not None),
    )
    return dressed(run, replace(verdict, details=details), tuple(_evaluation_warnings(contest)))


def _types_below_rules(contest: Contest) -> Iterator[str]:
    if contest.rules and contest.rules.tested:
        yield from losses([check for check in contest.rules.tested.checks if check.role == "part"])


def _rivals(contest: Contest, *, is_asked: bool) -> Iterator[str]:
    reference = contest.reference
    if not is_asked and reference and not reference.role.startswith(("model in use", "as served")):
        yield f"No model in use was evaluated: the {reference.role} is the strongest of what was."
    for side in contest.rivals:
        if side.tested and (is_asked or side is not reference):
            yield f"Against the {side.role}: {told(side.tested)}."


def _evaluation_warnings(contest: Contest) -> Iterator[str]:
    for side in contest.sides:
        for reason, count in side.evaluation.failed.items():
            yield f"{words.plural(count, 'article')} failed for the {side.role}: {reason}"
    for side in contest.rivals:
        if not side.changes:
            yield f"The {side.role} was scored on other articles than the new model, and cannot be compared with it"


def _comparison(contest: Contest) -> Section | None:
    if not contest.sides:
        return None
    evaluation = contest.sides[-1].evaluation
    test_set = evaluation.test_set
    tables = [primary_table(contest), guardrail_table(contest), all_metrics_table(contest)]
    tables += [change_table(side) for side in contest.rivals if side.changes]
    lead = (
        f"{words.plural(len(contest.sides), 'model')} on {words.plural(len(evaluation.articles), 'article')} of "
        f"{test_set.name} {test_set.version}; intervals: {evaluation.intervals.level:.0%}, "
        f"{evaluation.intervals.method}, none below {evaluation.intervals.least_articles} articles."
    )
    return Section("comparison", "Before and after", lead, tuple(tables))


def _types(contest: Contest) -> Section | None:
    if not contest.new:
        return None
    rows = contest.new.evaluation.rows
    types = [row for row in rows if row.group in ("overall", "type")]
    subsets = [row for row in rows if row.group in ("values", "tag")]
    told: tuple[Block, ...] = (Note((choice_words(choice),)),) if (choice := contest.new.evaluation.choice) else ()
    blocks = (
        row_table("Each type of observable", types, contest, _COUNTS_ONLY),
        row_table("Unseen and obfuscated values, and articles by tag", subsets, contest, _COUNTS_ONLY),
    )
    return Section("types", "Types and subsets", "Where the new model is good, and where it is not.", (*blocks, *told))


def _lengths(run: RunFiles) -> Section | None:
    if not run.formatted:
        return None
    blocks = (truncation_table(run.formatted), length_facts(run.formatted))
    return Section("lengths", "Lengths", "Nothing is cut off an answer: articles are read in windows.", blocks)


def _articles(contest: Contest) -> Section | None:
    if not contest.new or not contest.reference:
        return None
    tables = article_tables(contest.reference.evaluation, contest.new.evaluation, contest.reference.role)
    lead = f"Where the new model and the {contest.reference.role} differ. {half_of(contest.new.evaluation)}"
    return Section("articles", "Articles", lead, tuple(tables))


def _exchange(contest: Contest, places: Places) -> Section | None:
    if not contest.new or not contest.reference:
        return None
    other = contest.reference.role
    items = list(exchanged(contest.reference.evaluation, contest.new.evaluation))
    kinds = ", ".join(f"{sum(each.kind == kind for each in items):,} {kind}" for kind in MARKS)
    lead = f"The new model against the {other}, item by item: {kinds}."
    if items:
        lead += f" At most {SHOWN_OF_A_KIND} of each, from as many articles as there are."
    return Section("exchange", "Lost and gained", lead, (exchange_findings(items, other, places),) if items else ())


def _power(contest: Contest) -> Section | None:
    if not contest.new:
        return None
    other, role = (contest.reference.evaluation, contest.reference.role) if contest.reference else (None, "")
    scored = scored_extraction(other) if other else None
    return power_section(EXTRACT.name, scored_extraction(contest.new.evaluation), scored, role)


def _errors(run: RunFiles, contest: Contest, places: Places) -> Section | None:
    if not contest.new:
        return None
    findings = extract_findings(contest.new.evaluation, places)
    if not findings.groups:
        return Section("errors", "Errors", "The new model made none.", ())
    lead = (
        f"What the new model missed or got wrong, with the article’s own words around it; at most {SHOWN} of each "
        "kind and type. Wrong values stand in the article but nobody labeled them as that type; altered ones are "
        "written differently there; invented ones do not stand there at all."
    )
    blocks: list[Block] = [] if run.texts else [Note(("The articles’ text is not at hand.",), "unsure")]
    stage = new_stage(run)
    if stage and RAW_ANSWERS in run.manifests[stage].files:
        artifact = next((each.artifact for each in run.record.stages if each.name == stage), None)
        blocks.append(Note((f"What the model answered, word by word: {RAW_ANSWERS} in {artifact or stage}",)))
    return Section("errors", "Errors", lead, (*blocks, findings))


def _reading_costs(contest: Contest) -> Table | None:
    """Lay out what reading an article costs each model."""
    if not contest.sides:
        return None
    names = ("seconds_per_article", "prompt_tokens", "answer_tokens")
    metrics = [side.evaluation.metrics for side in contest.sides]
    rows = tuple(
        (Cell(side.role), *(Cell(words.figure(each[name].value, "number")) for name in names))
        for side, each in zip(contest.sides, metrics, strict=True)
    )
    columns = (Column("", False), Column("seconds"), Column("prompt tokens"), Column("answer tokens"))
    return Table("An article on average", columns, rows)
