"""Articles per second of `detect_many` against a plain snippet called window by window, on the same windows.

    python benchmarks/bench_detect.py [--model FOLDER] [--runs 3]

Without a model, the demo's encoder with a head drawn at random: as quick as a trained one.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from ctiforge.demo.os_articles import make_os_corpus
from ctiforge.osbert.base import resolve_encoder
from ctiforge.osbert.detectors import FineTuned
from ctiforge.osbert.labeling.keywords import find_evidence
from ctiforge.osbert.model import load_base, save_trained
from ctiforge.osbert.pooling import pool
from ctiforge.osbert.windows import WindowSize, encode_articles
from ctiforge.records.article import OS_LABELS
from ctiforge.records.model_note import OsBertNote
from ctiforge.tables import print_table
from ctiforge.training.encoding import load_tokenizer


def main(model: str | None, runs: int) -> None:
    """Print both speeds and how many labels are the same."""
    texts = [article.content for article in make_os_corpus(0, find_evidence).test]
    with tempfile.TemporaryDirectory() as folder:
        detector = FineTuned(Path(model) if model else _untrained(Path(folder)), "cpu")
        windows = _windows(detector, texts)
        # the first calls of a process pay for memory that the others find
        detector.detect_many(texts[:8])
        _snippet(detector, windows[:8])
        ours, theirs = [], []
        for _ in range(runs):
            # in turn, so that a slow moment of the machine meets both
            together, seconds = _timed(lambda: [each.label for each in detector.detect_many(texts)])
            ours.append(seconds)
            one_by_one, seconds = _timed(lambda: _snippet(detector, windows))
            theirs.append(seconds)
    same = sum(one == other for one, other in zip(together, one_by_one, strict=True))
    rows = [
        ("detect_many", *_speed(len(texts), ours)),
        ("snippet, window by window", *_speed(len(texts), theirs)),
    ]
    count = sum(len(each) for each in windows)
    print_table(f"{len(texts)} articles, {count} windows, median of {runs}", ("", "articles/s", "seconds"), rows)
    ratio = statistics.median(slow / quick for slow, quick in zip(theirs, ours, strict=True))
    print(f"{ratio:.1f} times as quick; {same} of {len(texts)} labels are the same")


def _untrained(folder: Path) -> Path:
    base = resolve_encoder("demo")
    encoder = load_base(base, WindowSize.of(512), 0)
    torch.nn.init.normal_(encoder.classifier.weight)
    note = OsBertNote(
        labels=OS_LABELS, name="untrained", base_model="demo",
        max_length=512, overlap=64, pooling="noisy-or", labeler="nobody",
    )  # fmt: skip
    save_trained(encoder, load_tokenizer(base), note, folder)
    return folder


def _windows(detector: FineTuned, texts: Sequence[str]) -> list[list[str]]:
    """The text of every window of every article."""
    encoded = encode_articles(detector.tokenizer, texts, WindowSize.of_note(detector.note))
    return [[text[start:end] for start, end in each.spans] for each, text in zip(encoded, texts, strict=True)]


def _snippet(detector: FineTuned, windows: Sequence[Sequence[str]]) -> list[str]:
    """As the guide calls the model, once a window; the windows of an article pooled as in `detect_many`."""
    labels = []
    for article in windows:
        logits = []
        for text in article:
            inputs = detector.tokenizer(text, return_tensors="pt", truncation=True, max_length=512, padding=True)
            with torch.no_grad():
                logits.append(detector.model(**inputs).logits)
        pooled = pool(detector.note.pooling, torch.cat(logits), torch.zeros(len(article), dtype=torch.long), 1)
        labels.append(OS_LABELS[int(pooled.argmax())])
    return labels


def _timed(work: Callable[[], list[str]]) -> tuple[list[str], float]:
    started = time.perf_counter()
    return work(), time.perf_counter() - started


def _speed(articles: int, seconds: Sequence[float]) -> tuple[str, str]:
    median = statistics.median(seconds)
    return f"{articles / median:.1f}", f"{median:.1f}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--model")
    parser.add_argument("--runs", type=int, default=3)
    main(**vars(parser.parse_args()))
