import json
from functools import partial

import pytest

from ctiforge.extract.dataset.examples import ExampleLengths, article_examples, locate_article
from ctiforge.records.article import TypeLabel
from ctiforge.records.model_note import WindowSizes
from ctiforge.training.encoding import count_tokens

FILLER = " ".join(f"Nothing of note was seen on host {number} that day." for number in range(60))


@pytest.fixture
def prepare(tokenizer):
    """Article to (located article, examples), with a prompt that costs four tokens."""

    def lengths(prompt, answer):
        prompt_tokens, answer_tokens = count_tokens(tokenizer, [prompt, answer])
        return ExampleLengths(prompt_tokens + 4, answer_tokens + 1, answer_tokens + 1)

    def make(record, max_length=300, window_tokens=120, overlap_tokens=40, repeat_items=99):
        located = locate_article(record, partial(count_tokens, tokenizer))
        sizes = WindowSizes(max_length, window_tokens, overlap_tokens)
        return located, article_examples(
            located, sizes, lambda types, text, platform: f"{','.join(types)}\n{text}", lengths, repeat_items
        )

    return make


def values(example):
    return [item["value"] for item in json.loads(example.answer)["observables"]]


def test_a_window_answers_exactly_what_occurs_in_it(article, prepare):
    text = f"It ran `whoami /all` first.\n\n{FILLER}\n\nThen it ran `net group Admins /domain` here."
    _, result = prepare(article(text, cmdline=["whoami /all", "net group Admins /domain"]))
    assert values(result.examples[0]) == ["whoami /all"]
    assert values(result.examples[-1]) == ["net group Admins /domain"]
    for example in result.examples:
        assert values(example) == [
            value for value in ("whoami /all", "net group Admins /domain") if value in example.window
        ]


def test_every_example_fits_and_no_answer_is_lost(article, prepare):
    commands = [f"cmd /c start C:\\Temp\\tool{number}.exe -a {number}" for number in range(40)]
    text = FILLER + "\n" + "\n".join(commands) + "\n" + FILLER
    _, result = prepare(article(text, cmdline=commands))
    assert {value for example in result.examples for value in values(example)} == set(commands)
    assert all(example.tokens <= 300 for example in result.examples)
    assert result.too_long == []


def test_the_answer_is_spelt_as_the_article_writes_it_in_order_of_appearance(article, prepare):
    text = "The service `WebRootCheck` starts. The key HKCU:\\Software\\Evil is set."
    _, result = prepare(article(text, registry=["HKCU\\Software\\Evil"], services=["webrootcheck"]))
    assert values(result.examples[0]) == ["WebRootCheck", "HKCU:\\Software\\Evil"]


NOWHERE = "rundll32 payload.bin,Start"
LIKE_IT = "something with payload.bin was started by the loader."


def test_a_machine_label_that_stands_nowhere_silences_its_type_where_it_is_probably_meant(article, prepare):
    text = f"It ran `whoami /all` first. {FILLER} Then {LIKE_IT} {FILLER} The service `Evil` ran."
    record = article(
        text,
        labelled_by="model",
        labelled_types=("cmdline", "services"),
        cmdline=["whoami /all", NOWHERE],
        services=["Evil"],
    )

    located, result = prepare(record)

    assert [item.observable.value for item in located.dropped] == [NOWHERE]
    near = [example for example in result.examples if "payload.bin" in example.window]
    assert near
    assert all(example.types == ("services",) for example in near)
    assert any(values(example) == ["whoami /all"] for example in result.examples)
    assert all(NOWHERE not in values(example) for example in result.examples)


def test_a_human_label_that_stands_nowhere_is_taught_in_one_window_and_asked_for_in_no_other_near_it(article, prepare):
    text = f"{FILLER} Then {LIKE_IT} {FILLER}"

    located, result = prepare(article(text, labelled_types=("cmdline",), cmdline=[NOWHERE]))

    assert [item.observable.value for item in located.unlocated_human] == [NOWHERE]
    near = [example for example in result.examples if "payload.bin" in example.window]
    assert [values(example) for example in near] == [[NOWHERE]]


