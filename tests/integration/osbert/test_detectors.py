"""Baselines, floors, the service and the evaluation of them all, with real small models."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import skops.io
import torch

from ctiforge.errors import DataError, UsageError
from ctiforge.osbert import OSDetectionService
from ctiforge.osbert.detectors import FineTuned, Frozen, load_detector
from ctiforge.osbert.evaluate import evaluate_os_bert, read_test_articles
from ctiforge.osbert.frozen import CLASSIFIERS, WEIGHTS, train_baselines
from ctiforge.osbert.model import load_base, save_trained
from ctiforge.osbert.rules import Keywords, Majority
from ctiforge.osbert.windows import WindowSize
from ctiforge.records.article import OS_LABELS, ArticleRecord
from ctiforge.records.model_note import OsBertNote, WordsNote
from ctiforge.training.encoding import load_tokenizer
from tests.integration.endpoint import Endpoint, answer
from tests.integration.osbert.conftest import make_articles, write_parts

ODD_TEXTS = ("", " \n\t ", "word1", "Ω≈ç√ 中文 без слов", "\0\ud800", "word2 " * 200_000)


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def baselines(small_bert: Path, parts: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    out = tmp_path_factory.mktemp("baselines")
    both = parts / "train.jsonl", parts / "validation.jsonl"
    train_baselines(str(small_bert), str(small_bert), 64, 0, "cpu", both, out)
    return out


@pytest.fixture(scope="module")
def model(small_bert: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as training leaves it, its weights drawn at random."""
    folder = tmp_path_factory.mktemp("model")
    encoder = load_base(str(small_bert), WindowSize.of(64), 3)
    torch.nn.init.normal_(encoder.classifier.weight)
    note = OsBertNote(
        labels=OS_LABELS,
        name="os-bert-test",
        base_model=str(small_bert),
        max_length=64,
        overlap=8,
        pooling="noisy-or",
        labeler="keywords",
    )
    save_trained(encoder, load_tokenizer(str(small_bert)), note, folder)
    return folder


def test_baselines_say_what_was_chosen_and_are_no_pickles(baselines: Path) -> None:
    summary = json.loads((baselines / "baselines.json").read_text())
    for name in CLASSIFIERS:
        assert 0 <= summary[name]["cross_validated_macro_f1"] <= 1
        assert (baselines / name / WEIGHTS).is_file()
    assert summary["logistic-regression"]["C"] in (0.01, 0.1, 1.0, 10.0)
    assert not [path for path in baselines.rglob("*") if path.suffix in (".pkl", ".joblib", ".pickle")]


def test_a_baseline_with_types_that_none_of_ours_has_is_not_loaded(baselines: Path, tmp_path: Path) -> None:
    shutil.copytree(baselines / "random-forest", tmp_path / "m")
    skops.io.dump(replace, tmp_path / "m" / WEIGHTS)
    with pytest.raises(UsageError, match="which no baseline of ctiforge has: not loaded"):
        Frozen(tmp_path / "m")


@pytest.mark.parametrize("name", ["fine-tuned", *CLASSIFIERS, "tf-idf"])
def test_one_at_a_time_or_many_together_is_the_same(name: str, model: Path, baselines: Path) -> None:
    folder = model if name == "fine-tuned" else baselines / name
    detector = load_detector(folder, device="cpu")
    texts = [article.content for article in make_articles(3, 7)] + [a.content for a in make_articles(2, 8, words=9)]
    together = detector.detect_many(texts)
    for text, one in zip(texts, together, strict=True):
        alone = detector.detect_many([text])[0]
        assert (alone.label, alone.evidence) == (one.label, one.evidence)
        assert alone.confidence == pytest.approx(one.confidence, abs=1e-4)
        assert sum(one.probabilities.values()) == pytest.approx(1, abs=1e-4)
        assert one.confidence == max(one.probabilities.values())
        if one.label == "Unknown":
            assert one.evidence is None
            assert one.platforms == ()
        else:
            assert one.evidence is not None
            assert one.evidence.text == text[one.evidence.start : one.evidence.end]
    assert detector.detect_many([]) == []


@pytest.mark.parametrize("name", ["fine-tuned", "first window", "logistic-regression", "tf-idf", "keywords"])
def test_odd_texts_get_an_answer(name: str, model: Path, baselines: Path) -> None:
    detectors = {
        "fine-tuned": lambda: FineTuned(model, "cpu"),
        "first window": lambda: FineTuned(model, "cpu", first_window_only=True),
        "logistic-regression": lambda: Frozen(baselines / "logistic-regression", device="cpu"),
        "tf-idf": lambda: load_detector(baselines / "tf-idf"),
        "keywords": Keywords,
    }
    found = detectors[name]().detect_many(ODD_TEXTS)
    assert [each.label in OS_LABELS for each in found] == [True] * len(ODD_TEXTS)


def test_the_first_window_alone_is_what_a_plain_snippet_reads(model: Path) -> None:
    text = make_articles(1, 11)[0].content
    detector = FineTuned(model, "cpu", first_window_only=True)
    inputs = detector.tokenizer(text, truncation=True, max_length=64, return_tensors="pt")
    with torch.no_grad():
        logits = detector.model(**inputs).logits
    assert detector.detect_many([text])[0].label == OS_LABELS[int(logits.argmax())]


