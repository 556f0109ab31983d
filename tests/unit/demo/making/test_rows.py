"""The rows that the demo's base model learns from."""

import json
import re

import pytest

from ctiforge.demo.making.rows import CUES, PROMPT, TYPES, RowMaker
from ctiforge.demo.sentences import extract_texts
from ctiforge.extract.prompts import load_prompt
from ctiforge.records.observable import ARROW
from ctiforge.training.encoding import DEMO_MODEL, load_tokenizer

ROWS = 150


@pytest.fixture(scope="module")
def made() -> list[tuple[str, str]]:
    """Text and answer of some rows."""
    tokenizer = load_tokenizer(DEMO_MODEL)
    maker = RowMaker(tokenizer, 5)
    rows = [maker.extraction(304, 40) for _ in range(ROWS)]
    for row in rows:
        assert len(row.ids) == len(row.weights) <= 304
    texts = [tokenizer.decode(row.ids) for row in rows]
    found = [re.fullmatch(r"<s><user>(.*)<end><assistant>(.*)<end>", text, re.DOTALL) for text in texts]
    return [(each[1], each[2]) for each in found if each]


def test_an_answer_copies_what_stands_in_the_text_with_a_word_of_its_type(made: list[tuple[str, str]]) -> None:
    assert len(made) == ROWS
    found = 0
    for text, answer in made:
        for item in json.loads(answer)["observables"]:
            found += 1
            assert item["type"] in text.partition("Types: ")[2].partition("\n")[0].split(", ")
            for part in item["value"].split(ARROW):
                assert part in text
            assert any(cue in text.lower() for cue in CUES[item["type"]].split())
    assert found > ROWS / 3
    empty = sum('"observables":[]' in answer for _, answer in made)
    assert ROWS / 6 < empty < ROWS / 1.5


def test_no_wording_of_the_demo_s_articles_is_in_them(made: list[tuple[str, str]]) -> None:
    styles = (*extract_texts().seen, *extract_texts().held_out)
    sentences = [
        text for each in styles for part in (*each.phrases.values(), each.filler, each.distractors) for text in part
    ]
    pieces = {piece.strip() for text in sentences for piece in re.split(r"\{\w\}|`", text)}
    of_length = {piece for piece in pieces if len(piece.split()) >= 3}
    assert len(of_length) > 100
    everything = "\n".join(text for text, _ in made)
    assert not [piece for piece in of_length if piece in everything]


@pytest.mark.parametrize("platforms", [True, False])
def test_they_are_asked_as_the_demo_asks(platforms: bool) -> None:
    asked = f"{PROMPT[0]}a, b{PROMPT[1]}{PROMPT[2] if platforms else ''}\n\ntext"
    assert load_prompt("short-v1").user(["a", "b"], "text", platform=platforms) == asked


def test_the_same_seed_makes_the_same_rows() -> None:
    tokenizer = load_tokenizer(DEMO_MODEL)
    one, same = (RowMaker(tokenizer, 3).extraction(160, 26) for _ in range(2))
    assert one == same
    assert set(CUES) == set(TYPES)
