"""Real training of a small BERT: what it learns, what it leaves, what is refused."""

import json
import runpy
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForSequenceClassification, BertForSequenceClassification

from ctiforge.errors import DataError, InterruptedRunError, UsageError
from ctiforge.osbert import train as train_module
from ctiforge.osbert.detectors import FineTuned
from ctiforge.osbert.model import (
    ArticleRow,
    PooledClassifier,
    WindowCollator,
    load_base,
    load_trained,
)
from ctiforge.osbert.train import OsBertTraining, class_weights, train_os_bert
from ctiforge.osbert.windows import WindowSize, encode_articles
from ctiforge.records.article import OS_LABELS
from ctiforge.store.checkpoints import Checkpoints
from ctiforge.store.objects import open_store
from ctiforge.training.callbacks import Interruption, ProgressLines
from ctiforge.training.encoding import load_tokenizer, resolve_model
from ctiforge.training.options import TrainingOptions
from ctiforge.training.together import train_together
from tests.integration.osbert.conftest import make_articles, make_bert, write_parts

OPTIONS = TrainingOptions(
    batch_size=10, gradient_accumulation_steps=1, epochs=30, learning_rate=3e-3, eval_steps=12, save_steps=6,
    early_stopping_patience=40,
)  # fmt: skip


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def _request(base: Path, **changed: Any) -> OsBertTraining:
    request = OsBertTraining(str(base), str(base), "os-bert-test", 64, "noisy-or", True, OPTIONS, "cpu")
    return replace(request, **changed)


