"""A model before the gate of its line: what may be compared is gathered, decided on, and done."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from ctiforge.errors import GateError, UsageError
from ctiforge.evaluation.failures import MOST_FAILED
from ctiforge.evaluation.gate.gate import check_passable, check_same_test_set, primary_figures
from ctiforge.evaluation.gate.looks import YEAR
from ctiforge.evaluation.gate.sides import Scored, schema_of
from ctiforge.evaluation.statistics import LEVEL
from ctiforge.lines import find_line
from ctiforge.lines.line import GateRules
from ctiforge.promotion.answers import read_answers
from ctiforge.promotion.calibration import calibration_of
from ctiforge.promotion.canary import choose_canary
from ctiforge.promotion.grounds import Question, Weighed, judge
from ctiforge.promotion.keeping import Passed, keep_model
from ctiforge.promotion.training import check_leaks, test_articles, training_files
from ctiforge.records.classification import evaluation_file
from ctiforge.records.decision import Decision
from ctiforge.records.evaluation import Evaluation, TestSetInfo
from ctiforge.records.registry import GateLook, ModelRecord
from ctiforge.store.artifacts import Input, fetch
from ctiforge.store.fingerprint import SHORT
from ctiforge.store.lineage import trace
from ctiforge.store.looks import Looks
from ctiforge.store.models import Registry, Standing
from ctiforge.store.objects import ObjectStore


@dataclass(frozen=True)
class Given:
    """What a person or a run gives besides the model; evaluations and records by their URIs.

    Attributes:
        evaluation: The candidate's evaluation: a file, or a folder or artifact that holds one.
        against: Evaluations of what a first version must beat: the first of them is used. One of the champion
            serves as the champion's evaluation.
        champion_evaluation: The champion's evaluation on the same test set, where the registry keeps none.
        accept_equivalent: Whether a candidate passes that is no better, but not worse by more than the margin.
        training_data: Files of training articles, where the lineage does not lead to them.
        test_data: The articles of the test set, where the store does not hold them.
    """

    evaluation: str
    against: tuple[str, ...] = ()
    """What a first version must beat: the first of them; one of the champion serves as its evaluation."""
    champion_evaluation: str | None = None
    accept_equivalent: bool = False
    training_data: tuple[str, ...] = ()
    test_data: str | None = None


@dataclass(frozen=True)
class Orders:
    """How a model that passes is kept.

    Attributes:
        actor: Who promotes it.
        license_name: Of the weights; None: what the model's card says.
        approval: Whether a person has to approve it before it is used.
        dry_run: Whether to decide only; that the candidate was looked at is noted all the same.
    """

    actor: str
    license_name: str | None = None
    approval: bool = False
    dry_run: bool = False


def promote(line: str, rules: GateRules, model: Input, given: Given, store: ObjectStore, orders: Orders) -> Decision:
    """Decide whether a model becomes the champion of its line and, where it does, make it so.

    What stands in the way of a comparison is a decision too: not passed, with its reason.

    Args:
        line: The line's name.
        rules: The primary figure, its margin and the guardrails.
        model: The candidate.
        given: The evaluations and data that belong to it.
        store: The store with the registry and the artifacts.
        orders: How it is kept where it passes.

    Returns:
        The decision, with the reasons and each figure that was checked.

    Raises:
        UsageError: What is given does not belong together, like an evaluation of another model.
        DataError: An evaluation cannot be read.
        StoreError: The store does not answer, or an artifact is damaged.
    """
    registry = Registry(store, line)
    own = _read(line, given.evaluation)
    _check_is_of(own, model)
    standing = registry.standing()
    known = registry.find(model.content)
    if known and standing.champion and standing.champion.version == known.version:
        if not model.uri.startswith(f"{store.uri}/"):
            # whoever has a copy at hand may have it because the registry's is gone
            registry.check_whole(known)
        return _without_checks(line, own, f"version {known.version} is the champion already", passed=True)
    lineage = trace(store, model.uri, {find_line(line).source})
    try:
        _check_not_rolled_back(line, known, standing)
        training = training_files(line, lineage, given.training_data)
        articles = test_articles(store, own.scored.test_set, given.test_data)
        check_leaks(articles, training)
        _check_answered(line, own)
        champion = _champion(line, registry, standing, own, given, dry_run=orders.dry_run)
        other = champion or _first_to_beat(line, own, given)
        check_passable(rules, other.scored)
        ever, missing = _ever(line, registry, standing, own)
        before, looks = _look(registry, standing, rules, model, own, other.scored)
        notes = tuple(_not_held_against(each, own.scored.test_set) for each in missing)
        question = Question(rules, own, other, tuple(ever), tuple(before), looks, given.accept_equivalent, notes)
        decision = judge(line, question)
        if not decision.passed or orders.dry_run:
            return decision
        answers = list(read_answers(given.evaluation))
        canary = choose_canary(answers, own.scored.test_set, articles)
        # only the Extract Agent keeps answers
        calibration = calibration_of(Evaluation.parse(own.text, given.evaluation), answers) if answers else None
        passed = Passed(model, question, decision, standing, lineage, training, canary, calibration)
        record = keep_model(
            registry, passed, actor=orders.actor, license_name=orders.license_name, approval=orders.approval
        )
    except GateError as error:
        return _without_checks(line, own, str(error), passed=False)
    return _with_order(decision, record) if orders.approval else decision


def _with_order(decision: Decision, record: ModelRecord) -> Decision:
    """Say in the decision who must run what."""
    line, version = record.line, record.version
    order = f"version {version} waits for a person: ctiforge approve {line} {version} --why …"
    return decision.model_copy(update={"reasons": (*decision.reasons, order)})


def _read(line: str, uri: str) -> Weighed:
    return Weighed.read(line, read_text(uri), uri)


def read_text(uri: str) -> str:
    """Read the evaluation of a file, or of a folder or artifact that holds one.

    Args:
        uri: The file, folder or artifact.

    Returns:
        The content of its `evaluation.json`.

    Raises:
        DataError: There is none.
    """
    with TemporaryDirectory() as folder:
        return evaluation_file(fetch(uri, Path(folder)), uri).read_text(encoding="utf-8", errors="replace")


def _check_is_of(own: Weighed, model: Input) -> None:
    if own.scored.model.version != model.content[:SHORT]:
        raise UsageError(
            f"--evaluation is of {own.scored.who}, --model {model.uri} is {model.content[:SHORT]}: "
            "evaluate the model that is to be promoted"
        )


def _check_answered(line: str, own: Weighed) -> None:
    """Let nothing pass on an evaluation of which too much failed, whoever made it."""
    if line != "extract":
        return
    articles = Evaluation.parse(own.text, own.scored.who).articles
    asked = sum(max(each.answers.windows, 1) for each in articles)
    failed = sum(max(each.answers.windows, 1) if each.error else each.answers.failed for each in articles)
    if failed > MOST_FAILED * asked:
        raise GateError(
            f"{failed} of the {asked} windows of its evaluation have no answer, more than {MOST_FAILED:.0%}: "
            "evaluate it again"
        )


def _check_not_rolled_back(line: str, known: ModelRecord | None, standing: Standing) -> None:
    """Let a person's rollback stand until a person takes it back, whatever a nightly run finds."""
    move = standing.champion.rolled_back(known.version) if known and standing.champion else None
    if known and move:
        raise GateError(
            f"version {known.version} was rolled back on {move.at:%Y-%m-%d} ({move.why}); if it is to be used after "
            f"all: ctiforge rollback {line} --to {known.version} --why …"
        )


