"""The baselines: an article's words, or a frozen encoder's mean vector (saved with skops), and a simple classifier."""

import json
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ctiforge.errors import UsageError
from ctiforge.osbert.embedding import Vectors, embed_articles, load_frozen
from ctiforge.osbert.prepared import check_classes, check_no_leak, class_counts, labeler_of
from ctiforge.osbert.windows import WindowSize, encode_articles
from ctiforge.osbert.words import NAME as TF_IDF
from ctiforge.osbert.words import save_words, vectorizer
from ctiforge.records.model_note import BaselineNote
from ctiforge.records.os_article import read_labeled
from ctiforge.store.hub import split_name
from ctiforge.training.encoding import load_tokenizer
from ctiforge.training.models import pick_device

CLASSIFIERS = ("logistic-regression", "random-forest")
"""What is fitted on vectors; `tf-idf` is beside them, on words."""
WEIGHTS = "classifier.skops"
_FOLDS = 5
# what a forest is made of beyond what skops trusts by itself
_TRUSTED = ["sklearn.tree._tree.Tree"]


def train_baselines(
    base_model: str, base_folder: str, max_length: int, seed: int, device: str, parts: tuple[Path, Path], out: Path
) -> dict[str, Any]:
    """Fit every baseline; settings are chosen by cross-validation on the training part.

    Args:
        base_model: The encoder's name, with its commit, for the notes.
        base_folder: What transformers loads it from: a folder or hub name.
        max_length: Tokens of a window.
        seed: Of folds and forests.
        device: `auto`, `cpu` or `cuda`.
        parts: The training and the validation part of prepare_os; on validation the threshold of tf-idf is chosen.
        out: The folder for one folder a baseline, and `baselines.json`.

    Returns:
        What `baselines.json` holds: by baseline its cross-validated macro-F1 and the settings chosen.

    Raises:
        DataError: There are fewer than two classes, or an article of validation is trained on.
        UsageError: The encoder cannot be loaded.
    """
    articles, validation = (read_labeled(part) for part in parts)
    check_no_leak(articles, validation, "validation")
    notes = check_classes(class_counts(articles))
    size = WindowSize.of(max_length)
    tokenizer = load_tokenizer(base_folder)
    encoded = encode_articles(tokenizer, [article.content for article in articles], size)
    encoder = load_frozen(base_folder, pick_device(device))
    vectors = embed_articles(encoder, encoded, int(tokenizer.pad_token_id or 0), "baselines_os")
    labels = [article.label for article in articles]
    labeler = labeler_of(articles)
    name_of_base, commit = split_name(base_model)
    summary: dict[str, Any] = {"base_model": base_model, "articles": len(articles), "warnings": notes}
    for name in CLASSIFIERS:
        fitted, score = _fit(name, vectors, labels, seed)
        note = BaselineNote(
            labels=tuple(str(label) for label in fitted.classes_),
            name=name,
            base_model=name_of_base,
            base_revision=commit,
            max_length=size.max_length,
            overlap=size.overlap,
            labeler=labeler,
        )
        _save(fitted, note, out / name)
        summary[name] = {"cross_validated_macro_f1": score, **_settings(fitted)}
    fitted, score = _fit(TF_IDF, [article.content for article in articles], labels, seed)
    save_words(fitted, labeler, validation, out / TF_IDF)
    summary[TF_IDF] = {"cross_validated_macro_f1": score, **_settings(fitted)}
    (out / "baselines.json").write_text(json.dumps(summary, indent=1) + "\n", encoding="utf-8")
    return summary


def load_baseline(folder: Path) -> tuple[Any, BaselineNote]:
    """Load the fitted classifier of a folder, and how it reads. Raises UsageError for none, or one to distrust."""
    import skops.io

    file = folder / WEIGHTS
    if not file.is_file():
        raise UsageError(f"{folder} holds no {WEIGHTS}: give a folder of baselines_os")
    note = BaselineNote.load(folder)
    unknown = set(skops.io.get_untrusted_types(file=file)) - set(_TRUSTED)
    if unknown:
        raise UsageError(f"{file} holds {', '.join(sorted(unknown))}, which no baseline of ctiforge has: not loaded")
    return skops.io.load(file, trusted=_TRUSTED), note


def _fit(name: str, vectors: Vectors | list[str], labels: Sequence[str], seed: int) -> tuple[Any, float | None]:
    """Fit the classifier with the best cross-validated macro-F1 of its grid; return that figure, None without one."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.model_selection import GridSearchCV, StratifiedKFold

    model, grid = _candidates(name, seed)
    folds = min(_FOLDS, min(labels.count(label) for label in set(labels)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        if folds < 2:
            return model.fit(vectors, labels), None
        parts = StratifiedKFold(folds, shuffle=True, random_state=seed)
        search = GridSearchCV(model, grid, scoring="f1_macro", cv=parts).fit(vectors, labels)
    return search.best_estimator_, float(search.best_score_)


def _candidates(name: str, seed: int) -> tuple[Any, dict[str, list[Any]]]:
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import StandardScaler

    if name == "random-forest":
        forest = RandomForestClassifier(class_weight="balanced", random_state=seed)
        return Pipeline([("model", forest)]), {
            "model__n_estimators": [100, 300],
            "model__max_depth": [None, 8],
        }
    regression = LogisticRegression(class_weight="balanced", max_iter=2_000)
    if name == TF_IDF:
        return Pipeline([("words", vectorizer()), ("model", regression)]), {"model__C": [1.0, 10.0, 100.0]}
    steps = [("scale", StandardScaler()), ("model", regression)]
    return Pipeline(steps), {"model__C": [0.01, 0.1, 1.0, 10.0]}


def _save(fitted: Any, note: BaselineNote, folder: Path) -> None:
    import skops.io

    folder.mkdir(parents=True)
    skops.io.dump(fitted, folder / WEIGHTS)
    note.write(folder)


def _settings(fitted: Any) -> dict[str, Any]:
    chosen = fitted.named_steps["model"].get_params()
    return {name: chosen[name] for name in ("C", "n_estimators", "max_depth") if name in chosen}
