"""A model that passed the gate is kept: whenever it is killed on the way, the champion can be loaded."""

import gzip
import json
import math
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ctiforge.errors import DataError, StoreError
from ctiforge.evaluation.gate.rules import rules_of
from ctiforge.evaluation.scoring.articles import score_article
from ctiforge.promotion.answers import read_answers
from ctiforge.promotion.calibration import calibration_of, read_calibration
from ctiforge.promotion.canary import WINDOWS, choose_canary, keep_canary, read_canary
from ctiforge.promotion.grounds import Question, Weighed, derive, differences, judge, read_grounds
from ctiforge.promotion.keeping import Passed, keep_model
from ctiforge.records.answer import ItemProbability, KeptAnswer
from ctiforge.records.article import ArticleRecord
from ctiforge.records.evaluation import Answers, Evaluation, TestSetInfo
from ctiforge.records.registry import ModelRecord
from ctiforge.store.artifacts import Input, fetch, find_input
from ctiforge.store.lineage import Lineage
from ctiforge.store.models import OvertakenError, Registry
from ctiforge.store.named_models import find_model_uri
from ctiforge.store.objects import ObjectStore, open_store
from ctiforge.store.owned import find_fault, is_kept
from ctiforge.store.waiting import approve, waiting_of
from tests.making import candidate
from tests.unit.evaluation.cases import case, evaluation, item

ARTICLES = 30
OPERATIONS = ("read_with_tag", "list", "write", "write_new", "replace", "upload", "hash", "delete", "exists", "info")


class KilledError(Exception):
    """The process ends here."""


class Dying(ObjectStore):
    """A store whose process is killed after so many operations."""

    def __init__(self, store: ObjectStore, after: int) -> None:
        super().__init__(store.uri, store._backend, folder=store.folder)
        self._left = after

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        if name not in OPERATIONS:
            return found

        def counted(*arguments: Any) -> Any:
            if self._left == 0:
                raise KilledError
            self._left -= 1
            return found(*arguments)

        return counted


def weighed(share: float, name: str) -> Weighed:
    found = np.random.default_rng(7).binomial(4, share, size=ARTICLES).tolist()
    scores = []
    for number, hits in enumerate(found):
        wanted = [item("cmdline", f"run-{number} /arg{index} x") for index in range(4)]
        answers = Answers(windows=5, json_parsed=5, schema_valid=5)
        text = "\n".join(each.value for each in wanted)
        scores.append(score_article(case(f"a{number}", wanted, wanted[:hits], text=text, answers=answers)))
    return Weighed.read("extract", evaluation(scores, name, "abc").to_json(), name)


@pytest.fixture(scope="module")
def question() -> Question:
    return Question(rules_of("extract", {}), weighed(0.9, "new"), weighed(0.3, "old"), (), (), 1, False)


def laptop_model(folder: Path, weights: str) -> Input:
    folder.mkdir(exist_ok=True)
    (folder / "model.safetensors").write_text(weights)
    (folder / "README.md").write_text("---\nlicense: apache-2.0\n---\nlicense: mine\n")
    return find_input(str(folder))


def keep(store: ObjectStore, model: Input, question: Question, **how: Any) -> ModelRecord:
    registry = Registry(store, "extract")
    decision = judge("extract", question)
    passed = Passed(model, question, decision, registry.standing(), Lineage((), ()), (), None)
    return keep_model(registry, passed, actor="ann", **how)


def champion_weights(uri: str, into: Path) -> str:
    """Load the champion as a program does, every hash verified."""
    folder = fetch(find_model_uri("models:extract@champion", uri), into)
    return (folder / "model.safetensors").read_text()


def test_what_lies_on_a_laptop_is_copied_and_outlives_the_next_training(
    store_uri: str, tmp_path: Path, question: Question
) -> None:
    mine, store = tmp_path / "mine", open_store(store_uri)
    first = keep(store, laptop_model(mine, "week 1"), question)
    second = keep(store, laptop_model(mine, "week 2"), question)
    shutil.rmtree(mine)

    assert (first.version, second.version) == (1, 2)
    assert (first.place, first.license, first.actor) == (f"models/extract/owned/{first.content}", "apache-2.0", "ann")
    assert champion_weights(store_uri, tmp_path / "two") == "week 2"
    champion = Registry(store, "extract").roll_back(None, "slow", "bob")
    assert champion.history[-1].actor == "bob"
    assert champion_weights(store_uri, tmp_path / "one") == "week 1"


