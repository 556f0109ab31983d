"""Real training of the demo's base model: what comes out, and what is refused."""

import json
import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from huggingface_hub import constants
from safetensors.torch import load_file

from ctiforge.demo.articles import DemoSizes, make_corpus
from ctiforge.errors import DataError, InterruptedRunError, UsageError
from ctiforge.extract.answering.agent import ExtractAgent
from ctiforge.extract.dataset.format import FormatOptions, prepare, write_prepared
from ctiforge.extract.export import base_of
from ctiforge.extract.train import AgentTraining, train_extract_agent
from ctiforge.records.model_note import AgentNote
from ctiforge.store.checkpoints import Checkpoints
from ctiforge.store.objects import open_store
from ctiforge.training.encoding import load_tokenizer, resolve_model
from ctiforge.training.models import load_causal_lm, name_base
from ctiforge.training.options import LoraOptions, TrainingOptions
from ctiforge.training.together import train_together
from tests.cached_hub import cache_model

COMMIT, OTHER = "a" * 40, "b" * 40
OPTIONS = TrainingOptions(
    batch_size=8,
    gradient_accumulation_steps=1,
    max_steps=12,
    learning_rate=2e-3,
    adam_beta2=0.95,
    eval_steps=4,
    save_steps=4,
)
REQUEST = AgentTraining("demo", "test-model", "messages", 304, "full", LoraOptions(), OPTIONS, device="cpu", force=True)


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("prepared")
    tokenizer = load_tokenizer("demo")
    corpus = make_corpus(1, DemoSizes(training=40, training_long=0, test_seen=2, test_unseen=0, test_long=0))
    options = FormatOptions("messages", "short-v1", 304, 128)
    write_prepared(
        prepare(corpus.training, corpus.test, options, tokenizer), options, tokenizer, "demo", ("messages",), folder
    )
    return folder


def train(request, data, folder):
    (folder / "out").mkdir(parents=True)
    (folder / "scratch").mkdir(exist_ok=True)
    checkpoints = Checkpoints(open_store(str(folder / "store")), "checkpoints/train_extract/test")
    return train_extract_agent(request, data, folder / "out", folder / "scratch", checkpoints)


