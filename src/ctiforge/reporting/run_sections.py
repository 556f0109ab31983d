"""What the reports of both lines share: training, data, where everything comes from, and what it cost."""

from collections.abc import Iterator, Mapping
from datetime import datetime

from ctiforge.records.artifact import Manifest
from ctiforge.records.harvest import HarvestReport
from ctiforge.records.prepared import PrepareReport
from ctiforge.records.run import StageRecord
from ctiforge.records.training import ItemThreshold, Training
from ctiforge.reporting import words
from ctiforge.reporting.charts import f1_chart, loss_chart, rate_chart
from ctiforge.reporting.reading import RunFiles
from ctiforge.reporting.view import Block, Facts, Section
from ctiforge.store.fingerprint import SHORT
from ctiforge.tables import Cell, Column, Table
from ctiforge.training.options import METHOD_WORDS

_OF_A_KIND = 12
"""Rows of a table of reasons; the rest is added up."""


def training_section(run: RunFiles, unit: str) -> Section | None:
    """Show the curve, how long it took, with which settings, and how they differ from the guide's."""
    training = run.training
    if not training:
        return None
    losses = [(float(line.step), line.loss) for line in run.log if line.loss is not None]
    validation = [(float(line.step), line.eval_loss) for line in run.log if line.eval_loss is not None]
    rates = [(float(line.step), line.learning_rate) for line in run.log if line.learning_rate is not None]
    judged = [(float(line.step), line.eval_f1) for line in run.log if line.eval_f1 is not None]
    last_step = max((line.step for line in run.log), default=0)
    charts = (
        loss_chart(losses, validation, best_step=training.best_step, unit=unit),
        f1_chart(judged, last_step),
        rate_chart(rates, last_step),
    )
    blocks: list[Block] = [chart for chart in charts if chart]
    blocks.append(Facts("Training", tuple(_training_facts(training))))
    if training.deviations_from_guide:
        blocks.append(_deviations(training))
    settings = {**training.options, **{f"LoRA {name}": value for name, value in (training.lora or {}).items()}}
    blocks.append(_settings("All settings", settings))
    lead = f"{training.name} from {training.base_model}" if training.base_model else training.name
    best = "lowest validation loss" if training.best_validation_f1 is None else "best F1 on validation articles"
    return Section("training", "Training", f"{lead}; the weights kept are those of the {best}.", tuple(blocks))


def data_section(run: RunFiles) -> Section | None:
    """Show what was read, kept and left out, and what the model was tested on."""
    blocks: list[Block] = []
    if run.harvest:
        blocks += _harvest_blocks(run.harvest)
    if run.prepared:
        blocks += _prepared_blocks(run.prepared)
    if run.formatted:
        report = run.formatted.report
        split = f"{report.examples:,} for training, {report.validation_examples:,} for validation"
        leaked = words.plural(len(run.formatted.leaked), "article")
        blocks.append(Facts("Examples", (("windows", split), ("removed for repeating a held-out one", leaked))))
    blocks += _test_set_facts(run)
    return (
        Section("data", "Data", "What was read, what was kept, and what the model was tested on.", tuple(blocks))
        if blocks
        else None
    )


def lineage_section(run: RunFiles) -> Section:
    """Show, stage by stage, from which inputs, at which version, made by which code."""
    fingerprints = {each.fingerprint: name for name, each in run.manifests.items()}
    rows = tuple(_lineage_row(stage, run.manifests.get(stage.name), fingerprints) for stage in run.record.stages)
    columns = ("stage", "state", "fingerprint", "made from", "version", "seed", "commit", "image")
    table = Table(
        "Every stage and what it was made from",
        tuple(Column(title, is_number=title in ("version", "seed")) for title in columns),
        rows,
        note="A fingerprint stands for the stage’s version, parameters, inputs and package versions; cached stages "
        "were made by an earlier run.",
    )
    packages = {f"{name} {version}" for each in run.manifests.values() for name, version in each.packages.items()}
    pythons = {each.python for each in run.manifests.values()}
    environment = (("Python", ", ".join(sorted(pythons))), ("packages", ", ".join(sorted(packages))))
    blocks = (table, Facts("Environment", environment)) if run.manifests else (table,)
    return Section("lineage", "Lineage", f"Run {run.record.id}, from its data to its figures.", blocks)


def cost_section(run: RunFiles, reading: Table | None) -> Section:
    """Show the seconds of every stage, and what reading an article costs."""
    rows = tuple(_cost_row(stage, run.manifests.get(stage.name)) for stage in run.record.stages)
    columns = (Column("", False), Column("work"), Column("in this run"), Column("queued"), Column("attempts"))
    table = Table(
        "Time by stage", columns, rows, note="Work is what making the artifact took, also where it was cached."
    )
    took = _took(run.record.started_at, run.record.ended_at)
    lead = f"The run took {took}." if took else "The run has not ended."
    return Section("cost", "Cost in time", lead, (table, reading) if reading else (table,))


