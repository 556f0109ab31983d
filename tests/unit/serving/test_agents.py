"""A version answers the agents for whose types it was trained and evaluated."""

from pathlib import Path

from ctiforge.evaluation.scoring.articles import score_article
from ctiforge.records.evaluation import Evaluation
from ctiforge.records.model_note import AgentNote, AgentUsage, WindowSizes
from ctiforge.serving.agents import agents_of_version
from ctiforge.serving.profiles import load_profile
from ctiforge.store.models import Registry
from ctiforge.store.objects import open_store
from tests.making import candidate
from tests.unit.evaluation.cases import case, evaluation, item


def test_what_was_neither_trained_nor_evaluated_is_not_answered(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    usage = AgentUsage("messages", "short-v1", ("cmdline", "services"), WindowSizes(304, 128, 53))
    AgentNote(name="agent", base_model="demo", usage=usage).write(folder)
    registry = Registry(open_store(str(tmp_path / "store")), "extract")
    record = registry.register(candidate("a").model_copy(update={"artifact": str(folder)}))
    profile = load_profile("huntable")

    found = agents_of_version(registry, record, profile)
    assert [agent for agent, why in found.items() if why is None] == ["CmdlineExtract", "ServicesExtract"]
    assert found["RegistryExtract"] == "registry: it was not trained for it"

    score = score_article(case("a", [item("cmdline", "whoami /all")], [], ("cmdline", "registry")))
    scores = evaluation([score], "agent", record.test_set.content_hash).to_json().encode()
    registry.add_evaluation(record.version, record.test_set.content_hash, Evaluation.SCHEMA, scores)
    found = agents_of_version(registry, record, profile)
    assert [agent for agent, why in found.items() if why is None] == ["CmdlineExtract"]
    assert found["ServicesExtract"] == "services: its evaluation had no article labeled for it"
    assert found["RegistryExtract"] == "registry: it was not trained for it"