@pytest.fixture(scope="module")
def trained(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    return folder / "out", train(REQUEST, data, folder)


def test_the_validation_loss_falls_and_is_kept_as_numbers_and_picture(trained):
    out, metadata = trained
    curve = [point["loss"] for point in metadata["validation_curve"]]
    assert len(curve) == 3
    assert curve[-1] < curve[0]
    assert metadata["best_validation_loss"] == pytest.approx(min(curve))
    told = [point["choice_auc"] for point in metadata["validation_curve"]]
    assert all(0 <= each <= 1 for each in told)
    assert '"eval_choice_auc"' in (out / "log.jsonl").read_text()
    assert json.loads((out / "training_metadata.json").read_text()) == metadata
    assert (out / "training_curve.png").read_bytes().startswith(b"\x89PNG")
    steps = [json.loads(line)["step"] for line in (out / "log.jsonl").read_text().splitlines()]
    assert steps[-1] == 12


@pytest.mark.slow
def test_sigterm_while_a_look_writes_answers_ends_it_and_costs_nothing(data, tmp_path, monkeypatch):
    request = replace(REQUEST, select_by="f1", training=replace(OPTIONS, max_steps=4))
    whole = train(request, data, tmp_path / "whole")
    own, written = ExtractAgent.heeding, []

    def watched(agent, heed):
        def note():
            written.append(1)
            if len(written) == 3:
                os.kill(os.getpid(), signal.SIGTERM)
            heed()

        return own(agent, note)

    with monkeypatch.context() as patched:
        patched.setattr(ExtractAgent, "heeding", watched)
        with pytest.raises(InterruptedRunError, match="at step 4 of 4; its state is saved"):
            train(request, data, tmp_path / "first")
    assert len(written) == 3
    (tmp_path / "again").mkdir()
    (tmp_path / "first" / "store").rename(tmp_path / "again" / "store")
    resumed = train(request, data, tmp_path / "again")
    assert resumed["resumed_from_step"] == 4
    assert resumed["validation_curve"] == whole["validation_curve"]
    models = [tmp_path / name / "out" / "model" / "model.safetensors" for name in ("whole", "again")]
    assert models[0].read_bytes() == models[1].read_bytes()


@pytest.mark.slow
def test_processes_that_share_the_weights_out_write_the_same_model(trained, data, tmp_path):
    alone, metadata = trained
    out, scratch = tmp_path / "out", tmp_path / "scratch"
    out.mkdir(), scratch.mkdir()
    checkpoints = Checkpoints(open_store(str(tmp_path / "store")), "checkpoints/train_extract/test")
    found = train_together(train_extract_agent, replace(REQUEST, fsdp=True), data, out, scratch, checkpoints, 2)
    assert (found["ranks"], found["options"]["fsdp"]) == (2, True)
    assert found["trainable_parameters"] == metadata["trainable_parameters"]
    assert found["item_threshold"]["quality"]["auc"] == pytest.approx(metadata["item_threshold"]["quality"]["auc"])
    files = {path.name for path in (alone / "model").iterdir()}
    assert {path.name for path in (out / "model").iterdir()} == files
    for name in files - {"model.safetensors"}:
        assert (out / "model" / name).read_bytes() == (alone / "model" / name).read_bytes()
    one, two = (load_file(each / "model" / "model.safetensors") for each in (alone, out))
    assert one.keys() == two.keys()
    assert all(torch.allclose(one[name], two[name], rtol=0, atol=1e-5) for name in one)
    assert {each.dtype for each in two.values()} == {torch.float32}


def test_deviations_from_the_guide_and_too_little_data_are_named(trained):
    _, metadata = trained
    assert metadata["deviations_from_guide"]["learning_rate"] == [2e-5, 2e-3]
    assert metadata["deviations_from_guide"]["method"] == ["qlora", "full"]
    assert "recommended" in metadata["warnings"][0]


def test_the_saved_model_says_how_to_ask_it_and_extracts(trained):
    out, _ = trained
    agent = ExtractAgent.load(str(out / "model"), device="cpu")
    assert (agent.usage.prompt_version, agent.usage.sizes.max_length) == ("short-v1", 304)
    extraction = agent.extract("The operators then ran `whoami /all` to stage the next payload. " * 20)
    assert len(extraction.windows) > 1
    assert all(window.end > window.start for window in extraction.windows)
    assert {path.suffix for path in (out / "model").iterdir()} <= {".json", ".jinja", ".safetensors"}


def test_an_adapter_names_the_commit_of_its_base_and_is_loaded_over_no_other(data, tmp_path, monkeypatch, capsys):
    demo, cache = Path(resolve_model("demo")), tmp_path / "hub"
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))
    snapshot = cache_model(cache, "team/base", COMMIT, demo)
    pinned = f"team/base@{COMMIT}"
    request = replace(REQUEST, model=pinned, method="qlora", training=replace(OPTIONS, max_steps=4))
    metadata = train(request, data, tmp_path)
    model = tmp_path / "out" / "model"
    note = AgentNote.load(model)
    config = json.loads((model / "adapter_config.json").read_text())
    assert metadata["method"] == "qlora"
    assert (metadata["base_model"], metadata["base_revision"]) == ("team/base", COMMIT)
    assert (note.base_model, note.base_revision) == ("team/base", COMMIT)
    assert (config["base_model_name_or_path"], config["revision"]) == ("team/base", COMMIT)
    assert base_of(note, model) == pinned

    # main moves on to something that is no model
    (tmp_path / "moved").mkdir()
    cache_model(cache, "team/base", OTHER, tmp_path / "moved")
    assert ExtractAgent.load(str(model), device="cpu").extract("Nothing here.").windows
    (model / "adapter_config.json").write_text(json.dumps(config | {"revision": OTHER}))
    with pytest.raises(DataError, match=f"trained from {pinned}, its adapter names team/base@{OTHER}"):
        base_of(note, model)
    with pytest.raises(UsageError, match=f"cannot load the model of 'team/base@{OTHER}'"):
        load_causal_lm(str(model), torch.device("cpu"), torch.float32)

    # an adapter of before says no commit: what main is now is loaded, and that is told
    (model / "adapter_config.json").write_text(json.dumps(config | {"revision": None}))
    (cache / "models--team--base" / "refs" / "main").write_text(snapshot.name)
    load_causal_lm(str(model), torch.device("cpu"), torch.float32)
    assert f"does not say which commit of its base it was trained on; loaded is {pinned}" in capsys.readouterr().err


def test_what_is_no_model_of_the_hub_has_no_commit(trained, tmp_path):
    out, metadata = trained
    assert metadata["base_model"] == "demo"
    assert "base_revision" not in json.loads((out / "training_metadata.json").read_text())
    assert "base_revision" not in json.loads((out / "model" / AgentNote.NAME).read_text())
    (tmp_path / "adapter_config.json").write_text("{}")
    name_base(tmp_path, "s3://bucket/base")
    named = {"base_model_name_or_path": "s3://bucket/base", "revision": None}
    assert json.loads((tmp_path / "adapter_config.json").read_text()) == named


@pytest.mark.parametrize(
    ("change", "message"),
    [({"max_length": 512}, "was cut for 304"), ({"text_format": "alpaca"}, "was prepared as messages")],
)
def test_data_of_another_shape_is_refused(data, tmp_path, change, message):
    with pytest.raises(UsageError, match=message):
        train(replace(REQUEST, **change), data, tmp_path)


def test_data_of_another_tokenizer_is_refused(data, tmp_path):
    description = json.loads((data / "format.json").read_text()) | {"tokenizer_hash": "other"}
    for name in ("train.jsonl", "validation.jsonl"):
        (tmp_path / name).write_text((data / name).read_text())
    (tmp_path / "format.json").write_text(json.dumps(description))
    with pytest.raises(UsageError, match="another model's tokenizer"):
        train(REQUEST, tmp_path, tmp_path)