def counts_table(caption: str, head: str, counts: Mapping[str, int], *, is_folded: bool = False) -> Table:
    """Lay out names and counts, the largest first; what is beyond `_OF_A_KIND` is added up."""
    ranked = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    rows = [(Cell(name), Cell(words.count(number))) for name, number in ranked[:_OF_A_KIND]]
    if len(ranked) > _OF_A_KIND:
        rest = ranked[_OF_A_KIND:]
        rows.append((Cell(f"{len(rest)} more"), Cell(words.count(sum(number for _, number in rest)))))
    return Table(caption, (Column(head, False), Column("number")), tuple(rows), is_folded=is_folded)


def _training_facts(training: Training) -> Iterator[tuple[str, str]]:
    yield (
        "examples",
        f"{words.count(training.examples)} for training, {words.count(training.validation_examples)} for validation",
    )
    if training.method:
        yield "method", METHOD_WORDS.get(training.method, training.method)
    planned = training.steps.total
    stopped = ", stopped early: validation no longer improved" if training.stopped_early else ""
    yield "steps", f"{words.count(training.steps_done)} of {words.count(planned)}{stopped}"
    if training.best_validation_loss is not None:
        yield "lowest validation loss", f"{training.best_validation_loss:.4f} at step {words.count(training.best_step)}"
    if training.best_validation_f1 is not None:
        yield "chosen by", f"F1 of greedy answers on validation articles: {training.best_validation_f1:.3f}"
    if threshold := training.item_threshold:
        yield (
            "windows with an item told from those without",
            f"AUC {words.figure(threshold.quality.auc)}; 0.5 is chance",
        )
        yield "threshold of an item", _threshold_words(threshold)
    yield "learning rate", words.setting(training.options.get("learning_rate"))
    yield "tokens of an example, at most", words.count(training.max_length)
    if training.pooling:
        yield "pooling of windows", training.pooling
    if training.labeler:
        yield "labels by", training.labeler
    if training.trainable_parameters:
        yield "trainable parameters", words.count(training.trainable_parameters)
    yield "time", f"{words.duration(training.seconds)} on {training.device or 'an unnamed device'}"
    if training.tokens_per_s is not None:
        yield "tokens learnt from in a second", words.count(round(training.tokens_per_s))
    if training.resumed_from_step:
        yield "went on from", f"step {training.resumed_from_step:,}"
    if len(training.micro_batches) > 1:
        sizes = " → ".join(str(each.batch_size) for each in training.micro_batches)
        yield "micro-batch, for want of memory", sizes


def _threshold_words(threshold: ItemThreshold) -> str:
    if threshold.bias is None:
        return f"none set: {threshold.why_none}"
    figures = f"F1 {words.figure(threshold.f1_without)} → {words.figure(threshold.f1)}"
    return (
        f"{threshold.bias:+.2f} on its log-odds; {figures} on {words.plural(threshold.articles, 'validation article')}"
    )


def _deviations(training: Training) -> Table:
    rows = tuple(
        (Cell(name.replace("_", " ")), Cell(words.setting(usual)), Cell(words.setting(ours), strong=True))
        for name, (usual, ours) in training.deviations_from_guide.items()
    )
    columns = (Column("", False), Column("guide"), Column("here"))
    return Table("Settings that differ from the guide’s", columns, rows)


def _settings(caption: str, settings: Mapping[str, object]) -> Table:
    rows = tuple((Cell(name.replace("_", " ")), Cell(words.setting(value))) for name, value in settings.items())
    return Table(caption, (Column("", False), Column("")), rows, is_folded=True)


def _harvest_blocks(harvest: HarvestReport) -> Iterator[Block]:
    yield Facts(
        "Harvest",
        (
            ("articles read", f"{harvest.read:,}, with {harvest.executions:,} executions"),
            ("kept", f"{harvest.kept:,}: {harvest.positives:,} with observables, {harvest.negatives:,} true negatives"),
            ("observables", words.count(harvest.observables)),
            ("generations of results", ", ".join(f"{name} {n:,}" for name, n in harvest.generations.items())),
            ("lengths in characters", ", ".join(f"{name}: {n:,}" for name, n in harvest.lengths.items())),
        ),
    )
    types = sorted(harvest.labelled_articles, key=lambda type_: -harvest.observables_by_type.get(type_, 0))
    columns = ("", "articles labeled", "with some", "true negatives", "observables")
    yield Table(
        "Harvested by type",
        tuple(Column(title, is_number=bool(title)) for title in columns),
        tuple(_type_row(type_, harvest) for type_ in types),
    )
    if harvest.platforms:
        yield counts_table("Platforms of the observables", "platform", harvest.platforms)
    reasons = (
        ("Articles left out", "why", harvest.excluded),
        ("Types left unlabeled", "type and why", harvest.unlabelled),
        ("Items set aside", "why", {**harvest.items_set_aside, **harvest.entries_set_aside}),
        ("Files set aside", "file and why", {f"{path}: {why}": 1 for path, why in harvest.files_set_aside.items()}),
    )
    yield from (counts_table(caption, head, counts, is_folded=True) for caption, head, counts in reasons if counts)


