"""What stages write, whole, for tests of what reads it; each is a plain dictionary and takes changes."""

from typing import Any

from ctiforge.records.article import OS_LABELS
from ctiforge.records.decision import Decision
from ctiforge.records.evaluation import ModelInfo, TestSetInfo
from ctiforge.records.registry import Candidate


def training(**changes: Any) -> dict[str, Any]:
    """A `training_metadata.json` of the Extract Agent."""
    return {
        "name": "extract-agent-test-20260101",
        "base_model": "test-base",
        "method": "full",
        "options": {"epochs": 4.0, "learning_rate": 0.002, "seed": 0},
        "lora": None,
        "max_length": 304,
        "examples": 900,
        "validation_examples": 100,
        "steps": {"per_epoch": 50, "total": 200, "warmup": 6, "save_every": 40, "evaluate_every": 50, "at_risk": 50},
        "steps_done": 150,
        "best_step": 100,
        "best_validation_loss": 0.25,
        "stopped_early": True,
        "resumed_from_step": 0,
        "micro_batches": [{"batch_size": 16, "gradient_accumulation_steps": 1, "from_step": 0}],
        "checkpoints_blocked_s": 0.0,
        "validation_curve": [{"step": 100, "loss": 0.25}],
        "seconds": 61.0,
        "device": "cpu",
        "deviations_from_guide": {"epochs": [3.0, 4.0]},
        "warnings": ["900 training examples: 1000 are recommended for full fine-tuning"],
    } | changes


def formatted(**changes: Any) -> dict[str, Any]:
    """A `format.json`."""
    return {
        "format": "messages",
        "formats": ["messages"],
        "model": "test-base",
        "tokenizer_hash": "t" * 64,
        "prompt_version": "short-v1",
        "types": ["cmdline"],
        "sizes": {"max_length": 304, "window_tokens": 128, "overlap_tokens": 53},
        "empty_share": 0.3,
        "leaked": [{"id": "x", "reason": "same URL", "as": "a1"}],
        "report": token_report(),
    } | changes


def token_report(**changes: Any) -> dict[str, Any]:
    """The `report` of a `format.json`."""
    return {
        "examples": 900,
        "validation_examples": 100,
        "prompt_tokens_median": 182,
        "prompt_tokens_max": 198,
        "answer_tokens_median": 49.5,
        "answer_tokens_max": 141,
        "tokens_max": 304,
        "items": 500,
        "answers_lost": 0,
        "items_too_long": 2,
        "items_beyond_overlap": 0,
        "machine_labels_dropped": 3,
        "human_labels_unlocated": 0,
        "empty_share_training": 0.3,
        "empty_share_inference": 0.41,
        "answers_kept_share": 0.996,
        "loss_tokens_answer_share": 1.0,
        "loss_tokens_answer_share_if_all": 0.22,
        "right_truncation": {
            "articles_with_answer": 43,
            "answers_whole": 1,
            "answers_gone": 41,
            "answer_tokens_kept_share": 0.029,
            "loss_tokens_answer_share": 0.0022,
        },
    } | changes


def example(**changes: Any) -> dict[str, Any]:
    """A line of `train.jsonl`."""
    return {
        "article_id": "a1",
        "start": 0,
        "end": 19,
        "types": ["cmdline"],
        "asks_platform": False,
        "prompt": "p",
        "answer": "a",
        "observables": {"cmdline": 1},
        "prompt_tokens": 10,
        "answer_tokens": 5,
        "loss_tokens": 5,
    } | changes


def harvest(**changes: Any) -> dict[str, Any]:
    """A harvest's `report.json`."""
    tables = (
        "excluded", "unlabelled", "disagreements", "least_agreement", "items_set_aside", "files_set_aside",
        "entries_set_aside", "generations", "labelled_articles", "positive_articles", "observables_by_type",
        "platforms", "lengths", "observables_per_article",
    )  # fmt: skip
    return {
        **{name: {} for name in tables},
        "read": 60,
        "executions": 70,
        "kept": 50,
        "positives": 40,
        "negatives": 10,
        "observables": 120,
        "articles_read_again": 0,
        "excluded": {"no content": 10},
        "labelled_articles": {"cmdline": 50, "services": 45},
        "positive_articles": {"cmdline": 40, "services": 20},
        "observables_by_type": {"cmdline": 80, "services": 40},
        "platforms": {"Windows": 90, "Linux": 30},
        "lengths": {"< 2k": 50},
    } | changes


def prepared(**changes: Any) -> dict[str, Any]:
    """A `prepare.json`."""
    return {
        "min_hunt_score": 80.0,
        "limit": 200,
        "balance": None,
        "augment": 0,
        "validation_share": 0.15,
        "test_share": 0.1,
        "seed": 0,
        "labeler": "keywords",
        "articles_read": 90,
        "labelled": 80,
        "set_aside": {"no label": 10},
        "flags": {},
        "classes": dict.fromkeys(OS_LABELS, 16),
        "parts": {"train": dict.fromkeys(OS_LABELS, 12), "validation": dict.fromkeys(OS_LABELS, 4)},
        "agreement": [agreement()],
        "warnings": ["Linux: 16 articles, 50 are the minimum, 200 are recommended"],
    } | changes


def agreement(**changes: Any) -> dict[str, Any]:
    """How far two labelers agree, in a `prepare.json`."""
    return {
        "first": "keywords",
        "other": "human",
        "articles": 20,
        "same": 18,
        "kappa": 0.8,
        "labels": list(OS_LABELS),
        "confusion": [[0] * len(OS_LABELS)] * len(OS_LABELS),
    } | changes


def os_bert_note(**changes: Any) -> dict[str, Any]:
    """The `ctiforge.json` of an OS-BERT."""
    return {
        "kind": "fine-tuned",
        "name": "os-bert-demo-20260105",
        "base_model": "demo",
        "labels": list(OS_LABELS),
        "max_length": 64,
        "overlap": 8,
        "pooling": "noisy-or",
        "labeler": "keywords",
    } | changes


def decision(**changes: Any) -> Decision:
    """What the gate said of a first version."""
    return Decision(
        line="extract",
        candidate=ModelInfo(name="new", version="1"),
        against=None,
        test_set=TestSetInfo(name="set", version="1", content_hash="abc", articles=30),
        passed=True,
        reasons=(),
        level=0.95,
        looks=1,
    ).model_copy(update=changes)


def candidate(content: str, **changes: Any) -> Candidate:
    """A model that the gate let through."""
    made = Candidate(
        name=f"model-{content}",
        artifact=f"s3://b/{content}",
        fingerprint=None,
        content=content * 64,
        git_commit=None,
        image=None,
        lineage=(),
        test_set=decision().test_set,
        decision=decision(),
    )
    return made.model_copy(update=changes)