def test_a_label_of_which_nothing_stands_anywhere_silences_no_window(article, prepare):
    located, result = prepare(article(FILLER, labelled_by="model", labelled_types=("cmdline",), cmdline=["zzqx 9937"]))

    assert [item.nearest for item in located.dropped] == [None]
    assert result.examples
    assert all(example.types == ("cmdline",) for example in result.examples)


def test_beyond_what_its_labeler_saw_a_type_is_not_asked_for(article, prepare):
    first, second = f"It ran `whoami /all`. {FILLER}", f"{FILLER} Then `net user` ran."
    labels = {
        "cmdline": TypeLabel(by="model", why="found", seen=((0, len(first)),)),
        "services": TypeLabel(by="model", why="found nothing"),
    }
    record = article(first + second, labelled_types=("cmdline", "services"), cmdline=["whoami /all"])
    record = record.model_copy(update={"type_labels": labels})

    _, result = prepare(record)

    assert any(values(example) == ["whoami /all"] for example in result.examples)
    for example in result.examples:
        assert ("cmdline" in example.types) == (example.end <= len(first))
        assert "services" in example.types

    seen_in_part = {type_: each.model_copy(update={"seen": ((0, len(first)),)}) for type_, each in labels.items()}
    _, result = prepare(record.model_copy(update={"type_labels": seen_in_part}))
    assert result.examples
    assert all(example.types == ("cmdline", "services") and example.end <= len(first) for example in result.examples)


def test_an_item_longer_than_a_window_is_counted_and_its_type_not_asked_where_it_is_cut(article, prepare):
    command = "powershell -enc " + "A1b2" * 120
    text = f"{FILLER} It ran `{command}` and the service `Evil` too."
    _, result = prepare(article(text, cmdline=[command], services=["Evil"]))
    assert [item.value for item in result.too_long] == [command]
    touching = [example for example in result.examples if "A1b2" in example.window]
    assert touching
    assert all("cmdline" not in example.types for example in touching)
    assert any(values(example) == ["Evil"] for example in result.examples)


def test_a_lineage_needs_both_ends_in_the_window(article, prepare):
    text = f"{FILLER} Then winword.exe spawned\n\nevil.exe on it. {FILLER}"
    _, result = prepare(article(text, process_lineage=["winword.exe -> evil.exe"]))
    for example in result.examples:
        both = "winword.exe" in example.window and "evil.exe" in example.window
        assert bool(values(example)) == both


def test_only_labelled_types_are_asked_for(article, prepare):
    record = article("The service `Evil` runs `whoami /all`.", labelled_types=("services",), services=["Evil"])
    _, result = prepare(record)
    assert result.examples[0].types == ("services",)


def test_the_longest_item_is_measured_from_its_first_to_its_last_character(article, prepare, tokenizer):
    located, _ = prepare(article("It ran `whoami /all` here.", cmdline=["whoami /all"]))
    least = count_tokens(tokenizer, ["whoami /all"])[0]
    assert least <= max(located.target_tokens) <= least + 6


def test_platforms_are_asked_for_only_where_every_item_of_the_window_has_one(article, prepare):
    record = article(
        "It ran `whoami /all` here, and the service `Evil` there.", cmdline=["whoami /all"], services=["Evil"]
    )
    known = [item.model_copy(update={"platform": "Windows"}) for item in record.observables]
    _, some = prepare(record.model_copy(update={"observables": (known[0], record.observables[1])}))
    _, every = prepare(record.model_copy(update={"observables": tuple(known)}))
    assert (some.examples[0].asks_platform, every.examples[0].asks_platform) == (False, True)
    assert "platform" not in some.examples[0].answer
    assert every.examples[0].answer.count('"platform":"Windows"') == 2
