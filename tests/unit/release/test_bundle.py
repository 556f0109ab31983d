"""Which files are published, and which models are not."""

import json

import pytest

from ctiforge.errors import DataError, UsageError
from ctiforge.records.classification import ClassifierEvaluation, without_articles
from ctiforge.records.prepared import PrepareReport
from ctiforge.release.bundle import check_model, copy_model, hashes, outdated
from ctiforge.release.publish import HubTarget, check_target, lay_out
from ctiforge.store.artifacts import find_input
from tests.unit.release.making import LABELS, make_evaluation, note, report, training, write

EVALUATED = make_evaluation("0123456789ab")
TARGET = HubTarget("team/os-bert", "1.0.0", "apache-2.0")


@pytest.fixture
def model(tmp_path):
    import numpy
    from safetensors.numpy import save_file

    folder = tmp_path / "model"
    folder.mkdir()
    save_file({"weight": numpy.zeros(4, numpy.float32)}, folder / "model.safetensors")
    write(folder / "config.json", config())
    write(folder / "tokenizer.json", {})
    write(folder / "ctiforge.json", note())
    write(folder / "training_metadata.json", training())
    return folder


def config(**changes):
    return {"architectures": ["BertForSequenceClassification"], "id2label": dict(enumerate(LABELS)), **changes}


def test_pickles_folders_and_strangers_stay_behind(model, tmp_path):
    for name in ("pytorch_model.bin", "optimizer.pt", "head.skops", "x.safetensors", ".env", "MODEL.SAFETENSORS"):
        (model / name).write_bytes(b"secret")
    (model / "checkpoint-5").mkdir()
    left_out = copy_model(model, tmp_path / "out")
    assert set(left_out) == {
        *("pytorch_model.bin", "optimizer.pt", "head.skops", "x.safetensors", ".env", "MODEL.SAFETENSORS"),
        "checkpoint-5/",
    }
    assert not any(path.read_bytes() == b"secret" for path in (tmp_path / "out").iterdir())
    assert check_model(tmp_path / "out", EVALUATED).max_length == 64


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("model.safetensors", None, r"no \*.safetensors, and weights of another kind may hold code"),
        ("model.safetensors", b"\x80\x04 a pickle in disguise", "model.safetensors is damaged, or no safetensors"),
        ("config.json", None, "config.json is missing"),
        ("config.json", b"[]", "config.json is missing .* or no JSON"),
        ("config.json", json.dumps(config(architectures=["BertModel"])).encode(), "this is no classifier"),
        (
            "config.json",
            json.dumps(config(id2label={"0": "LABEL_0"})).encode(),
            "has labels LABEL_0, ctiforge",
        ),
        (
            "config.json",
            json.dumps(config(id2label=dict(enumerate(reversed(LABELS))))).encode(),
            "has labels Unknown, multiple",
        ),
        ("tokenizer.json", None, "holds no tokenizer"),
        ("ctiforge.json", None, "ctiforge.json is missing"),
        ("ctiforge.json", b'{"labels": []}', "ctiforge.json of ctiforge: name: Field required"),
        ("model.safetensors.index.json", b'{"weight_map": {"other": "x"}}', "names weights that no"),
    ],
)
def test_a_model_that_cannot_be_published_is_refused(model, name, content, said):
    if content is None:
        (model / name).unlink()
    else:
        (model / name).write_bytes(content)
    with pytest.raises(DataError, match=said):
        check_model(model, EVALUATED)


def test_labels_other_than_the_evaluated_ones_are_refused(model):
    other = EVALUATED.model_copy(update={"labels": LABELS[:3]})
    with pytest.raises(DataError, match="the evaluation has Windows, Linux, MacOS"):
        check_model(model, other)


def test_an_evaluation_of_other_weights_is_refused(model, tmp_path):
    content = find_input(str(model)).content
    with pytest.raises(UsageError, match="the evaluation is of weights 0123456789ab, the model has " + content[:12]):
        lay_out(TARGET, model, content, EVALUATED, None, tmp_path / "out")


def test_what_is_laid_out_is_the_same_every_time_and_tells_no_article(model, tmp_path):
    evaluated = make_evaluation(model)
    for name in ("out", "again"):
        lay_out(TARGET, model, find_input(str(model)).content, evaluated, PrepareReport(**report()), tmp_path / name)
    assert hashes(tmp_path / "out") == hashes(tmp_path / "again")
    assert set(hashes(tmp_path / "out")) == {path.name for path in model.iterdir()} | {"README.md", "evaluation.json"}
    assert ClassifierEvaluation.load(tmp_path / "out") == without_articles(evaluated)
    assert "title" not in (tmp_path / "out/evaluation.json").read_text()


def test_a_path_of_the_base_model_is_not_published(model, tmp_path):
    write(model / "ctiforge.json", note(base_model="/home/anastasia/bert"))
    write(model / "training_metadata.json", training(base_model="/home/anastasia/bert"))
    evaluated = make_evaluation(model)
    card, _ = lay_out(TARGET, model, find_input(str(model)).content, evaluated, None, tmp_path / "out")
    assert not any(b"anastasia" in path.read_bytes() for path in (tmp_path / "out").iterdir())
    assert json.loads((tmp_path / "out/ctiforge.json").read_text()) == note(base_model="bert")
    assert "base_model" not in (tmp_path / "out/README.md").read_text()
    assert card.training.base_model == "/home/anastasia/bert"


def test_of_a_repository_only_old_models_and_unsafe_weights_are_outdated(model):
    there = ["README.md", "LICENSE", "vocab.txt", "pytorch_model.bin", "model.safetensors", ".gitattributes", "a/b.bin"]
    assert outdated(there, model) == ["a/b.bin", "pytorch_model.bin", "vocab.txt"]


@pytest.mark.parametrize(
    ("target", "said"),
    [
        (HubTarget("os-bert", "1.0.0", "mit"), "names no repository: give owner/name"),
        (HubTarget("team/os--bert", "1.0.0", "mit"), "names no repository"),
        (HubTarget("team/../bert", "1.0.0", "mit"), "names no repository"),
        (HubTarget("team/os-bert", "1.0", "mit"), "no semantic version"),
        (HubTarget("team/os-bert", "1.0.0", "MIT License"), "no license of the Hub"),
    ],
)
def test_a_target_that_cannot_be_one_is_refused(target, said):
    with pytest.raises(UsageError, match=said):
        check_target(target)


def test_a_report_of_another_shape_is_told_by_its_field(tmp_path):
    path = write(tmp_path / "prepare.json", report(articles_read="many"))
    with pytest.raises(DataError, match=r"prepare.json of ctiforge: articles_read: Input should be a valid integer"):
        PrepareReport.load(path)


def test_no_person_who_labeled_is_published(model, tmp_path):
    named = "human:anastasia, b. o'neil + openai:some-model"
    write(model / "ctiforge.json", note(labeler=named))
    write(model / "training_metadata.json", training(labeler=named))
    data = report(labeler=named, set_aside={"human:anastasia: not judged": 3})
    data["agreement"][0] |= {"other": "human:anastasia"}
    lay_out(
        TARGET, model, find_input(str(model)).content, make_evaluation(model), PrepareReport(**data), tmp_path / "out"
    )
    assert not any(
        b"anastasia" in path.read_bytes() or b"neil" in path.read_bytes() for path in (tmp_path / "out").iterdir()
    )
    assert json.loads((tmp_path / "out/ctiforge.json").read_text()) == note(labeler="human + openai:some-model")
