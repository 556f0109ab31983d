import json
import re

import pytest

from ctiforge.errors import DataError, UsageError
from ctiforge.extract.dataset.format import (
    FormatOptions,
    format_records,
    formats_of,
    prepare,
    remove_leaks,
    thin_out_empty,
    with_own,
    write_guide_files,
    write_prepared,
)
from ctiforge.extract.prompts import find_prompt, prompt_of, read_prompt_file
from ctiforge.extract.prompts.rendering import render_prompt
from ctiforge.records.base import read_lines
from ctiforge.records.formatted import ExampleRow, FormatReport
from ctiforge.records.model_note import ChatTemplate
from ctiforge.training.encoding import load_tokenizer
from ctiforge.training.templates import use_template

OPTIONS = FormatOptions("messages", "short-v1", 256, validation_share=0.2)
WORDS = ("alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa", "lambda", "sigma")


def different_text(number):
    """A text that is no near duplicate of another number's."""
    return " ".join(f"{word}{(number * 31 + place * 17) % 997} was seen" for place, word in enumerate(WORDS * 3))


@pytest.fixture
def records(article):
    return [
        article(
            f"{different_text(n)}. It ran `tool{n}.exe -a {n}` there. {different_text(n + 500)}.",
            article_id=str(n),
            cmdline=[f"tool{n}.exe -a {n}"],
        )
        for n in range(20)
    ]


def test_nothing_is_lost_and_everything_fits(records, tokenizer):
    prepared = prepare(records, [], OPTIONS, tokenizer)
    report = prepared.report
    assert (report.answers_lost, report.items_too_long, report.items) == (0, 0, 20)
    assert report.tokens_max <= 256
    assert report.loss_tokens_answer_share == 1.0
    assert prepared.train
    assert prepared.validation


def test_right_truncation_at_the_same_length_is_told_beside(records, tokenizer):
    cut = prepare(records, [], OPTIONS, tokenizer).report.right_truncation
    assert cut.articles_with_answer == cut.answers_gone
    assert cut.answer_tokens_kept_share == 0.0


def test_training_and_validation_share_no_article(records, tokenizer):
    prepared = prepare(records, [], OPTIONS, tokenizer)
    assert not {e.article_id for e in prepared.train} & {e.article_id for e in prepared.validation}


def test_what_repeats_a_held_out_article_is_removed_and_listed(article):
    text = different_text(1)
    test = [
        article("By URL.", article_id="t1", url="https://example.invalid/same"),
        article("Exactly this.", article_id="t2"),
        article(text, article_id="t3"),
    ]
    train = [
        article("Another text under one URL.", article_id="1", url="https://example.invalid/same"),
        article("Exactly this.", article_id="2"),
        article(text.replace("was seen", "was  seen", 1) + " More.", article_id="3"),
        article(different_text(400), article_id="4"),
    ]
    kept, removed = remove_leaks(train, [], test)
    assert [record.id for record in kept] == ["4"]
    assert [(leak["id"], leak["reason"], leak["as"]) for leak in removed] == [
        ("1", "the same page", "t1"),
        ("2", "the same text or nearly", "t2"),
        ("3", "the same text or nearly", "t3"),
    ]


def test_empty_windows_are_thinned_out_to_the_share_asked_for(records, tokenizer):
    prepared = prepare(records, [], FormatOptions("messages", "short-v1", 192, empty_share=0.9), tokenizer)
    full = [e for e in prepared.train if e.observables]
    kept = thin_out_empty(prepared.train, 0.2, seed=0)
    assert [e for e in kept if e.observables] == full
    assert len(kept) - len(full) == round(len(full) / 4)


@pytest.mark.parametrize("max_length", [16, 60, 90])
def test_a_length_without_room_beside_the_prompt_is_refused(records, tokenizer, max_length):
    with pytest.raises(UsageError, match=f"--max-length {max_length} leaves"):
        prepare(records, [], FormatOptions("messages", "short-v1", max_length), tokenizer)


def test_nothing_to_train_on_is_a_data_error(article, tokenizer):
    with pytest.raises(DataError, match="no article with a labeled type"):
        prepare([article("text", labelled_types=())], [], OPTIONS, tokenizer)


def test_the_files_of_every_format(records, tokenizer, tmp_path):
    prepared = prepare(records, [], OPTIONS, tokenizer)
    folder = tmp_path / "X"
    folder.mkdir()
    description = write_prepared(prepared, OPTIONS, tokenizer, "demo", formats_of("all"), folder)
    assert json.loads((folder / "format.json").read_text()) == json.loads(json.dumps(description))
    write_guide_files(tmp_path / "X.json", formats_of("all"))
    for name in ("messages", "alpaca", "chatml", "simple"):
        assert len(json.loads((tmp_path / f"X_{name}.json").read_text())) == len(prepared.train)
    rows = [json.loads(line) for line in (folder / "train.jsonl").read_text().splitlines()]
    assert all(row["prompt"].endswith("<assistant>") for row in rows)


def test_the_same_records_give_the_same_bytes(records, tokenizer, tmp_path):
    for name, given in (("a", records), ("b", records[::-1])):
        (tmp_path / name).mkdir()
        write_prepared(
            prepare(given, [], OPTIONS, tokenizer), OPTIONS, tokenizer, "demo", ("messages",), tmp_path / name
        )
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes(), path.name


def test_an_unknown_format_is_refused():
    with pytest.raises(UsageError, match="sharegpt"):
        formats_of("sharegpt")


