"""By which id an engine serves a version, and what a model's confidence is worth."""

import gzip
from pathlib import Path

import pytest

from ctiforge import __version__
from ctiforge.evaluation.scoring.articles import score_article
from ctiforge.records.answer import ANSWERS_NAME, ItemProbability, KeptAnswer
from ctiforge.records.evaluation import ModelInfo
from ctiforge.serving.loading import LoadOptions, choose_served, load_fixed
from tests.unit.evaluation.cases import case, evaluation, item


@pytest.mark.parametrize(
    ("served", "others", "found"),
    [
        (["x", "ctiforge/agent@3"], [], "ctiforge/agent@3"),
        (["ctiforge/agent@2"], [], None),
        (["agent-Q4_K_M"], [], "agent-Q4_K_M"),
        (["team/agent-bf16.gguf"], [], "team/agent-bf16.gguf"),
        (["agent"], [], "agent"),
        (["agent-next", "agent-next-q8_0", "other-agent-q8_0"], [], None),
        # a file's name does not say which of two versions it is
        (["agent-Q4_K_M"], ["agent"], None),
        (["agent-Q4_K_M", "ctiforge/agent@3"], ["agent"], "ctiforge/agent@3"),
        ([], [], None),
    ],
)
def test_a_version_is_known_by_its_id_or_its_file(served: list[str], others: list[str], found: str | None) -> None:
    assert choose_served("agent", "3", served, others) == found


def test_confidence_is_calibrated_on_the_models_own_evaluation_alone(tmp_path: Path) -> None:
    scored = [
        score_article(case(str(n), [item("cmdline", "whoami /all")], [item("cmdline", "whoami /all")]))
        for n in range(200)
    ]
    evaluation(scored).model_copy(update={"model": ModelInfo(name="m", version=__version__)}).write(tmp_path)
    raw = '{"observables": [{"type": "cmdline", "value": "whoami /all"}]}'
    start = raw.index("[") + 1
    sure = ItemProbability(start=start, end=len(raw) - 2, mean=-0.1, least=-0.2)
    with gzip.open(tmp_path / ANSWERS_NAME, "wt") as file:
        for number in range(200):
            kept = KeptAnswer(article_id=str(number), start=0, end=9, types=("cmdline",), raw=raw, items=(sure,))
            file.write(kept.model_dump_json() + "\n")
    found = load_fixed("regex", LoadOptions(calibrate_on=str(tmp_path))).model.calibration
    assert found is not None
    assert found.items == 200
    other = ModelInfo(name="other", version="of another")
    evaluation(scored).model_copy(update={"model": other}).write(tmp_path)
    assert load_fixed("regex", LoadOptions(calibrate_on=str(tmp_path))).model.calibration is None