def _type_row(type_: str, harvest: HarvestReport) -> tuple[Cell, ...]:
    labeled, positive = harvest.labelled_articles[type_], harvest.positive_articles.get(type_, 0)
    numbers = (labeled, positive, labeled - positive, harvest.observables_by_type.get(type_, 0))
    return (Cell(type_), *(Cell(words.count(number)) for number in numbers))


def _prepared_blocks(prepared: PrepareReport) -> Iterator[Block]:
    score = "" if prepared.min_hunt_score is None else f", hunt score {prepared.min_hunt_score:g} or more"
    pairs = [
        ("articles read", f"{prepared.articles_read:,}{score}"),
        ("labeled", f"{prepared.labelled:,} by {prepared.labeler}"),
    ]
    if prepared.augment:
        pairs.append(("altered copies of each training article", words.count(prepared.augment)))
    for each in prepared.agreement:
        kappa = "n/a" if each.kappa is None else f"{each.kappa:.3f}"
        pairs.append((f"{each.first} and {each.other}", f"Cohen’s kappa {kappa} over {each.articles:,} articles"))
    yield Facts("Preparation", tuple(pairs))
    yield Table(
        "Articles by class and part",
        (Column("", False), Column("labeled"), *(Column(part) for part in prepared.parts)),
        tuple(
            (
                Cell(label),
                Cell(words.count(number)),
                *(Cell(words.count(part.get(label, 0))) for part in prepared.parts.values()),
            )
            for label, number in prepared.classes.items()
        ),
    )
    for caption, counts in (("Articles left out", prepared.set_aside), ("Articles flagged", prepared.flags)):
        if counts:
            yield counts_table(caption, "why", counts, is_folded=True)


def _test_set_facts(run: RunFiles) -> Iterator[Facts]:
    info = run.tested
    if not info:
        return
    pairs = [
        ("name and version", f"{info.name} {info.version}"),
        ("SHA-256", info.content_hash),
        ("articles", f"{info.articles:,} scored, {info.unlabelled:,} without a label left out"),
    ]
    if run.test_set:
        labeled = ", ".join(f"{name} {number:,}" for name, number in run.test_set.labelled_types.items())
        pairs += [("labeled by", run.test_set.annotator), ("articles labeled for", labeled)]
    yield Facts("Test set", tuple(pairs))


def _lineage_row(stage: StageRecord, manifest: Manifest | None, stages: Mapping[str, str]) -> tuple[Cell, ...]:
    fingerprint = manifest.fingerprint if manifest else stage.fingerprint or ""
    cells = [Cell(stage.name), Cell(stage.state), Cell(fingerprint[:SHORT], code=True)]
    if not manifest:
        return (*cells, *(Cell() for _ in range(5)))
    made_from = "; ".join(_input(name, each.uri, each.content, stages) for name, each in manifest.inputs.items())
    seed = manifest.parameters.get("seed")
    return (
        *cells,
        Cell(made_from or "–"),
        Cell(str(manifest.version)),
        Cell("–" if seed is None else str(seed)),
        Cell((manifest.git_commit or "–")[:SHORT], code=True),
        Cell(manifest.image or "–"),
    )


def _input(name: str, uri: str, content: str, stages: Mapping[str, str]) -> str:
    made_by = next((stage for part in uri.split("/") if (stage := stages.get(part))), None)
    return f"{name}: {made_by}" if made_by else f"{name} {content[:SHORT]}"


def _cost_row(stage: StageRecord, manifest: Manifest | None) -> tuple[Cell, ...]:
    here = _took(stage.started_at, stage.ended_at)
    return (
        Cell(stage.name),
        Cell(words.duration(manifest.seconds) if manifest else "–"),
        Cell(stage.state if stage.state == "cached" else here or "–"),
        Cell(words.duration(stage.queued_s) or "–"),
        Cell(str(stage.attempts)),
    )


def _took(start: datetime | None, end: datetime | None) -> str:
    return words.duration((end - start).total_seconds()) if start and end else ""