def test_a_prompt_and_a_template_of_the_teams_own_stand_in_what_the_model_is_trained_and_asked_with(records, tmp_path):
    source = tmp_path / "records.jsonl"
    source.write_text("".join(each.model_dump_json() + "\n" for each in records), encoding="utf-8")
    prompt = tmp_path / "ours.toml"
    prompt.write_text('system = "Read."\nuser = "Find {types} in:\\n{text}"\n', encoding="utf-8")
    jinja = tmp_path / "ours.jinja"
    jinja.write_text(
        "{% for m in messages %}{{ m.role }}{{ mark }}{{ m.content }}<end>{% endfor %}"
        "{% if add_generation_prompt %}assistant{{ mark }}{% endif %}"
    )
    options = FormatOptions("messages", "full-v1", 256, validation_share=0.2, template_args={"mark": ": "})
    inputs = {"records": source, "prompt": prompt, "template": jinja}
    format_records(inputs, tmp_path, "demo", options, ["messages"])

    usage = FormatReport.load(tmp_path).usage
    assert usage.prompt is not None
    assert usage.prompt_version.startswith("ours@")
    assert usage.template == ChatTemplate({"mark": ": "}, jinja.read_text(encoding="utf-8"))
    row = next(read_lines(tmp_path / "train.jsonl", ExampleRow))
    assert row.prompt.startswith("system: Read.<end>user: Find ")
    assert row.prompt.endswith("<end>assistant: ")
    # the examples' own tokenizer, and one that was loaded for the model that learnt from them
    again = use_template(load_tokenizer("demo"), usage.template)
    asked = render_prompt("messages", prompt_of(usage), row.types, "", again)
    assert row.prompt.startswith(asked.removesuffix("<end>assistant: "))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("user = ", "Invalid value"),
        ("system = 'x'", "user: Field required"),
        ("user = '{text}'", "user has {types} 0 times"),
        ("user = '{text}{types}'", "stands after {text}"),
        (
            "user = '{types} {x} {text}'",
            "there is no {x}, only {types}, {platform} and {text}; write other braces twice",
        ),
        ("user = '{types} {} {text}'", "there is no {}, only"),
        ("user = '{types} {types.x} {text}'", "there is no {types.x}, only"),
        ("user = '{types} } {text}'", "Single '}' encountered in format string; write other braces twice"),
        (
            "user = '{types} {text}'\n[types]\ncmdlines = 'x'",
            "types.cmdlines: there is no such type: choose of cmdline,",
        ),
        ("user = '{types} {text}'\nextra = 1", "there is no extra"),
        ("user = '{types} {text} {platform}'", "user behind {text}: {platform} would stand there as it is"),
        ("user = '{types} {text} {foo}'", "user behind {text}: {foo} would stand there as it is"),
        ("user = '{types} {text} {types}'", "{types} stands after {text}"),
        ("user = '{types} {text} {{\"a\": 1}}'", "user behind {text}: {{ would stand there as it is"),
        ("user = '{{types}} {text}'", "user has {types} 0 times"),
        ("user = '{types} {{{text}}}'", "user has {{{text}}}: the braces before it would be written once"),
        ("user = '{types} {text}'\nplatform = 'and where it runs'", "platform is never asked for: write {platform}"),
        ("user = '{types} {types} {text}'", "user has {types} 2 times"),
        ("user = '{types:{x}} {text}'", "there is no {types:{x}}, only"),
        ("user = '{types!r} {text}'", "there is no {types!r}, only"),
        ("user = '{types} {text}'\nsystem = 'Find {types}.'", "system: {types} is filled in only in user"),
        ("user = '{types} {text}'\nplatform = '{text}'", "platform: {text} is filled in only in user"),
        ("user = '{types} {text}'\n[types]\ncmdline = '{types}'", "types.cmdline: {types} is filled in only in user"),
        ("user = '{types} {text}'\n[types]\ncmdline = ''", "types.cmdline is empty: say what it is"),
    ],
)
def test_a_prompt_that_is_none_is_refused_with_its_place(tmp_path, text, said):
    path = tmp_path / "p.toml"
    path.write_text(text)
    with pytest.raises(UsageError, match=f"--prompt .*p.toml: .*{re.escape(said)}"):
        read_prompt_file(path)


def test_a_prompt_as_notepad_saves_it_is_read_and_what_stands_behind_the_text_stays_as_it_is(tmp_path):
    path = tmp_path / "p.toml"
    path.write_text('user = \'Find {types} in {text} as {"a":{"b":1}}\'', encoding="utf-8-sig")
    version, text = read_prompt_file(path)
    assert find_prompt(version, text).user(["cmdline"], "T") == 'Find cmdline in T as {"a":{"b":1}}'


def test_a_template_as_notepad_saves_it_is_read(tokenizer, tmp_path):
    path = tmp_path / "t.jinja"
    path.write_text("{% for m in messages %}{{ m.content }}{% endfor %}", encoding="utf-8-sig")
    template = with_own(OPTIONS, {"template": path}, tokenizer).template
    assert template is not None
    assert template.jinja == path.read_text(encoding="utf-8-sig")


def test_what_nobody_chose_changes_no_fingerprint():
    assert set(OPTIONS.params()) == {
        "text_format", "prompt_version", "max_length", "window_tokens", "empty_share", "validation_share", "seed",
        "overlap_quantile", "repeat_items",
    }  # fmt: skip