def test_an_artifact_of_the_store_stays_where_it_is(tmp_path: Path, question: Question) -> None:
    store = open_store(str(tmp_path / "store"))
    made = artifact(store, "weights")
    record = keep(store, find_input(made), question)
    assert f"{store.uri}/{record.place}" == made == record.artifact
    assert not store.list("models/extract/owned")

    # its files are what the manifest says no longer
    (weights,) = (tmp_path / "store/artifacts").rglob("model.safetensors")
    weights.write_text("other")
    fault = find_fault(store, record)
    assert fault is not None
    assert "model.safetensors is damaged" in fault


def artifact(store: ObjectStore, weights: str) -> str:
    from ctiforge.store.stages import Stage, StageDirs, StageFlags, run_stage

    def work(dirs: StageDirs) -> dict[str, Any]:
        (dirs.out / "model.safetensors").write_text(weights)
        return {}

    flags = StageFlags(store.uri)
    made = run_stage(Stage("train_extract", 1), params={"w": weights}, inputs={}, output=None, flags=flags, work=work)
    assert made.uri
    return made.uri


@pytest.fixture(autouse=True)
def _scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CTIFORGE_SCRATCH", str(tmp_path / "scratch"))


def test_where_a_copy_comes_from_stays_with_it(tmp_path: Path, question: Question) -> None:
    made = find_input(artifact(open_store(str(tmp_path / "other")), "weights"))
    store = open_store(str(tmp_path / "store"))
    record = keep(store, made, question)
    kept = find_input(f"{store.uri}/{record.place}")
    assert kept.manifest
    assert made.manifest
    assert (kept.content, kept.manifest.fingerprint) == (record.content, made.manifest.fingerprint)
    assert champion_weights(store.uri, tmp_path) == "weights"


def test_a_model_that_is_one_file_is_kept_as_one(tmp_path: Path, question: Question) -> None:
    store = open_store(str(tmp_path / "store"))
    (tmp_path / "model.gguf").write_text("weights")
    record = keep(store, find_input(str(tmp_path / "model.gguf")), question)
    assert fetch(find_model_uri("models:extract@champion", store.uri), tmp_path).read_text() == "weights"
    assert find_fault(store, record) is None


def test_what_is_damaged_where_it_lies_is_not_kept(tmp_path: Path, question: Question) -> None:
    made = find_input(artifact(open_store(str(tmp_path / "other")), "weights"))
    (weights,) = (tmp_path / "other/artifacts").rglob("model.safetensors")
    weights.write_text("other")
    store = open_store(str(tmp_path / "store"))
    with pytest.raises(StoreError, match=r"model\.safetensors is damaged"):
        keep(store, made, question)
    assert Registry(store, "extract").versions() == []


def test_what_a_registry_of_before_only_named_is_proven_by_its_content(tmp_path: Path, question: Question) -> None:
    store, mine = open_store(str(tmp_path / "store")), tmp_path / "mine"
    registry = Registry(store, "extract")
    content = laptop_model(mine, "week 1").content
    old = registry.register(candidate("a", artifact=str(mine)).model_copy(update={"content": content}))
    registry.promote(old.version, registry.standing(), "first")
    keep(store, laptop_model(tmp_path / "two", "week 2"), question)
    assert (is_kept(store, old), is_kept(store, registry.get(2))) == (False, True)

    laptop_model(mine, "week 3")
    with pytest.raises(DataError, match="holds other files than were registered"):
        registry.roll_back(1, "slow")
    laptop_model(mine, "week 1")
    assert registry.roll_back(1, "slow").version == 1
    # promoted again it gets a number under which it is kept
    registry.roll_back(2, "back")
    assert keep(store, laptop_model(mine, "week 1"), question).version == 3


