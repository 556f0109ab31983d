"""Which name llama.cpp has for a tokenizer's way of splitting text; never a near one."""

import json
from importlib import resources

import pytest
from tokenizers import Regex, Tokenizer, models, pre_tokenizers

from ctiforge.release.pretokenizers import find_pretokenizer

LLAMA = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
    r"|\s+(?!\S)|\s+"
)
QWEN = LLAMA.replace("{1,3}", "")


def as_json(steps, *, ignore_merges=False):
    tokenizer = Tokenizer(models.BPE(ignore_merges=ignore_merges))
    tokenizer.pre_tokenizer = steps[0] if len(steps) == 1 else pre_tokenizers.Sequence(steps)
    return json.loads(tokenizer.to_str())


def byte_level(use_regex=True, add_prefix_space=False):
    return pre_tokenizers.ByteLevel(add_prefix_space=add_prefix_space, use_regex=use_regex)


def split(pattern):
    return pre_tokenizers.Split(Regex(pattern), "isolated")


@pytest.mark.parametrize(
    ("steps", "ignore_merges", "name"),
    [
        ([byte_level()], False, "gpt-2"),
        ([pre_tokenizers.Digits(individual_digits=True), byte_level()], False, "smollm"),
        ([split(QWEN), byte_level(use_regex=False)], False, "qwen2"),
        ([split(LLAMA), byte_level(use_regex=False)], True, "llama-bpe"),
    ],
)
def test_a_known_way_of_splitting_is_named(steps, ignore_merges, name):
    assert find_pretokenizer(as_json(steps, ignore_merges=ignore_merges)) == name


def test_the_demo_s_own_tokenizer_splits_as_chameleon():
    file = resources.files("ctiforge") / "demo" / "base" / "tokenizer.json"
    assert find_pretokenizer(json.loads(file.read_text(encoding="utf-8"))) == "chameleon"


@pytest.mark.parametrize(
    ("steps", "ignore_merges"),
    [
        ([byte_level(add_prefix_space=True)], False),
        ([pre_tokenizers.Digits(individual_digits=False), byte_level()], False),
        ([split(LLAMA), byte_level(use_regex=False)], False),
        ([split(QWEN), byte_level(use_regex=False)], True),
        ([pre_tokenizers.Whitespace(), byte_level()], False),
    ],
)
def test_what_differs_in_one_step_has_no_name(steps, ignore_merges):
    assert find_pretokenizer(as_json(steps, ignore_merges=ignore_merges)) is None


def test_a_tokenizer_without_steps_has_no_name():
    assert find_pretokenizer({}) is None
