from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline

from ctiforge.errors import UsageError
from ctiforge.osbert.words import Words, save_words, vectorizer
from ctiforge.records.article import OS_LABELS, OsLabel
from ctiforge.records.os_article import LabeledArticle

TEXTS: dict[OsLabel, str] = {"Windows": "alpha beta", "Linux": "gamma delta", "MacOS": "epsilon zeta"}
FILLER = " one two three" * 3


def fit(labels: list[OsLabel]) -> Any:
    texts = [f"{TEXTS[label]}{FILLER} {number % 2}" for label in labels for number in range(4)]
    fitted = Pipeline([("words", vectorizer()), ("model", LogisticRegression(C=10))])
    return fitted.fit(texts, [label for label in labels for _ in range(4)])


@pytest.mark.parametrize("labels", [["Windows", "Linux", "MacOS"], ["Linux", "MacOS"]])
def test_what_was_saved_answers_as_scikit_learn_does(labels: list[OsLabel], tmp_path: Path) -> None:
    fitted = fit(labels)
    save_words(fitted, "human:a", [], tmp_path / "m")
    texts = [TEXTS[label] + FILLER for label in labels] + ["", "nothing known", "alpha " * 5_000]

    found = Words(tmp_path / "m").detect_many(texts)

    own = fitted.predict_proba(texts)
    for one, probabilities in zip(found, own, strict=True):
        theirs = dict(zip(fitted.named_steps["model"].classes_, probabilities, strict=True))
        assert one.probabilities == pytest.approx({label: theirs.get(label, 0.0) for label in OS_LABELS})
    assert [each.label for each in found[: len(labels)]] == labels
    assert found[0].platforms == (labels[0],)


def test_the_evidence_is_the_stretch_that_speaks_most_for_the_label(tmp_path: Path) -> None:
    save_words(fit(["Windows", "Linux"]), "human:a", [], tmp_path / "m")
    text = "one two three " * 200 + "gamma delta " + "one two three " * 200

    found = Words(tmp_path / "m").detect_many([text])[0]

    assert found.label == "Linux"
    assert found.evidence is not None
    assert "gamma delta" in found.evidence.text
    assert found.evidence.text == text[found.evidence.start : found.evidence.end]
    assert len(found.evidence.text) <= 1_001


def test_it_holds_numbers_and_words_and_the_threshold_of_validation(tmp_path: Path) -> None:
    article = LabeledArticle(id="1", content="alpha beta one", content_hash="1", label="Unknown", labeler="human:a")
    save_words(fit(["Windows", "Linux"]), "human:a", [article], tmp_path / "m")

    assert sorted(path.name for path in (tmp_path / "m").iterdir()) == ["ctiforge.json", "words.safetensors"]
    words = Words(tmp_path / "m")
    assert words.threshold == pytest.approx(words.detect_many([article.content])[0].confidence)
    assert np.isclose(sum(words.detect_many([article.content])[0].probabilities.values()), 1)


def test_a_folder_that_holds_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"holds no words\.safetensors"):
        Words(tmp_path)
