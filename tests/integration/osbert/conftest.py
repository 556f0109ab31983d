"""A small BERT made on the spot, and articles that it can learn to tell apart."""

import random
from pathlib import Path

import pytest
import torch
from transformers import BertConfig, BertForSequenceClassification, BertTokenizerFast

from ctiforge.records.article import OS_LABELS, OsLabel
from ctiforge.records.os_article import LabeledArticle

WORDS = {
    "Windows": ("powershell", "registry", "rundll"),
    "Linux": ("bash", "cron", "elf"),
    "MacOS": ("launchd", "plist", "dmg"),
}
FILLER = ("word1", "word2", "word3")


@pytest.fixture(scope="session")
def small_bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an untrained BERT of one layer that reads 64 tokens, and its tokenizer."""
    folder = tmp_path_factory.mktemp("small-bert")
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *(w for each in WORDS.values() for w in each), *FILLER]
    (folder / "vocab.txt").write_text("\n".join(vocabulary))
    BertTokenizerFast(vocab=str(folder / "vocab.txt"), model_max_length=64).save_pretrained(folder)
    make_bert(len(vocabulary), num_labels=2).save_pretrained(folder)
    return folder


def make_bert(vocabulary: int, **settings: object) -> BertForSequenceClassification:
    """An untrained BERT with a head."""
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=vocabulary,
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
        initializer_range=0.2,
        **settings,
    )
    return BertForSequenceClassification(config)


def write_parts(folder: Path, articles: dict[str, list[LabeledArticle]]) -> Path:
    """Parts as prepare_os leaves them."""
    folder.mkdir(parents=True, exist_ok=True)
    for part, each in articles.items():
        (folder / f"{part}.jsonl").write_text("".join(article.model_dump_json() + "\n" for article in each))
    return folder


def make_articles(count: int, seed: int, *, words: int = 150) -> list[LabeledArticle]:
    """So many articles of every class; what shows the class stands anywhere among the filler."""
    rng = random.Random(seed)
    return [_article(label, f"{seed}-{label}-{n}", rng, words) for n in range(count) for label in OS_LABELS]


def _article(label: OsLabel, id_: str, rng: random.Random, words: int) -> LabeledArticle:
    systems = {"multiple": ["Windows", "Linux"], "Unknown": []}.get(label, [label])
    text = rng.choices(FILLER, k=words)
    for system in systems:
        for _ in range(3):
            text.insert(rng.randrange(len(text)), rng.choice(WORDS[system]))
    content = " ".join(text)
    return LabeledArticle(id=id_, content=content, content_hash=id_, label=label, labeler="keywords")


@pytest.fixture(scope="session")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A prepared folder with 120 training and 20 validation articles, of 60 to 150 words."""
    articles = {"train": make_articles(16, 1) + make_articles(8, 2, words=60), "validation": make_articles(4, 3)}
    return write_parts(tmp_path_factory.mktemp("parts"), articles | {"test": make_articles(2, 4)})
