import pytest

from ctiforge.errors import UsageError
from ctiforge.extract.dataset.own_rows import about_rows, usage_of_rows
from ctiforge.extract.prompts import find_prompt, load_prompt, prompt_of
from ctiforge.extract.prompts.rendering import render_prompt
from ctiforge.records.model_note import FORMATS, UNKNOWN_PROMPT, PromptText
from ctiforge.training.encoding import count_tokens, load_tokenizer

TEXTS = ["The actor ran whoami.\n\nText:\nAgain.", "Nothing here.\n" * 20 + "End."]
TYPES = (["cmdline"], ["cmdline", "registry"])
OWN = PromptText("You read reports.", "Find {types} in:\n{text}\nBe brief.", "", {})


@pytest.fixture(scope="module")
def tokenizer():
    return load_tokenizer("demo")


def usage_of(tokenizer, prompts, own=None):
    return usage_of_rows(prompts, tokenizer, max_length=512, template=None, own=own)


@pytest.mark.parametrize("text_format", FORMATS)
@pytest.mark.parametrize("version", ["full-v1", "short-v1"])
def test_the_packages_own_prompts_are_recognized(tokenizer, text_format, version):
    prompt = load_prompt(version)
    prompts = [
        render_prompt(text_format, prompt, types, text, tokenizer, platform=index > 0)
        for index, (types, text) in enumerate(zip(TYPES, TEXTS, strict=True))
    ]
    usage = usage_of(tokenizer, prompts)
    assert (usage.text_format, usage.prompt_version) == (text_format, version)
    assert usage.types == ("cmdline", "registry")
    assert usage.sizes.max_length == 512
    assert usage.sizes.window_tokens == max(count_tokens(tokenizer, TEXTS))
    assert 0 < usage.sizes.overlap_tokens < usage.sizes.window_tokens
    assert f"the prompt {version}" in about_rows(usage)


def test_a_prompt_of_the_teams_own_is_recognized_where_it_is_named(tokenizer):
    prompts = [render_prompt("messages", find_prompt("own@1", OWN), ["cmdline"], text, tokenizer) for text in TEXTS]
    assert usage_of(tokenizer, prompts).prompt_version == UNKNOWN_PROMPT
    usage = usage_of(tokenizer, prompts, ("own@1", OWN))
    assert (usage.prompt_version, usage.prompt, usage.types) == ("own@1", OWN, ("cmdline",))


def test_rows_of_any_other_prompt_are_asked_about_nothing(tokenizer):
    prompt = load_prompt("short-v1")
    known = render_prompt("messages", prompt, ["cmdline"], "x", tokenizer)
    for prompts in (["What is 2 + 2?"], [known, "What is 2 + 2?"], [known.replace("Copy", "Steal")]):
        usage = usage_of(tokenizer, prompts)
        assert usage.prompt_version == UNKNOWN_PROMPT
        assert "cannot ask this model" in about_rows(usage)
        with pytest.raises(UsageError, match="a prompt that ctiforge does not know"):
            prompt_of(usage)
