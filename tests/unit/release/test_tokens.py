"""A difference in reading is an error that shows it."""

import pytest

from ctiforge.errors import DataError
from ctiforge.release.gguf import ChatForm, Contents
from ctiforge.release.tokens import check_end, check_reading
from ctiforge.training.encoding import load_tokenizer


class Echo:
    """Reads as the tokenizer does, but for one word."""

    def __init__(self, tokenizer, blind_to=None):
        self.tokenizer, self.blind_to = tokenizer, blind_to

    def tokenize(self, text, *, opened=False):
        return self.tokenizer(text.replace(self.blind_to or "\0\0", ""), add_special_tokens=False)["input_ids"]

    def render(self, messages):
        return "".join(message["content"] for message in messages)


def test_all_alike_is_counted():
    tokenizer = load_tokenizer("demo")
    ids = tokenizer("whoami", add_special_tokens=False)["input_ids"]
    found = check_reading(Echo(tokenizer), tokenizer, ["one", "two"], [([{"role": "user", "content": "whoami"}], ids)])
    assert found.texts > 40
    assert (found.prompts, found.warnings) == (1, ())


@pytest.mark.parametrize("texts", [["rundll32"], []])
def test_a_text_or_a_prompt_that_is_read_otherwise_is_refused(texts):
    tokenizer = load_tokenizer("demo")
    turns = [{"role": "user", "content": "rundll32 x"}]
    ids = tokenizer("rundll32 x", add_special_tokens=False)["input_ids"]
    with pytest.raises(DataError, match="rundll32"):
        check_reading(Echo(tokenizer, "rundll32"), tokenizer, texts, [(turns, ids)])


def test_an_odd_string_that_is_read_otherwise_is_counted_and_stops_nothing():
    tokenizer = load_tokenizer("demo")
    found = check_reading(Echo(tokenizer, "\x00"), tokenizer, ["one"], [])
    (warning,) = found.warnings
    assert "reads 1 of " in warning
    assert r"such as '\x00'" in warning


def test_a_command_that_is_read_otherwise_is_refused_whatever_the_articles_hold():
    tokenizer = load_tokenizer("demo")
    with pytest.raises(DataError, match="whoami"):
        check_reading(Echo(tokenizer, "whoami"), tokenizer, ["one"], [])


def test_a_file_that_does_not_know_the_end_of_an_answer_is_refused():
    contents = Contents("llama", "gpt-2", (2,), "", {})
    check_end(contents, ChatForm("", False, 2))
    with pytest.raises(DataError, match="training did with 7"):
        check_end(contents, ChatForm("", False, 7))