def _champion(
    line: str, registry: Registry, standing: Standing, own: Weighed, given: Given, *, dry_run: bool
) -> Weighed | None:
    """Find the champion's evaluation on the candidate's test set: the registry's, else one that was given."""
    if standing.champion is None:
        if given.champion_evaluation:
            raise UsageError(f"--champion-evaluation: {line} has no champion; --against names what is to be beaten")
        return None
    record = registry.get(standing.champion.version)
    test_set = own.scored.test_set
    kept = registry.evaluation(record.version, test_set.content_hash, schema_of(line))
    added = None if kept else _given_of(line, record, given)
    if kept is None and added is None:
        older = registry.schemas_evaluated(record.version, test_set.content_hash)
        was = "was evaluated by an older ctiforge, which scored otherwise," if older else "was never evaluated"
        raise GateError(
            f"version {record.version}, the champion, {was} on {test_set.name}@{test_set.version}: "
            f"evaluate models:{line}@{record.version} on it and give that with --champion-evaluation"
        )
    text = kept or (added.text if added else "")
    champion = _version(line, record, text)
    check_same_test_set(own.scored, champion.scored, f"evaluate models:{line}@{record.version} on that one")
    if added and not dry_run:
        registry.add_evaluation(record.version, test_set.content_hash, schema_of(line), added.text.encode())
    return champion


