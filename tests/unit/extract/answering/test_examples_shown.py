"""Solved passages in a prompt, and how many of them."""

import json

import pytest

from ctiforge.errors import UsageError
from ctiforge.extract.answering.examples_shown import SolvedPassage, SolvedPassages, read_passages
from ctiforge.extract.answering.windowed import PendingWindow, RawAnswer, WindowedExtractor
from ctiforge.extract.prompts import load_prompt
from ctiforge.extract.prompts.rendering import render_prompt
from ctiforge.extract.shown_count import show_examples
from ctiforge.records.model_note import AgentUsage, WindowSizes
from tests import making

USAGE = AgentUsage("messages", "short-v1", ("services", "cmdline"), WindowSizes(200, 60, 20))


def passage(text: str, *values: str, types: tuple[str, ...] = ("services",)) -> SolvedPassage:
    items = [{"type": types[0], "value": value} for value in values]
    return SolvedPassage(text, types, json.dumps({"observables": items}))


TRAINING = [
    passage("It made the service Updater on the host.", "Updater"),
    passage("The actor ran whoami /all in a shell.", "whoami /all", types=("cmdline",)),
    passage("Nothing of note was seen in the network."),
]


def test_the_passages_most_like_a_window_are_shown_the_most_like_last() -> None:
    found = SolvedPassages(TRAINING).nearest("It made the service Helper on a host.", ["services"], 2)
    assert [each.text for each in found] == [TRAINING[2].text, TRAINING[0].text]
    # of another type, or the very same text: no example
    assert SolvedPassages(TRAINING).nearest(TRAINING[1].text, ["cmdline"], 2) == []


@pytest.mark.parametrize("text_format", ["messages", "simple", "chatml", "alpaca"])
def test_examples_stand_before_what_is_asked_each_with_its_answer(tokenizer, text_format: str) -> None:
    solved = [("Q1", "A1"), ("Q2", "A2")]
    rendered = render_prompt(text_format, load_prompt("short-v1"), ["services"], "TEXT", tokenizer, solved=solved)
    places = [rendered.index(each) for each in ("Q1", "A1", "Q2", "A2", "TEXT")]
    assert places == sorted(places)
    plain = render_prompt(text_format, load_prompt("short-v1"), ["services"], "TEXT", tokenizer)
    assert "Q1" not in plain


class Copying(WindowedExtractor):
    """Answers as its last example does, when it is shown as many as it wants."""

    def __init__(self, wants: int) -> None:
        super().__init__(USAGE, "copying", lambda texts: [len(each.split()) for each in texts], halves=False)
        self.wants = wants

    def generate(self, waiting):
        for pending in waiting:
            solved = self.solved(PendingWindow(0, pending.window, pending.types, pending.text))
            value = "Helper" if len(solved) == self.wants else "nothing"
            raw = json.dumps({"observables": [{"type": "services", "value": value}]})
            yield RawAnswer(pending, raw, 1, 1, stopped_by_length=False)


def test_validation_chooses_how_many_are_shown_and_fewer_where_more_are_no_better() -> None:
    training = [passage(f"It made the service Made{number} on the host.", f"Made{number}") for number in range(6)]
    validation = [passage("It made the service Helper on a host.", "Helper")]
    wants_two, wants_none = Copying(2), Copying(99)
    assert show_examples(wants_two, training, validation, "auto") == {1: 0.0, 2: 1.0, 4: 0.0}
    assert wants_two.shown is not None
    assert wants_two.shown.count == 2
    show_examples(wants_none, training, validation, "auto")
    assert wants_none.shown is not None
    assert wants_none.shown.count == 1
    assert show_examples(wants_two, training, validation, "3") == {}
    assert wants_two.shown.count == 3


def test_passages_are_read_from_prepared_data(tmp_path, article) -> None:
    with pytest.raises(UsageError, match=r"holds no articles\.jsonl"):
        read_passages(tmp_path)
    text = "It made the service Updater on the host."
    (tmp_path / "articles.jsonl").write_text(article(text).model_dump_json() + "\n")
    row = making.example(article_id="1", start=0, end=20, answer="{}", types=["services"])
    (tmp_path / "train.jsonl").write_text(json.dumps(row) + "\n")
    assert read_passages(tmp_path) == [SolvedPassage(text[:20], ("services",), "{}")]
