"""The model card: what it says, and that it says nothing of its own."""

import re
from dataclasses import replace
from importlib import resources

import pytest
import yaml
from huggingface_hub import ModelCard

from ctiforge.errors import DataError
from ctiforge.records.model_note import OsBertNote
from ctiforge.records.prepared import PrepareReport
from ctiforge.records.training import Training
from ctiforge.release.card import TEMPLATE, Card, check_card, read_card, render_card
from ctiforge.release.publication import Published
from tests.unit.release.making import make_evaluation, note, report, training


def card(previous=None, data=True, evaluation=None, **changes):
    return Card(
        repo="team/os-bert",
        version="1.2.0",
        license="apache-2.0",
        note=OsBertNote(**note()),
        training=Training(**training(**changes)),
        evaluated=evaluation or make_evaluation("0123456789ab"),
        data=PrepareReport(**report()) if data else None,
        previous=previous,
        author="A Team",
    )


def sections(text):
    body = text.split("\n---\n", 1)[1]
    return dict(re.findall(r"^## (.*?)\n(.*?)(?=^## |\Z)", body, re.DOTALL | re.MULTILINE))


def test_every_promised_section_is_there_and_none_is_empty():
    for made in (card(), card(data=False), card(previous=Published("1.1.0"))):
        text = render_card(made)
        found = sections(text)
        assert list(found) == [
            *("Intended use", "Limitations", "Training data", "Evaluation", "Training"),
            *("Use", "Changes", "Citation", "License"),
        ]
        assert all(content.strip() for content in found.values())
        for leftover in ("More Information Needed", "{{", "{%", "None", "\n\n\n"):
            assert leftover not in text


def test_the_template_itself_holds_no_number():
    template = (resources.files("ctiforge.release") / TEMPLATE).read_text("utf-8")
    words = re.sub(r"\{[{%].*?[%}]\}", "", template).replace("F1", "").replace("id2label", "")
    assert re.findall(r".*\d.*", words) == []


def test_metadata_is_plain_yaml_with_the_figures_of_the_evaluation():
    evaluation = make_evaluation("0123456789ab")
    text = render_card(card(evaluation=evaluation))
    metadata = yaml.safe_load(text.split("---")[1])
    assert metadata["license"] == "apache-2.0"
    assert metadata["pipeline_tag"] == "text-classification"
    result = metadata["model-index"][0]["results"][0]
    assert result["dataset"]["args"] == {"content_hash": "hash-of-analysts"}
    assert {each["name"]: each["value"] for each in result["metrics"]} == {
        figure.label: figure.value for figure in evaluation.result.metrics.values()
    }
    assert all(type(each["value"]) is float for each in result["metrics"])


@pytest.mark.parametrize(
    ("name", "repo", "said"),
    [
        ("squad", None, "private-squad"),
        ("Our analysts' 2nd", None, "private-our-analysts-2nd"),
        ("analysts", "team/cti-test", "team/cti-test"),
    ],
)
def test_a_test_set_of_the_team_is_not_taken_for_a_dataset_of_the_hub(name, repo, said):
    made = replace(card(evaluation=make_evaluation("0123456789ab", test_set=name)), test_set_repo=repo)
    dataset = yaml.safe_load(made.render().split("---")[1])["model-index"][0]["results"][0]["dataset"]
    # a revision would be a commit of the Hub
    assert dataset == {
        "type": said,
        "name": f"{name}@2",
        "split": "test",
        "args": {"content_hash": f"hash-of-{name}"},
    }


def test_the_test_set_of_a_card_of_before_is_read():
    text = render_card(card()).replace("      args:\n        content_hash: hash-of", "      revision: hash-of")
    assert read_card(text, "1.1.0").content_hash == "hash-of-analysts"


def test_figures_stand_with_their_intervals_for_every_row_and_class():
    evaluation = make_evaluation("0123456789ab")
    found = sections(render_card(card(evaluation=evaluation)))["Evaluation"]
    for row in evaluation.rows:
        name = row.name.replace("|", "\\|")
        line = next(line for line in found.splitlines() if line.startswith(f"| {name} | {row.kind} |"))
        for figure in row.metrics.values():
            assert f"{figure.value:.3f} ({figure.low:.3f} to {figure.high:.3f})" in line
    for each in evaluation.result.classes:
        assert re.search(rf"^\| `{each.label}` \| {each.support} \|", found, re.MULTILINE)
    assert "| `MacOS` | 0 | – | – | – |" in found
    columns = {line.count(" | ") for line in found.splitlines() if line.startswith("| `Windows`")}
    assert columns == {4, len(evaluation.rows)}


