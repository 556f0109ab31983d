"""A real registry in a real store: a champion is promoted, and rolled back, while a client asks all the time."""

import json
import threading
from pathlib import Path
from queue import SimpleQueue

import pytest

from ctiforge.evaluation.scoring.articles import score_article
from ctiforge.extract.answering.agent import ExtractAgent
from ctiforge.extract.answering.windowed import plain_usage
from ctiforge.promotion.canary import keep_canary
from ctiforge.records.canary import Canary, CanaryWindow
from ctiforge.records.evaluation import Evaluation, TestSetInfo
from ctiforge.records.registry import ModelRecord
from ctiforge.serving.agents import agents_of_version
from ctiforge.serving.lease import TurnLease
from ctiforge.serving.loading import LoadedModel, LoadOptions, load_version, weights_of
from ctiforge.serving.metrics import Metrics
from ctiforge.serving.profiles import load_profile
from ctiforge.serving.rollout import Rollout
from ctiforge.store.models import Registry
from ctiforge.store.objects import open_store
from ctiforge.training.encoding import DEMO_MODEL
from tests.serving import ARTICLE, asks, hands, register, serving
from tests.unit.evaluation.cases import case, evaluation, item

# those that the demo is asked for as it is trained: of fewer it writes on and on
TYPES = plain_usage().types


def keep_answer(registry: Registry, record: ModelRecord, answer: str) -> None:
    info = TestSetInfo(name="set", version="1", content_hash="abc", articles=1)
    window = CanaryWindow(article_id="a", start=0, end=9, window=ARTICLE, types=TYPES, answer=answer)
    keep_canary(registry.store, "extract", record.content, Canary(test_set=info, windows=(window,)))


@pytest.fixture
def registry(store_uri: str) -> Registry:
    return Registry(open_store(store_uri), "extract")


def follower(registry: Registry, metrics: Metrics) -> Rollout:
    def load(record: ModelRecord) -> LoadedModel:
        return load_version(registry, record, LoadOptions(device="cpu"))

    working = hands(metrics, load, weights=lambda record: weights_of(registry, record), free=lambda: 10**12)
    return Rollout(working, metrics, registry, TurnLease(registry.store, "extract", "one"))


@pytest.mark.parametrize("store_uri", ["folder", pytest.param("s3", marks=pytest.mark.slow)], indirect=True)
def test_versions_change_under_a_client_that_asks_all_the_time(registry: Registry, tmp_path: Path) -> None:
    one, two, broken = (register(registry, tmp_path / each, each) for each in ("one", "two", "three"))
    answer = ExtractAgent.load(DEMO_MODEL, device="cpu").extract(ARTICLE).windows[0].raw
    keep_answer(registry, two, answer)
    keep_answer(registry, broken, '{"observables": [{"type": "cmdline", "value": "net user"}]}')
    score = score_article(case("a", [item("cmdline", "whoami /all")], [], ("cmdline",)))
    scores = evaluation([score], "agent", two.test_set.content_hash)
    registry.add_evaluation(two.version, two.test_set.content_hash, Evaluation.SCHEMA, scores.to_json().encode())
    assert 0 < weights_of(registry, one) < sum(each.size for each in one.files.values())
    metrics = Metrics()
    rollout = follower(registry, metrics)
    with serving(None, rollout=rollout, metrics=metrics) as server:
        registry.promote(one.version, registry.standing(), "first")
        rollout.step()
        assert server.ready()["model"] == "ctiforge/agent@1"
        answers: list[tuple[int, str]] = []
        came: SimpleQueue[str] = SimpleQueue()
        assert agents_of_version(registry, one, load_profile("huntable")) == {}
        over = threading.Event()

        def ask_on() -> None:
            while not over.is_set():
                found = server.ask(asks("CmdlineExtract"))
                answers.append((found.status_code, found.json().get("model", found.text)))
                came.put(answers[-1][1])

        def ask_until(model: str) -> None:
            while came.get(timeout=60) != model:
                pass

        asking = threading.Thread(target=ask_on)
        asking.start()
        try:
            ask_until("ctiforge/agent@1")
            registry.promote(two.version, registry.standing(), "better")
            rollout.step()
            ask_until("ctiforge/agent@2")
            ready = server.ready()
            assert ready["canary"] == "1 windows answered as in the evaluation"
            assert ready["agents"]["CmdlineExtract"]["answered"]
            assert ready["agents"]["RegistryExtract"] == {
                "answered": False,
                "why": "registry: its evaluation had no article labeled for it",
            }
            registry.promote(broken.version, registry.standing(), "by mistake")
            rollout.step()
            ready = server.ready()
            assert (ready["ready"], ready["model"], ready["champion"]) == (True, "ctiforge/agent@2", 3)
            assert "it answers 0% of its canary's items" in ready["rollout"]
            assert server.figure("ctiforge_serve_champion_version") == 2
            assert server.figure("ctiforge_serve_champion_wanted") == 3
            registry.roll_back(1, "worse")
            rollout.step()
            ask_until("ctiforge/agent@1")
        finally:
            over.set()
            asking.join()
        # none is lost, and each is one version's
        assert {status for status, _ in answers} == {200}
        order = list(dict.fromkeys(model for _, model in answers))
        assert order == ["ctiforge/agent@1", "ctiforge/agent@2"]
        assert json.loads(server.client.get("/readyz").text)["rollout"] is None


def test_servers_of_one_store_take_turns(registry: Registry) -> None:
    one, other = (TurnLease(registry.store, "extract", name) for name in ("one", "other"))
    assert [one.take(), other.take(), one.take()] == [True, False, True]
    one.give_back()
    assert [other.take(), one.take()] == [True, False]