def _given_of(line: str, record: ModelRecord, given: Given) -> Weighed | None:
    """Find the evaluation of this version among those given; None where there is none."""
    if given.champion_evaluation:
        named = _read(line, given.champion_evaluation)
        if named.scored.model.version != record.content[:SHORT]:
            raise UsageError(
                f"--champion-evaluation is of {named.scored.who}, the champion is {record.name} "
                f"({record.content[:SHORT]}): evaluate models:{line}@{record.version}"
            )
        return named
    found = (_read(line, uri) for uri in given.against)
    return next((each for each in found if each.scored.model.version == record.content[:SHORT]), None)


def _first_to_beat(line: str, own: Weighed, given: Given) -> Weighed:
    """Find what a line's first version is held against."""
    if not given.against:
        raise GateError(
            f"{line} has no champion yet: name what its first version must beat with --against, the evaluation of "
            "the model in use or of a floor"
        )
    other = _read(line, given.against[0])
    if other.scored.model == own.scored.model:
        if line == "extract":
            raise UsageError(f"--against {given.against[0]} is of the model itself: give another one's")
        return Weighed.read(line, other.text, given.against[0], is_floor=True)
    check_same_test_set(own.scored, other.scored, "evaluate both on one")
    return other


def _ever(line: str, registry: Registry, standing: Standing, own: Weighed) -> tuple[list[Weighed], list[ModelRecord]]:
    """Find the other versions once in use: their evaluations on the same articles, and those without one.

    What a person rolled back is no bar.
    """
    champion = standing.champion
    if champion is None:
        return [], []
    numbers = (each for each in champion.ever() if each != champion.version and not champion.rolled_back(each))
    versions = (registry.get(number) for number in numbers)
    found, missing = [], []
    for record in versions:
        text = registry.evaluation(record.version, own.scored.test_set.content_hash, schema_of(line))
        version = _version(line, record, text) if text else None
        if version and version.scored.articles == own.scored.articles:
            found.append(version)
        elif record.content[:SHORT] != own.scored.model.version:
            missing.append(record)
    return found, missing


def _not_held_against(record: ModelRecord, test_set: TestSetInfo) -> str:
    return (
        f"not held against version {record.version}, {record.name}, in use before: "
        f"it was never evaluated on these articles of {test_set.name}@{test_set.version}"
    )


def _version(line: str, record: ModelRecord, text: str) -> Weighed:
    source, who = f"the evaluation of version {record.version}", f"version {record.version}, {record.name}"
    return Weighed.read(line, text, source, who=who)


def _look(
    registry: Registry, standing: Standing, rules: GateRules, model: Input, own: Weighed, other: Scored
) -> tuple[list[tuple[float, ...]], float]:
    """Note that the candidate is looked at; give the figures of those before it, and the number of looks.

    Raises GateError where a year's looks are spent.
    """
    scored = own.scored
    articles = [article[0] for article in scored.articles]
    kept = Looks(registry.store, registry.line)
    used = kept.count(scored.test_set.content_hash, articles)
    if used >= YEAR and not kept.was_looked_at(model.content, scored.test_set.content_hash):
        raise GateError(
            f"{used:.0f} candidates were looked at on {scored.test_set.name}@{scored.test_set.version}: with more of "
            "them one that is no better would pass by chance; add newly labeled articles to the test set"
        )
    ours, theirs = (f"{each.name} {each.version}" for each in (scored.model, other.model))
    figures = primary_figures(rules, scored)
    look = GateLook(candidate=ours, against=theirs, at=datetime.now(UTC), scoring=scored.scoring, figures=figures)
    champion = standing.champion
    back = [each for each in champion.ever() if champion.rolled_back(each)] if champion else []
    # what a person took out of use speaks for no other
    rolled_back = {registry.get(each).content for each in back}
    before = kept.before(look, model.content, scored.test_set.content_hash, rolled_back)
    count = kept.note(look, model.content, scored.test_set, articles)
    return [each.figures for each in before if len(each.figures) == len(figures)], count


def _without_checks(line: str, own: Weighed, reason: str, *, passed: bool) -> Decision:
    scored = own.scored
    return Decision(
        level=LEVEL,
        looks=0,
        line=line,
        candidate=scored.model,
        against=None,
        test_set=scored.test_set,
        passed=passed,
        reasons=(reason,),
    )