def each_kill(folder: Path, before: Path, work: Callable[[ObjectStore], object]) -> int:
    """Do the work on copies of a store, killed after 0, 1, 2, … operations, and again; count the operations."""
    for after in range(1000):
        place = folder / f"killed-{after}"
        shutil.copytree(before, place)
        killed = True
        try:
            work(Dying(open_store(str(place)), after))
            killed = False
        except KilledError:
            pass
        assert champion_weights(str(place), folder) in ("week 1", "week 2"), after
        store = open_store(str(place))
        registry = Registry(store, "extract")
        champion = registry.standing().champion
        assert champion is not None
        assert find_fault(store, registry.get(champion.version)) is None, after
        if not killed:
            return after
        if len(champion.history) == MOVES:
            work(store)
        assert registry.standing().champion != champion or len(champion.history) > MOVES
        shutil.rmtree(place)
    raise AssertionError


MOVES = 1
"""How often the champion has changed before what is killed."""


def test_a_promotion_that_is_killed_anywhere_leaves_a_champion_that_loads(tmp_path: Path, question: Question) -> None:
    before = tmp_path / "before"
    keep(open_store(str(before)), laptop_model(tmp_path / "one", "week 1"), question)
    model = laptop_model(tmp_path / "two", "week 2")
    done = each_kill(tmp_path, before, lambda store: keep(store, model, question))
    assert done > 15
    assert champion_weights(str(tmp_path / f"killed-{done}"), tmp_path) == "week 2"


