import pytest

from ctiforge.extract.prompts.answers import item_spans, parse_answer
from ctiforge.extract.prompts.thoughts import answer_span

ANSWER = '{"observables":[{"type":"cmdline","value":"whoami /all"}]}'
DRAFT = '{"observables":[{"type":"cmdline","value":"a draft"}]}'
CHANNEL = '{"observables":[{"type":"cmdline","value":"echo <|channel|>final<|message|>{}"}]}'
TAG = '{"observables":[{"type":"cmdline","value":"echo </think> {x}"}]}'


@pytest.mark.parametrize(
    ("raw", "answer"),
    [
        (ANSWER, ANSWER),
        ("", ""),
        ("no thought, no answer", "no thought, no answer"),
        (f"<think>\nMaybe {DRAFT}?\n</think>\n\n{ANSWER}", f"\n\n{ANSWER}"),
        (f"  <thinking>so</thinking>{ANSWER}", ANSWER),
        (f"[THINK]{DRAFT}[/THINK]{ANSWER}", ANSWER),
        # the generation prompt opened it
        (f"Maybe {DRAFT}?\n</think>{ANSWER}", ANSWER),
        (f"hm</think>{TAG}", TAG),
        # a thought that never ends has no answer, whatever it drafts
        (f"<think>{DRAFT}", ""),
        # a value that holds the tag
        (TAG, TAG),
        (f"<think>x</think>{TAG}", TAG),
        (f"<|channel|>analysis<|message|>{DRAFT}<|end|><|start|>assistant<|channel|>final<|message|>{ANSWER}", ANSWER),
        (f"<|channel|>final <|constrain|>json<|message|>{ANSWER}<|return|>", ANSWER),
        (f"<|channel|>analysis<|message|>{DRAFT}", ""),
        # a value that holds channels
        (CHANNEL, CHANNEL),
        (f"<think>x</think>{CHANNEL}", CHANNEL),
        (f"<|channel|>final<|message|>{CHANNEL}", CHANNEL),
    ],
)
def test_the_answer_is_what_follows_the_thought(raw: str, answer: str) -> None:
    start, end = answer_span(raw)
    assert raw[start:end] == answer


def test_a_draft_is_no_item_and_items_keep_their_places_in_the_raw_text() -> None:
    raw = f"<think>{DRAFT}</think>{ANSWER}"
    parsed = parse_answer(raw, ["cmdline"])
    assert [item.value for item in parsed.observables] == ["whoami /all"]
    assert parsed.json_parsed
    ((start, end),) = item_spans(raw)
    assert raw[start:end] == '{"type":"cmdline","value":"whoami /all"}'