def _train(request: OsBertTraining, parts: Path, folder: Path) -> dict[str, Any]:
    for name in ("out", "scratch"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    checkpoints = Checkpoints(open_store(str(folder / "store")), "checkpoints/train_os_bert/test")
    both = parts / "train.jsonl", parts / "validation.jsonl"
    return train_os_bert(request, both, folder / "out", folder / "scratch", checkpoints)


@pytest.fixture(scope="module")
def trained(small_bert: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    torch.set_num_threads(1)
    # with half as many articles the last of the classes is not learnt on every machine
    articles = {"train": make_articles(8, 1) + make_articles(32, 2, words=60), "validation": make_articles(4, 3)}
    parts = write_parts(tmp_path_factory.mktemp("many"), articles | {"test": make_articles(2, 4)})
    folder = tmp_path_factory.mktemp("trained")
    return folder / "out", _train(_request(small_bert), parts, folder)


def test_it_learns_what_articles_show_wherever_it_stands(trained: tuple[Path, dict[str, Any]]) -> None:
    articles = make_articles(6, 9)
    found = FineTuned(trained[0], "cpu").detect_many([article.content for article in articles])
    right = [one.label == article.label for one, article in zip(found, articles, strict=True)]
    assert sum(right) / len(right) > 0.8, "chance is 0.2"


def test_evidence_is_the_window_that_shows_it(trained: tuple[Path, dict[str, Any]]) -> None:
    text = " ".join(["word1"] * 200 + ["launchd plist dmg"] + ["word2"] * 200)
    found = FineTuned(trained[0], "cpu").detect_many([text])[0]
    assert found.label == "MacOS"
    assert found.evidence is not None
    assert "plist" in found.evidence.text
    assert found.evidence.text == text[found.evidence.start : found.evidence.end]
    assert sum(found.probabilities.values()) == pytest.approx(1, abs=1e-4)
    assert found.confidence == found.probabilities["MacOS"]


def test_the_metadata_says_what_was_done(trained: tuple[Path, dict[str, Any]]) -> None:
    folder, metadata = trained
    assert metadata["classes"] == dict.fromkeys(OS_LABELS, 40)
    assert metadata["examples"] == 200
    assert metadata["windows"] > 240
    assert metadata["labeler"] == "keywords"
    assert metadata["deviations_from_guide"]["max_length"] == [512, 64]
    assert any("40 training articles are Linux" in warning for warning in metadata["warnings"])
    assert json.loads((folder / "training_metadata.json").read_text()) == json.loads(json.dumps(metadata))
    assert {path.name for path in folder.iterdir()} >= {
        "config.json", "model.safetensors", "tokenizer.json", "ctiforge.json", "log.jsonl", "training_curve.png",
    }  # fmt: skip
    assert not list(folder.glob("*.bin"))


GUIDE_SNIPPET = """
from transformers import AutoTokenizer, AutoModelForSequenceClassification
import torch

tokenizer = AutoTokenizer.from_pretrained("models/os-bert")
model = AutoModelForSequenceClassification.from_pretrained("models/os-bert")
inputs = tokenizer(text, return_tensors="pt", truncation=True, max_length=512, padding=True)
with torch.no_grad():
    outputs = model(**inputs)
predicted = torch.argmax(outputs.logits, dim=-1).item()
print(model.config.id2label[predicted])
"""


def test_the_plain_snippet_runs_on_a_trained_folder(
    trained: tuple[Path, dict[str, Any]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "os-bert").symlink_to(trained[0])
    snippet = tmp_path / "snippet.py"
    code = GUIDE_SNIPPET.replace("max_length=512", "max_length=64")
    snippet.write_text(f'text = "bash cron elf word1 word2 word3"{code}', encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(snippet))
    assert capsys.readouterr().out.strip() == "Linux"


def test_what_the_guide_shows_runs_on_a_trained_folder(
    trained: tuple[Path, dict[str, Any]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    guide = (Path(__file__).parents[3] / "docs/guides/os-bert.md").read_text(encoding="utf-8")
    snippet = tmp_path / "snippet.py"
    snippet.write_text(guide.partition("```python\n")[2].partition("```")[0], encoding="utf-8")
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "os-bert").symlink_to(trained[0])
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(snippet))
    assert capsys.readouterr().out.split()[0] in OS_LABELS


def test_a_run_that_was_stopped_ends_with_the_same_weights(
    small_bert: Path, parts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = _request(small_bert, training=replace(OPTIONS, epochs=3))
    _train(request, parts, tmp_path / "whole")
    note = ProgressLines.on_step_end

    def stop_at_eight(self: Any, args: Any, state: Any, control: Any, **named: Any) -> None:
        note(self, args, state, control, **named)
        if state.global_step == 8:
            stops[0].came = True

    stops: list[Interruption] = []
    enter = Interruption.__enter__
    monkeypatch.setattr(Interruption, "__enter__", lambda self: (stops.insert(0, self), enter(self))[1])
    monkeypatch.setattr(ProgressLines, "on_step_begin", stop_at_eight, raising=False)
    with pytest.raises(InterruptedRunError, match="its state is saved"):
        _train(request, parts, tmp_path / "stopped")
    monkeypatch.undo()
    metadata = _train(request, parts, tmp_path / "stopped")
    assert metadata["resumed_from_step"] > 0
    weights = [tmp_path / name / "out" / "model.safetensors" for name in ("whole", "stopped")]
    assert weights[0].read_bytes() == weights[1].read_bytes()


def test_half_the_micro_batch_makes_the_same_step(small_bert: Path, parts: Path, tmp_path: Path) -> None:
    encoder = load_base(str(small_bert), WindowSize.of(64), 0).eval()
    tokenizer = load_tokenizer(str(small_bert))
    articles = make_articles(2, 5)
    encoded = encode_articles(tokenizer, [article.content for article in articles], WindowSize.of(64))
    rows = [ArticleRow(e, OS_LABELS.index(a.label)) for e, a in zip(encoded, articles, strict=True)]
    model = PooledClassifier(encoder, "noisy-or", torch.tensor([1.0, 2.0, 0.5, 1.0, 3.0]))
    collate = WindowCollator(0)
    whole = model(**collate(rows))["loss"]
    halves = [model(**collate(half))["loss"] for half in (rows[:5], rows[5:])]
    assert torch.allclose(whole, torch.stack(halves).mean())


def test_a_device_with_a_number_is_trained_on(
    small_bert: Path, parts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a GPU is, `cuda:0`, which no flag names."""
    monkeypatch.setattr(train_module, "pick_device", lambda name: torch.device("cpu", 0))
    options = replace(OPTIONS, max_steps=1)
    assert _train(_request(small_bert, training=options), parts, tmp_path)["device"] == "cpu:0"


@pytest.mark.slow
def test_two_processes_train_what_one_would(small_bert: Path, parts: Path, tmp_path: Path) -> None:
    """Twelve steps and, at the end of each epoch, one of fewer articles."""
    options = replace(OPTIONS, batch_size=7, gradient_accumulation_steps=2, epochs=3, learning_rate=1e-3)
    base = _without_dropout(small_bert, tmp_path / "base")
    weights = []
    for count in (1, 2):
        out, scratch = (tmp_path / f"{name}-{count}" for name in ("out", "scratch"))
        out.mkdir()
        scratch.mkdir()
        checkpoints = Checkpoints(open_store(str(tmp_path / f"store-{count}")), "checkpoints/train_os_bert/test")
        both = parts / "train.jsonl", parts / "validation.jsonl"
        found = train_together(train_os_bert, _request(base, training=options), both, out, scratch, checkpoints, count)
        assert found.get("ranks") == (2 if count == 2 else None)
        weights.append(load_file(out / "model.safetensors"))
    assert max(float((weights[0][name] - weights[1][name]).abs().max()) for name in weights[0]) < 1e-5


def _without_dropout(base: Path, into: Path) -> Path:
    """Copy a model whose dropout would draw other numbers in each process."""
    shutil.copytree(base, into)
    config = json.loads((into / "config.json").read_text())
    config |= {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    (into / "config.json").write_text(json.dumps(config))
    return into


def test_windows_beyond_what_fits_are_computed_again_with_the_same_gradient(
    small_bert: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokenizer = load_tokenizer(str(small_bert))
    articles = make_articles(2, 5)
    encoded = encode_articles(tokenizer, [article.content for article in articles], WindowSize.of(64))
    rows = [ArticleRow(e, OS_LABELS.index(a.label)) for e, a in zip(encoded, articles, strict=True)]
    gradients = []
    for tokens in (1_000_000, 200):
        monkeypatch.setattr("ctiforge.osbert.windows.TOKENS_TOGETHER", tokens)
        model = PooledClassifier(load_base(str(small_bert), WindowSize.of(64), 0).eval(), "noisy-or")
        model(**WindowCollator(0)(rows))["loss"].backward()
        gradients.append(torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None]))
    assert torch.allclose(gradients[0], gradients[1], atol=1e-6)
    assert gradients[0].abs().sum() > 0


def test_a_class_that_is_absent_has_no_weight_and_the_head_keeps_it(small_bert: Path, tmp_path: Path) -> None:
    without = [article for article in make_articles(6, 1) if article.label != "MacOS"]
    parts = write_parts(tmp_path / "parts", {"train": without, "validation": make_articles(1, 2)})
    metadata = _train(_request(small_bert, training=replace(OPTIONS, max_steps=2)), parts, tmp_path)
    assert metadata["class_weights"]["MacOS"] == 0
    assert any("no training article is MacOS" in warning for warning in metadata["warnings"])
    assert FineTuned(tmp_path / "out", "cpu").model.config.num_labels == 5


def test_pooling_is_chosen_on_validation_and_says_what_it_costs_the_class_of_several(
    small_bert: Path, parts: Path, tmp_path: Path
) -> None:
    metadata = _train(_request(small_bert, pooling=None, training=replace(OPTIONS, max_steps=1)), parts, tmp_path)
    trials = metadata["pooling_trials"]
    assert {trial["pooling"] for trial in trials} == {"noisy-or", "mean", "max"}
    assert metadata["pooling"] == trials[0]["pooling"] == max(trials, key=lambda trial: trial["macro_f1"])["pooling"]
    assert all(0 <= trial["recall_of_multiple"] <= 1 for trial in trials)


def test_a_run_without_validation_articles_is_trained_and_saved(small_bert: Path, tmp_path: Path) -> None:
    parts = write_parts(tmp_path / "parts", {"train": make_articles(2, 1), "validation": []})
    metadata = _train(_request(small_bert, pooling=None, training=replace(OPTIONS, max_steps=2)), parts, tmp_path)
    assert metadata["best_validation_loss"] is None
    assert (tmp_path / "out" / "model.safetensors").is_file()


def test_classes_weigh_the_same_over_all_their_articles() -> None:
    weights = class_weights({"Windows": 150, "Linux": 30, "MacOS": 0, "multiple": 10, "Unknown": 10})
    assert weights["MacOS"] == 0
    assert weights["Windows"] * 150 == pytest.approx(weights["multiple"] * 10)
    assert sum(
        weights[label] * n for label, n in (("Windows", 150), ("Linux", 30), ("multiple", 10), ("Unknown", 10))
    ) == (pytest.approx(200))


def test_one_class_alone_is_refused(small_bert: Path, tmp_path: Path) -> None:
    alone = [article for article in make_articles(6, 1) if article.label == "Windows"]
    parts = write_parts(tmp_path / "parts", {"train": alone, "validation": []})
    with pytest.raises(DataError, match="every one of them is Windows: a classifier needs two classes"):
        _train(_request(small_bert), parts, tmp_path)


def test_a_leak_is_refused(small_bert: Path, tmp_path: Path) -> None:
    articles = make_articles(2, 1)
    parts = write_parts(tmp_path / "parts", {"train": articles, "validation": articles[:1]})
    with pytest.raises(DataError, match="is in the training part as well"):
        _train(_request(small_bert), parts, tmp_path)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"device": "cuda"}, "no usable GPU"),
        ({"fp16": True}, "--fp16 needs a GPU"),
        ({"max_length": 128}, "reads at most 64 tokens"),
        ({"max_length": 8}, "a window needs 16 tokens"),
    ],
)
def test_what_cannot_be_is_said(
    changed: dict[str, Any], reason: str, small_bert: Path, parts: Path, tmp_path: Path
) -> None:
    if torch.cuda.is_available() and changed.get("device") != "cpu":
        pytest.skip("this machine has a GPU")
    with pytest.raises(UsageError, match=reason):
        _train(_request(small_bert, **changed), parts, tmp_path)


def test_a_base_model_that_is_no_encoder_is_refused(parts: Path, tmp_path: Path) -> None:
    causal = Path(resolve_model("demo"))
    with pytest.raises(UsageError, match="is a lfm2 model, no encoder that classifies: name a BERT"):
        _train(_request(causal), parts, tmp_path)
    with pytest.raises(UsageError, match="cannot load the model"):
        _train(_request(tmp_path / "nothing"), parts, tmp_path)


def _with_head(folder: Path, small_bert: Path, labels: list[str]) -> Path:
    vocabulary = len((small_bert / "vocab.txt").read_text().split("\n"))
    id2label = dict(enumerate(labels))
    model = make_bert(vocabulary, id2label=id2label, label2id={label: n for n, label in id2label.items()})
    torch.nn.init.normal_(model.classifier.bias)
    model.save_pretrained(folder)
    load_tokenizer(str(small_bert)).save_pretrained(folder)
    return folder


def test_a_head_with_our_labels_in_another_order_is_kept_and_put_in_order(small_bert: Path, tmp_path: Path) -> None:
    folder = _with_head(tmp_path / "m", small_bert, list(OS_LABELS[::-1]))
    plain = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    ids = torch.tensor([[2, 5, 6, 7, 3]])
    with torch.no_grad():
        expected = plain(input_ids=ids).logits.flip(1)
        base, (trained, _) = (
            load_base(str(folder), WindowSize.of(64), 0).eval(),
            load_trained(folder, torch.device("cpu")),
        )
        for model in (base, trained):
            assert model.config.id2label == dict(enumerate(OS_LABELS))
            assert torch.allclose(model(input_ids=ids).logits, expected)


def test_a_head_with_five_other_labels_is_drawn_anew(small_bert: Path, tmp_path: Path) -> None:
    folder = _with_head(tmp_path / "m", small_bert, ["a", "b", "c", "d", "e"])
    base = load_base(str(folder), WindowSize.of(64), 0)
    assert base.config.id2label == dict(enumerate(OS_LABELS))
    assert not base.classifier.bias.any()
    before: BertForSequenceClassification = AutoModelForSequenceClassification.from_pretrained(folder)
    assert not torch.allclose(base.classifier.weight, before.classifier.weight)
    assert torch.allclose(base.bert.embeddings.word_embeddings.weight, before.bert.embeddings.word_embeddings.weight)


def test_a_model_folder_without_names_of_labels_is_refused(small_bert: Path, tmp_path: Path) -> None:
    folder = _with_head(tmp_path / "m", small_bert, [f"LABEL_{n}" for n in range(5)])
    with pytest.raises(UsageError, match=r"names the labels LABEL_0, .*: set id2label and label2id"):
        FineTuned(folder, "cpu")
