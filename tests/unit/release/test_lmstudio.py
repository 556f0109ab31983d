"""Places, preset and the application's setting for LM Studio."""

import pytest

from ctiforge.errors import UsageError
from ctiforge.release.lmstudio import file_name, model_folder, preset, setting


def test_a_model_lies_below_its_publisher_and_is_set_by_both():
    assert model_folder("~/models/", "my-team", "agent-1") == "~/models/my-team/agent-1"
    assert setting("my-team", "agent-1") == "LMSTUDIO_MODEL_EXTRACT=my-team/agent-1"
    assert str(file_name("agent-1", "q4_k_m")) == "agent-1-Q4_K_M.gguf"


@pytest.mark.parametrize("publisher", ["", "..", "a/b", "-x", "a b"])
def test_a_publisher_that_is_no_folder_is_refused(publisher):
    with pytest.raises(UsageError, match="letters, digits"):
        model_folder("models", publisher, "agent")


def test_the_preset_samples_nothing_and_holds_answers_to_the_schema():
    made = preset("Agent-1", "Find them.", {"type": "object"}, 304)
    fields = {field["key"]: field["value"] for field in made["operation"]["fields"]}
    assert fields["llm.prediction.systemPrompt"] == "Find them."
    assert fields["llm.prediction.temperature"] == 0
    assert fields["llm.prediction.structured"] == {"type": "json", "jsonSchema": {"type": "object"}}
    assert made["load"]["fields"] == [{"key": "llm.load.contextLength", "value": 304}]
    assert made["identifier"] == "@local:agent-1"