def test_both_ways_stand_behind_one_service(model: Path, baselines: Path, small_bert: Path) -> None:
    text = make_articles(1, 12)[0].content
    tuned = OSDetectionService(use_finetuned=True, finetuned_model_path=model, device="cpu")
    frozen = OSDetectionService(
        str(small_bert), use_finetuned=False, classifier_path=baselines / "random-forest", device="cpu"
    )
    for service in (tuned, frozen):
        one = service.detect(text)
        assert set(one.probabilities) == set(OS_LABELS)
        assert [one] == service.detect_many([text])
    with pytest.raises(UsageError, match="needs finetuned_model_path"):
        OSDetectionService()
    with pytest.raises(UsageError, match="needs classifier_path"):
        OSDetectionService(use_finetuned=False)


def test_a_cascade_asks_the_rule_the_model_and_an_endpoint(
    model: Path, baselines: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-the-test")
    words = baselines / "tf-idf"
    note = WordsNote.load(words)
    sure = tmp_path / "sure"
    shutil.copytree(words, sure)
    note.model_copy(update={"threshold": 1.0}).write(sure)
    texts = ["It ran systemctl enable x and crontab -e on Ubuntu.", "word1 word2"]
    with Endpoint(lambda _asked: answer("MacOS")) as endpoint:
        asking = OSDetectionService(
            use_finetuned=False, classifier_path=sure, strategy="cascade",
            endpoint=endpoint.url, endpoint_model="m",
        )  # fmt: skip
        found = asking.detect_many(texts)
        assert len(endpoint.asked) == 1
    assert [(each.label, each.platforms) for each in found] == [("Linux", ("Linux",)), ("MacOS", ("MacOS",))]
    alone = OSDetectionService(use_finetuned=False, classifier_path=sure, strategy="cascade")
    assert [each.label for each in alone.detect_many(texts)] == ["Linux", "Unknown"]
    tuned = OSDetectionService(finetuned_model_path=model, strategy="cascade", device="cpu")
    assert tuned.detect(texts[0]).label == "Linux"


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"strategy": "both"}, "strategy both: give model or cascade"),
        ({"endpoint_model": "m"}, "asked by the cascade alone"),
        ({"strategy": "cascade", "endpoint": "http://x.invalid"}, "the endpoint needs a model"),
    ],
)
def test_a_strategy_that_cannot_be_is_refused(given: dict[str, str], reason: str, model: Path) -> None:
    with pytest.raises(UsageError, match=reason):
        OSDetectionService(finetuned_model_path=model, device="cpu", **given)


def test_a_folder_of_neither_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot load the model"):
        load_detector(tmp_path)


def test_the_majority_is_that_of_the_training_part() -> None:
    assert Majority({"Windows": 3, "Linux": 9}).detect_many(["a", "b"])[1].label == "Linux"


def _test_set(folder: Path, count: int) -> Path:
    records = [
        ArticleRecord(id=a.id, content=a.content, content_hash=a.content_hash, os_label=a.label, labelled_by="human")
        for a in make_articles(count, 21)
    ]
    unlabeled = records[0].model_copy(update={"id": "nobody", "os_label": None})
    path = folder / "testset.jsonl"
    path.write_text("".join(record.model_dump_json() + "\n" for record in [*records, unlabeled]))
    return path


def test_an_evaluation_has_every_row_the_model_last(model: Path, baselines: Path, parts: Path, tmp_path: Path) -> None:
    articles = read_test_articles(_test_set(tmp_path, 3), "mine@2")
    evaluation = evaluate_os_bert(
        articles, model, "v", baselines=baselines, base_folder=None, trained_on=parts / "train.jsonl", device="cpu"
    )
    assert [(row.kind, row.name) for row in evaluation.rows] == [
        ("floor", "majority class"),
        ("floor", "keywords"),
        ("baseline", "logistic-regression"),
        ("baseline", "random-forest"),
        ("baseline", "tf-idf"),
        ("baseline", "keywords then tf-idf"),
        ("snippet", "os-bert-test, first window only"),
        ("snippet", "keywords then os-bert-test"),
        ("model", "os-bert-test"),
    ]
    assert evaluation.rows[0].metrics["accuracy"].value == pytest.approx(0.2)
    assert evaluation.result.name == "os-bert-test"
    assert evaluation.result.size_bytes == (model / "model.safetensors").stat().st_size
    assert evaluation.result.latency_s is not None
    assert evaluation.measure == "accuracy"
    assert (evaluation.test_set.name, evaluation.test_set.version) == ("mine", "2")
    assert (evaluation.test_set.articles, evaluation.test_set.unlabelled) == (15, 1)


def test_labels_of_the_training_labeler_make_agreement(model: Path, parts: Path) -> None:
    articles = read_test_articles(parts / "test.jsonl", None)
    given = {"baselines": None, "base_folder": None, "trained_on": None, "device": "cpu"}
    assert evaluate_os_bert(articles, model, "v", **given).measure == "agreement"
    others = replace(articles, labeler="human:ann")
    assert evaluate_os_bert(others, model, "v", **given).measure == "accuracy"


def test_articles_without_any_label_are_nothing_to_score(tmp_path: Path) -> None:
    record = ArticleRecord(id="1", content="x", content_hash="h", labelled_types=("cmdline",), labelled_by="human")
    (tmp_path / "t.jsonl").write_text(record.model_dump_json() + "\n")
    with pytest.raises(DataError, match="no article has an os_label"):
        read_test_articles(tmp_path / "t.jsonl", None)


def test_baselines_of_classes_with_one_article_are_fitted_without_a_grid(small_bert: Path, tmp_path: Path) -> None:
    parts = write_parts(tmp_path / "parts", {"train": make_articles(1, 1), "validation": []})
    both = parts / "train.jsonl", parts / "validation.jsonl"
    summary = train_baselines(str(small_bert), str(small_bert), 64, 0, "cpu", both, tmp_path / "out")
    assert summary["random-forest"]["cross_validated_macro_f1"] is None
