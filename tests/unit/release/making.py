"""A tiny trained model, its evaluation and its data report, as the programs before publishing leave them."""

import json
from pathlib import Path

import numpy

from ctiforge.evaluation.scoring.classification import score_row
from ctiforge.evaluation.statistics import INTERVALS
from ctiforge.records.classification import Case, ClassifierEvaluation
from ctiforge.records.evaluation import ModelInfo, TestSetInfo
from ctiforge.store.artifacts import find_input
from tests import making

LABELS = ("Windows", "Linux", "MacOS", "multiple", "Unknown")
TRUTHS = ("Windows",) * 12 + ("Linux",) * 7 + ("multiple",) * 3
WORDS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "service", "is", "installed", "with", "a", "run", "key")


def make_model(folder: Path, seed: int = 0) -> Path:
    """A BERT classifier of one layer with random weights, and everything that training writes beside it."""
    import torch
    from transformers import BertConfig, BertForSequenceClassification, BertTokenizerFast

    folder.mkdir(parents=True)
    torch.manual_seed(seed)
    config = BertConfig(
        vocab_size=len(WORDS),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=64,
        id2label=dict(enumerate(LABELS)),
        label2id={label: number for number, label in enumerate(LABELS)},
    )
    BertForSequenceClassification(config).save_pretrained(folder)
    BertTokenizerFast(vocab={word: number for number, word in enumerate(WORDS)}).save_pretrained(folder)
    write(folder / "ctiforge.json", note())
    write(folder / "training_metadata.json", training())
    (folder / "log.jsonl").write_text('{"step": 1, "loss": 1.6}\n')
    (folder / "training_curve.png").write_bytes(b"\x89PNG\r\n")
    (folder / "training_args.bin").write_bytes(b"a pickle")
    return folder


def make_evaluation(model: Path | str, measure="accuracy", wrong=3, test_set="analysts", truths=TRUTHS):
    """An evaluation of that model (or of weights of that version) in which `wrong` articles get the wrong class."""
    version = find_input(str(model)).content[:12] if isinstance(model, Path) else model
    predicted = tuple("Unknown" if number < wrong else truth for number, truth in enumerate(truths))
    return ClassifierEvaluation(
        model=ModelInfo(name="os-bert-demo-20260105", version=version),
        test_set=TestSetInfo(name=test_set, version="2", content_hash=f"hash-of-{test_set}", articles=len(truths)),
        measure=measure,
        labels=LABELS,
        fingerprint="f" * 64,
        intervals=INTERVALS,
        cases=tuple(
            Case(id=str(number), title="A title that stays here", label=truth) for number, truth in enumerate(truths)
        ),
        rows=(
            score_row("always Windows", "floor", truths, ("Windows",) * len(truths), LABELS),
            score_row("keyword | rules", "floor", truths, truths[:12] + ("Unknown",) * (len(truths) - 12), LABELS),
            score_row("first window", "snippet", truths, ("Linux",) * len(truths), LABELS),
            score_row(
                "os-bert", "model", truths, predicted, LABELS, seconds=(0.015,) * len(truths), size_bytes=90_900_000
            ),
        ),
    )


def make_agent(folder: Path, license_name: str) -> tuple[Path, Path]:
    """A LoRA of random weights with all that training leaves, its base beside it, and its evaluation."""
    from safetensors.numpy import save_file

    base, model = folder / "base", folder / "model"
    for each in (base, model):
        each.mkdir(parents=True)
    (base / "README.md").write_text(f"---\nlicense: {license_name}\n---\n")
    (base / "LICENSE").write_text("The whole agreement.")
    write(base / "config.json", {"model_type": "llama"})
    save_file({"base_model.model.x.lora_A.weight": numpy.ones((2, 4), "f4")}, model / "adapter_model.safetensors")
    write(model / "adapter_config.json", {"base_model_name_or_path": str(base), "r": 2})
    write(model / "tokenizer.json", {})
    sizes = {"max_length": 304, "window_tokens": 128, "overlap_tokens": 16}
    usage = {"text_format": "messages", "prompt_version": "short-v1", "types": ["cmdline", "registry"], "sizes": sizes}
    write(model / "ctiforge.json", {"name": "agent", "base_model": str(base), "usage": usage})
    trained = training(name="agent", base_model=str(base), lora={"r": 2}, labeler="", pooling=None)
    write(model / "training_metadata.json", trained)
    content = find_input(str(model)).content[:12]
    from tests.unit.reporting.making import articles, evaluation

    found = evaluation(articles(12), "agent")
    info = {"name": "agent", "version": content}
    test_set = found.test_set.model_copy(update={"name": "analysts"})
    changed = found.model_copy(update={"model": ModelInfo(**info), "test_set": test_set})
    (folder / "evaluation.json").write_text(changed.to_json())
    return model, folder / "evaluation.json"


def note(**changes):
    return making.os_bert_note(**changes)


def training(**changes):
    whole = making.training(
        name="os-bert-demo-20260105",
        base_model="test-base",
        options={"epochs": 4, "batch_size": 16, "learning_rate": 2.5e-05, "seed": 11, "early_stopping": None},
        max_length=64,
        examples=141,
        validation_examples=31,
        classes={"Windows": 81, "Linux": 47, "MacOS": 0, "multiple": 13, "Unknown": 0},
        class_weights={"Windows": 0.58, "Linux": 1.0, "MacOS": 0.0, "multiple": 3.62, "Unknown": 0.0},
        pooling="noisy-or",
        labeler="keywords",
        steps_done=36,
        best_validation_loss=0.4321,
        seconds=173.2,
        warnings=["MacOS: 0 articles,\nthe least is 50"],
    )
    return whole | changes


def report(**changes):
    whole = making.prepared(
        articles_read=207,
        labelled=194,
        set_aside={"empty text": 9, "conflicting labels": 4},
        classes={"Windows": 110, "Linux": 66, "multiple": 18},
        parts={
            "train": {"Windows": 81, "Linux": 47, "multiple": 13},
            "validation": {"Windows": 17, "Linux": 12, "multiple": 2},
            "test": {"Windows": 12, "Linux": 7, "multiple": 3},
        },
        agreement=[making.agreement(other="human:ana", articles=53, same=46, kappa=0.771)],
        warnings=["Linux: 66 articles, 200 are recommended"],
    )
    return whole | changes


def write(path: Path, value) -> Path:
    path.write_text(json.dumps(value), encoding="utf-8")
    return path
