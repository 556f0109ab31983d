"""A version that an OpenAI-compatible engine serves: asked window by window, known by its id."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from ctiforge.errors import UsageError
from ctiforge.promotion.calibration import keep_calibration
from ctiforge.records.calibration import KeptCalibration
from ctiforge.records.evaluation import TestSetInfo
from ctiforge.serving.loading import LoadedModel, LoadOptions, load_version
from ctiforge.store.artifacts import find_input
from ctiforge.store.models import Registry
from ctiforge.store.objects import open_store
from ctiforge.training.encoding import DEMO_MODEL, on_this_machine
from tests.integration.endpoint import Asked, Endpoint, Reply, completion, error, text_completion
from tests.making import candidate
from tests.serving import asks, serving

ANSWER = '{"observables": [{"type": "cmdline", "value": "whoami /all"}]}'


def answers(asked: Asked) -> Reply:
    return text_completion(ANSWER) if "prompt" in asked.body else completion(ANSWER)


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    folder = tmp_path / "model"
    with on_this_machine(DEMO_MODEL) as demo:
        shutil.copytree(demo, folder)
    registry = Registry(open_store(str(tmp_path / "store")), "extract")
    content = find_input(str(folder)).content
    registry.register(candidate("a").model_copy(update={"name": "agent", "content": content, "artifact": str(folder)}))
    return registry


def load(registry: Registry, engine: Endpoint) -> LoadedModel:
    return load_version(registry, registry.get(1), LoadOptions(engine=engine.url))


def test_it_is_asked_as_the_model_was_trained_to_be(serve: Callable[..., Endpoint], registry: Registry) -> None:
    engine = serve(answers)
    engine.models = ["other", "ctiforge/agent@1"]
    with serving(load(registry, engine)) as server:
        assert server.answer("CmdlineExtract")["count"] == 1
        assert [each.body["model"] for each in engine.asked] == ["ctiforge/agent@1"]
        # what the engine unloads is not answered for
        engine.models = ["other"]
        server.rollout.step()
        why = server.ready()["why"]
        assert why == f"{engine.url} serves other: load the model there as ctiforge/agent@1"
        engine.models = ["ctiforge/agent@1"]
        server.rollout.step()
        assert server.ready()["ready"]


def test_another_models_engine_is_not_asked(serve: Callable[..., Endpoint], registry: Registry) -> None:
    engine = serve(answers)
    engine.models = ["ctiforge/agent@2"]
    with pytest.raises(UsageError, match=r"serves ctiforge/agent@2: load the model there as ctiforge/agent@1"):
        load(registry, engine)


def test_an_engine_that_fails_is_no_article_without_observables(
    serve: Callable[..., Endpoint], registry: Registry
) -> None:
    engine = serve(lambda _: error(400, "the context is too small"))
    engine.models = ["agent-q8_0"]
    with serving(load(registry, engine)) as server:
        found = server.ask(asks("CmdlineExtract"))
        assert (found.status_code, found.json()["error"]["code"]) == (502, "windows_failed")
        assert "the context is too small" in found.json()["error"]["message"]
        engine.respond = answers
        assert server.answer("CmdlineExtract")["count"] == 1
        engine.respond = lambda _: error(401, "no key")
        found = server.ask(asks("CmdlineExtract", "another"))
        assert (found.status_code, found.json()["error"]["code"]) == (502, "model_failed")
        assert server.client.get("/healthz").status_code == 200
        assert "the key is refused" in server.ready()["why"]
        server.rollout.step()
        assert server.ready()["ready"]


def test_confidence_is_calibrated_by_what_the_promotion_kept(
    serve: Callable[..., Endpoint], registry: Registry
) -> None:
    engine = serve(answers)
    engine.models = ["ctiforge/agent@1"]
    assert load(registry, engine).model.calibration is None
    info = TestSetInfo(name="set", version="1", content_hash="abc", articles=9)
    kept = KeptCalibration(test_set=info, pairs=((0.9, True),) * 150 + ((0.9, False),) * 50)
    keep_calibration(registry.store, "extract", registry.get(1).content, kept)
    calibration = load(registry, engine).model.calibration
    assert calibration is not None
    assert calibration.share(0.9) == pytest.approx(0.75)