def test_a_rollback_that_is_killed_anywhere_leaves_a_champion_that_loads(
    tmp_path: Path, question: Question, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = tmp_path / "before"
    for week in ("week 1", "week 2"):
        keep(open_store(str(before)), laptop_model(tmp_path / "one", week), question)
    monkeypatch.setattr(f"{__name__}.MOVES", 2)
    done = each_kill(tmp_path, before, lambda store: Registry(store, "extract").roll_back(None, "slow", "ann"))
    assert champion_weights(str(tmp_path / f"killed-{done}"), tmp_path) == "week 1"


def test_a_rollback_to_what_is_gone_changes_nothing(tmp_path: Path, question: Question) -> None:
    store = open_store(str(tmp_path / "store"))
    for week in ("week 1", "week 2"):
        keep(store, laptop_model(tmp_path / "one", week), question)
    registry = Registry(store, "extract")
    first = tmp_path / "store" / str(registry.get(1).place)
    (first / "model.safetensors").write_text("another")
    with pytest.raises(DataError, match=r"version 1 of extract, new, cannot be used: .* holds other files"):
        registry.roll_back(None, "slow")
    (first / "model.safetensors").unlink()
    with pytest.raises(DataError, match=r"model\.safetensors is missing"):
        registry.roll_back(None, "slow")
    shutil.rmtree(first)
    with pytest.raises(DataError, match="nothing is left of it"):
        registry.roll_back(None, "slow")
    champion = registry.standing().champion
    assert champion is not None
    assert champion.version == 2


def test_of_two_promotions_at_once_one_wins_and_the_other_is_told(tmp_path: Path, question: Question) -> None:
    store = open_store(str(tmp_path / "store"))
    standing = Registry(store, "extract").standing()

    def promote(week: str) -> str:
        model = laptop_model(tmp_path / week, week)
        decision = judge("extract", question)
        passed = Passed(model, question, decision, standing, Lineage((), ()), (), None)
        try:
            return f"version {keep_model(Registry(store, 'extract'), passed, actor=week).version}"
        except OvertakenError as error:
            return str(error)

    with ThreadPoolExecutor() as pool:
        said = list(pool.map(promote, ("week 1", "week 2")))
    champion = Registry(store, "extract").standing().champion
    assert champion is not None
    assert len(champion.history) == 1
    assert sorted(each.startswith("version") and "meanwhile" in each for each in said) == [False, True]
    assert [each.version for each in Registry(store, "extract").versions()] == [1, 2]
    assert champion_weights(store.uri, tmp_path) == champion.history[0].actor


def test_a_verdict_is_derived_again_from_what_is_kept(tmp_path: Path, question: Question) -> None:
    store = open_store(str(tmp_path / "store"))
    record = keep(store, laptop_model(tmp_path / "one", "week 1"), question)
    assert record.grounds
    grounds = read_grounds(store, "extract", record.grounds)
    derived = derive(store, "extract", grounds)
    assert grounds.decision == derived == record.decision
    assert differences(grounds.decision, derived) == []

    changed = derived.model_copy(
        update={"passed": False, "checks": (derived.checks[0].model_copy(update={"gain": 0.1}),)}
    )
    assert any(each.startswith("passed: True was kept, False comes out") for each in differences(derived, changed))
    (kept,) = (tmp_path / "store/models/extract/evaluations").glob(f"{grounds.standing.evaluation}*")
    kept.unlink()
    with pytest.raises(DataError, match=r"evaluations/.* is gone"):
        derive(store, "extract", grounds)


def test_what_waits_is_moved_by_a_person_while_the_champion_is_the_same(tmp_path: Path, question: Question) -> None:
    store = open_store(str(tmp_path / "store"))
    registry = Registry(store, "extract")
    record = keep(store, laptop_model(tmp_path / "one", "week 1"), question, approval=True)
    assert registry.standing().champion is None
    assert [each.version for each in waiting_of(registry)] == [1]
    champion = approve(registry, record.version, "looked at it", "bob")
    assert (champion.version, champion.history[-1].actor, waiting_of(registry)) == (1, "bob", [])
    assert champion.history[-1].grounds == record.grounds

    keep(store, laptop_model(tmp_path / "two", "week 2"), question, approval=True)
    keep(store, laptop_model(tmp_path / "three", "week 3"), question)
    with pytest.raises(OvertakenError, match="has changed since version 2 was decided on: promote it again"):
        approve(registry, 2, "late", "bob")
    # asked again, against the one in use now
    keep(store, laptop_model(tmp_path / "two", "week 2"), question, approval=True)
    assert approve(registry, 2, "in time", "bob").version == 2


def test_how_sure_it_was_is_kept_with_a_version(tmp_path: Path, question: Question) -> None:
    store, model = open_store(str(tmp_path / "store")), laptop_model(tmp_path / "one", "week 1")
    raw = '[{"type": "cmdline", "value": "run-3 /arg0 x"}]'
    sure = ItemProbability(start=1, end=len(raw) - 1, mean=-0.1, least=-0.2)
    answer = KeptAnswer(article_id="a3", start=0, end=9, types=("cmdline",), raw=raw, items=(sure,))
    scored = Evaluation.parse(question.candidate.text, "new")
    calibration = calibration_of(scored, [answer])
    assert calibration is not None
    assert calibration.pairs == ((pytest.approx(math.exp(-0.1)), True),)
    assert calibration_of(scored, [answer.model_copy(update={"items": None})]) is None
    registry, decision = Registry(store, "extract"), judge("extract", question)
    passed = Passed(model, question, decision, registry.standing(), Lineage((), ()), (), None, calibration)
    record = keep_model(registry, passed, actor="ann")
    assert read_calibration(store, "extract", record.content) == calibration
    assert read_calibration(store, "extract", "other") is None


def test_a_canary_is_the_shortest_windows_with_answers_of_their_own(tmp_path: Path) -> None:
    articles = [ArticleRecord(id=f"a{number}", content="0123456789" * 9, content_hash="") for number in range(9)]
    lines = [
        {"article_id": f"a{number}", "start": number, "end": 90 - number, "types": ["cmdline"], "raw": f"answer {n}"}
        for number in range(9)
        for n in (number // 8 * 7 + number % 8,)
    ]
    broken = {"article_id": "a0", "start": 0, "end": 1, "types": [], "raw": "", "error": "timeout"}
    with gzip.open(tmp_path / "answers.jsonl.gz", "wt") as file:
        file.writelines(json.dumps(line) + "\n" for line in [*lines, broken])
    info = TestSetInfo(name="set", version="1", content_hash="abc", articles=9)
    canary = choose_canary(read_answers(str(tmp_path)), info, articles)

    assert canary is not None
    assert [each.article_id for each in canary.windows] == ["a8", "a6", "a5", "a4", "a3"]
    assert len(canary.windows) == WINDOWS
    assert canary.windows[0].window == articles[8].content[8:82]
    assert choose_canary(read_answers(str(tmp_path / "elsewhere/evaluation.json")), info, articles) is None
    store = open_store(str(tmp_path / "store"))
    keep_canary(store, "extract", "content", canary)
    assert read_canary(store, "extract", "content") == canary
    assert read_canary(store, "extract", "other") is None
