"""Places, preset and the application's setting for LM Studio."""

import pytest

from ctiforge.errors import UsageError
from ctiforge.release.lmstudio import (
    check_names,
    evaluation_line,
    file_name,
    load_line,
    place,
    preset,
    remove_stale,
    serve_line,
)


def test_every_file_lies_alone_in_the_folder_that_names_it(tmp_path):
    models = tmp_path / "models"
    for file_type, data in (("q8_0", b"old"), ("q4_k_m", b"other"), ("q8_0", b"new")):
        file = tmp_path / file_name("agent-1", file_type)
        file.unlink(missing_ok=True)
        file.write_bytes(data)
        key = place(file, models, "my-team", "agent-1", file_type)
    (models / key / "agent-0-Q8_0.gguf").write_bytes(b"stale")
    assert place(file, models, "my-team", "agent-1", "q8_0") == "my-team/agent-1-q8_0"
    assert {path.relative_to(models).as_posix(): path.read_bytes() for path in models.rglob("*.*")} == {
        "my-team/agent-1-q8_0/agent-1-Q8_0.gguf": b"new",
        "my-team/agent-1-q4_k_m/agent-1-Q4_K_M.gguf": b"other",
    }


def test_what_an_earlier_export_left_is_removed(tmp_path):
    for name in ("a-F16.gguf", "a-Q8_0.gguf", "a-F16.Modelfile", "evaluation-f16.json", "export.json"):
        (tmp_path / name).write_text("")
    remove_stale(tmp_path, {"a-Q8_0.gguf"})
    assert {path.name for path in tmp_path.iterdir()} == {"a-Q8_0.gguf", "export.json"}


def test_a_model_is_loaded_served_and_evaluated():
    assert load_line("my-team/agent-1-q8_0", 304) == (
        "lms load my-team/agent-1-q8_0 --context-length 304 --identifier agent-1-q8_0"
    )
    assert serve_line("models:extract@3").startswith("ctiforge serve models:extract@3 --upstream-engine http://")
    line = evaluation_line("agent-1-q8_0", "models:extract@champion", None)
    assert "--model agent-1-q8_0 --asked-as models:extract@champion --test-data testset:NAME" in line


@pytest.mark.parametrize("publisher", ["", "..", "a/b", "-x", "a b"])
def test_a_publisher_that_is_no_folder_is_refused(publisher):
    with pytest.raises(UsageError, match="letters, digits"):
        check_names(publisher, "agent")


def test_the_preset_samples_nothing_and_holds_answers_to_the_schema():
    made = preset("Agent-1", "Find them.", {"type": "object"})
    fields = {field["key"]: field["value"] for field in made["operation"]["fields"]}
    assert fields["llm.prediction.systemPrompt"] == "Find them."
    assert fields["llm.prediction.temperature"] == 0
    assert fields["llm.prediction.structured"] == {"type": "json", "jsonSchema": {"type": "object"}}
    assert made["load"]["fields"] == []
    assert made["identifier"] == "@local:agent-1"