def test_settings_and_data_are_those_of_the_files():
    found = sections(render_card(card()))
    for line in (
        "| learning rate | 2.5e-05 |",
        "| batch size | 16 |",
        "| training / validation examples | 141 / 31 |",
        "| best validation loss | 0.4321 |",
    ):
        assert line in found["Training"]
    data = found["Training data"]
    assert "207 articles were read, with a threat hunting score of 80 or more, and 194 labeled" in data
    assert "Set aside: empty text 9, conflicting labels 4" in data
    assert "53 articles have labels of both `keywords` and `human`: Cohen's kappa is 0.771" in data
    assert "| `Linux` | 47 | 12 | 7 |" in data


def test_every_labeler_and_altered_copies_are_told():
    made = card(labeler="human:ana + openai:some-model")
    found = sections(render_card(replace(made, data=PrepareReport(**report(augment=2)))))["Training data"]
    assert "`human`, a person; `openai:some-model`, a language model" in found
    assert "holds 2 altered copies of each" in found


def test_limitations_name_what_the_figures_say_against_the_model():
    found = sections(render_card(card()))["Limitations"]
    assert "No training article is labeled `MacOS`" in found
    assert "The test set holds no article of `Unknown`" in found
    assert "Only 7 test articles are of `Linux`" in found
    assert "Articles about several systems: 3 in the test set, recall 1.000" in found
    assert "The strongest floor, keyword \\| rules" in found
    assert "- Noted when the model was made: MacOS: 0 articles, the least is 50\n" in found


def test_agreement_is_called_so_everywhere():
    text = render_card(card(evaluation=make_evaluation("0123456789ab", measure="agreement")))
    assert "its agreement is" in text
    assert "they do not say how often the model is right" in text
    names = {each.metric_name for each in ModelCard(text).data.eval_results}
    assert names == {
        "agreement",
        *(f"{name} (agreement)" for name in ("macro-F1", "weighted F1", "weighted precision", "weighted recall")),
    }
    # the word is left only where it is denied
    assert {each.strip() for each in re.findall(r"\S+ accuracy", text)} == {"no accuracy"}


def test_changes_against_a_version_on_the_same_and_on_another_test_set():
    before = read_card(render_card(card(evaluation=make_evaluation("0123456789ab", wrong=6))), "1.1.0")
    assert before.content_hash == "hash-of-analysts"
    same = sections(render_card(card(previous=before)))["Changes"]
    assert "Against version 1.1.0, on the same test set:" in same
    assert "| accuracy | 0.727 | 0.864 | +0.136 |" in same
    other = card(previous=before, evaluation=make_evaluation("0123456789ab", test_set="real"))
    assert "the figures are not comparable" in sections(render_card(other))["Changes"]


@pytest.mark.parametrize(
    "text", ["", "no metadata", "---\n- a list\n---\n", "---\nmodel-index: 7\n---\n", "---\n: {\n---\n"]
)
def test_a_card_that_cannot_be_read_has_no_figures(text):
    assert read_card(text, "1.1.0") == Published("1.1.0")


def test_a_card_whose_figures_were_changed_does_not_pass_the_check():
    made = card()
    text = render_card(made)
    check_card(text, made)
    with pytest.raises(DataError, match="does not hold the evaluation's figures"):
        check_card(text.replace("value: 0.8636", "value: 0.9636"), made)


@pytest.mark.parametrize(
    ("base", "metadata", "shown"),
    [
        ("google-bert/bert-base-uncased", "google-bert/bert-base-uncased", "`google-bert/bert-base-uncased`"),
        ("bert-base-uncased", "bert-base-uncased", "`bert-base-uncased`"),
        ("demo", None, "`demo`"),
        ("/home/anastasia/models/bert", None, "`bert`"),
        ("s3://bucket/models/bert/", None, "`bert`"),
    ],
)
def test_only_a_name_of_the_hub_is_linked_and_no_path_is_shown(base, metadata, shown):
    text = render_card(card(base_model=base))
    assert yaml.safe_load(text.split("---")[1]).get("base_model") == metadata
    assert f"It is {shown}, fine-tuned" in text
    assert "anastasia" not in text
    assert "bucket" not in text


def test_text_from_files_cannot_break_a_table_or_a_list():
    options = {"note": "a | b\n| c |"}
    text = render_card(card(options=options, warnings=["one\n\n# two"]))
    assert "| note | a \\| b \\| c \\| |" in text
    assert "- Noted when the model was made: one # two\n" in text


def test_both_snippets_are_python_and_name_this_version():
    snippets = re.findall(r"```python\n(.*?)```", render_card(card()), re.DOTALL)
    assert len(snippets) == 2
    for snippet in snippets:
        compile(snippet, "snippet", "exec")
        assert '"1.2.0"' in snippet
        assert '"team/os-bert"' in snippet
    assert "max_length=64" in snippets[0]
