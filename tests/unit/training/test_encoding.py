import logging
from pathlib import Path

import pytest

from ctiforge.errors import UsageError
from ctiforge.training.encoding import (
    DEMO_MODEL,
    IGNORE,
    count_tokens,
    encode_answer,
    encode_example,
    encode_prompt,
    end_token_id,
    load_tokenizer,
    pad_token_id,
    quiet_hub,
    resolve_model,
    tokenizer_hash,
)


@pytest.fixture
def tokenizer():
    return load_tokenizer("demo")


def test_prompt_and_answer_are_tokenized_apart_and_joined(tokenizer):
    example = encode_example(tokenizer, "<s><user>x<end><assistant>", '{"observables":[]}')
    assert example.input_ids == encode_prompt(tokenizer, "<s><user>x<end><assistant>") + encode_answer(
        tokenizer, '{"observables":[]}'
    )


def test_only_the_answer_and_its_end_token_carry_loss(tokenizer):
    example = encode_example(tokenizer, "<s><user>x<end><assistant>", "{}")
    assert example.labels[: example.answer_start] == [IGNORE] * example.answer_start
    assert example.labels[example.answer_start :] == example.input_ids[example.answer_start :]
    assert example.labels[-1] == tokenizer.convert_tokens_to_ids("<end>")


def test_a_rendered_prompt_is_not_opened_twice(tokenizer):
    assert encode_prompt(tokenizer, "<s><user>x").count(tokenizer.bos_token_id) == 1


def test_the_end_token_is_the_one_that_the_template_closes_a_turn_with(tokenizer):
    tokenizer.eos_token = "<pad>"
    assert end_token_id(tokenizer) == tokenizer.convert_tokens_to_ids("<end>")


def test_a_tokenizer_without_template_ends_with_its_end_of_sequence_token(tokenizer):
    tokenizer.chat_template = None
    assert end_token_id(tokenizer) == tokenizer.eos_token_id


def test_a_tokenizer_without_any_end_token_is_refused(tokenizer):
    tokenizer.chat_template = None
    tokenizer.eos_token = None
    with pytest.raises(UsageError, match="no end-of-sequence token"):
        end_token_id(tokenizer)


def test_a_tokenizer_without_pad_token_pads_with_its_end_token(tokenizer):
    tokenizer.pad_token = None
    assert pad_token_id(tokenizer) == end_token_id(tokenizer)


def test_no_merge_of_the_demo_tokenizer_holds_a_space_so_that_article_and_json_tokenize_alike(tokenizer):
    alone = tokenizer("Stranek", add_special_tokens=False)["input_ids"]
    after_space = tokenizer("the Stranek", add_special_tokens=False)["input_ids"]
    assert after_space[-len(alone) :] == alone


def test_count_tokens_counts_each_text(tokenizer):
    assert count_tokens(tokenizer, []) == []
    assert count_tokens(tokenizer, ["12", ""]) == [2, 0]


def test_a_name_that_cannot_be_loaded_offline_is_told_in_one_line():
    with pytest.raises(UsageError) as caught:
        load_tokenizer("no-such-team/no-such-model")
    assert "no-such-team/no-such-model" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_damaged_tokenizer_is_told_in_one_line(tmp_path):
    source = Path(resolve_model(DEMO_MODEL))
    for name in ("config.json", "tokenizer_config.json"):
        (tmp_path / name).write_bytes((source / name).read_bytes())
    (tmp_path / "tokenizer.json").write_text('{"version": "1.0"')
    with pytest.raises(UsageError, match="cannot load the tokenizer of") as told:
        load_tokenizer(str(tmp_path))
    assert "\n" not in str(told.value)


def test_the_tokenizer_hash_changes_with_the_template(tokenizer):
    before = tokenizer_hash(tokenizer)
    tokenizer.chat_template = "{{ messages }}"
    assert tokenizer_hash(tokenizer) != before


def test_the_hubs_retries_are_left_out(caplog: pytest.LogCaptureFixture) -> None:
    quiet_hub()
    logging.getLogger("huggingface_hub.utils._http").warning("Retrying in 1s [Retry 1/5].")
    assert not caplog.records