def test_too_few_examples_are_refused_unless_forced(data, tmp_path):
    lines = (data / "train.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "train.jsonl").write_text("".join(lines[:20]))
    for name in ("validation.jsonl", "format.json"):
        (tmp_path / name).write_text((data / name).read_text())
    with pytest.raises(DataError, match="20 training examples: full fine-tuning needs 500"):
        train(replace(REQUEST, force=False), tmp_path, tmp_path)


def own_rows(data, path, text=None):
    """The examples of a preparation as a team would keep them: prompts and answers in a file, one of them too long."""
    rows = [json.loads(line) for part in ("train", "validation") for line in (data / f"{part}.jsonl").open()]
    pairs = [{"prompt": text or row["prompt"], "answer": row["answer"]} for row in rows]
    pairs.append(pairs[0] | {"answer": "x " * 400})
    path.write_text("".join(json.dumps(pair) + "\n" for pair in pairs) + "{\n")
    return path


def test_a_teams_own_rows_with_the_packages_prompt_make_a_model_that_can_be_asked(data, tmp_path):
    few = replace(REQUEST, training=replace(OPTIONS, max_steps=2))
    metadata = train(few, own_rows(data, tmp_path / "rows.jsonl"), tmp_path)
    rows = sum(len((data / f"{part}.jsonl").read_text().splitlines()) for part in ("train", "validation"))
    assert metadata["examples"] + metadata["validation_examples"] == rows
    assert 0.05 < metadata["validation_examples"] / rows < 0.2
    assert metadata["set_aside"] == {"longer than --max-length": 1, "no JSON": 1}
    assert "1 rows are not trained on: longer than --max-length" in metadata["warnings"]
    note = AgentNote.load(tmp_path / "out" / "model")
    assert (note.usage.prompt_version, note.usage.sizes.max_length) == ("short-v1", 304)
    assert note.own_rows in metadata["warnings"]
    assert ExtractAgent.load(str(tmp_path / "out" / "model"), device="cpu").extract("Nothing here.").windows


def test_a_model_of_rows_with_another_prompt_cannot_be_asked_and_says_so(data, tmp_path):
    few = replace(REQUEST, training=replace(OPTIONS, max_steps=1))
    metadata = train(few, own_rows(data, tmp_path / "rows.jsonl", "What is in the report?"), tmp_path)
    assert metadata["validation_examples"] == 0
    with pytest.raises(UsageError, match="a prompt that ctiforge does not know"):
        ExtractAgent.load(str(tmp_path / "out" / "model"), device="cpu")


def test_what_own_rows_and_prepared_ones_do_not_share_is_refused(data, tmp_path):
    rows, prompt = own_rows(data, tmp_path / "rows.jsonl"), tmp_path / "own.toml"
    prompt.write_text('user = "Find {types} in {text}"\n')
    with pytest.raises(UsageError, match="rows of your own are trained on as they are"):
        train(replace(REQUEST, text_format="alpaca"), rows, tmp_path / "a")
    with pytest.raises(UsageError, match="was prepared with the prompt short-v1"):
        train(replace(REQUEST, prompt=prompt), data, tmp_path / "b")
    with pytest.raises(UsageError, match=r"not every row of .*rows.jsonl was written with it"):
        train(replace(REQUEST, prompt=prompt), rows, tmp_path / "c")
    with pytest.raises(DataError, match=r"no row of .*rows.jsonl is an example: \d+ longer than --max-length"):
        train(replace(REQUEST, max_length=16), rows, tmp_path / "d")


def test_a_tracker_is_told_of_the_training_and_what_it_wrote_lies_with_the_model(data, tmp_path, monkeypatch):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    monkeypatch.delenv("TENSORBOARD_LOGGING_DIR", raising=False)
    options = replace(OPTIONS, max_steps=2, eval_steps=1, report_to="tensorboard")
    metadata = train(replace(REQUEST, training=options), data, tmp_path)
    told = EventAccumulator(str(tmp_path / "out" / "tensorboard")).Reload()
    losses = [event.value for event in told.Scalars("eval/loss")]
    assert losses == pytest.approx([point["loss"] for point in metadata["validation_curve"]])


@pytest.mark.slow
def test_mlflow_is_told_of_the_training(data, tmp_path, monkeypatch):
    mlflow = pytest.importorskip("mlflow")
    # the client alone is installed: a folder stands in for a server
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", (tmp_path / "server").as_uri())
    options = replace(OPTIONS, max_steps=2, eval_steps=1, report_to="mlflow")
    train(replace(REQUEST, training=options), data, tmp_path)
    (run,) = mlflow.MlflowClient().search_runs(["0"])
    assert run.info.run_name == "test-model"
    assert "eval_loss" in run.data.metrics
