"""From harvested articles to training examples that fit the target model, with nothing cut off."""

import hashlib
import json
import math
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from ctiforge.data.leaks import Leak, leaks_between
from ctiforge.data.testsets import held_out_articles
from ctiforge.errors import DataError, UsageError
from ctiforge.extract.dataset.examples import (
    ArticleExamples,
    CountExample,
    Example,
    ExampleLengths,
    LocatedArticle,
    RenderPrompt,
    article_examples,
    locate_article,
)
from ctiforge.extract.dataset.splits import split_by_group
from ctiforge.extract.dataset.token_report import token_report, truncation_report
from ctiforge.extract.prompts import Prompt, find_prompt, read_prompt_file
from ctiforge.extract.prompts.rendering import guide_row, render_answer, render_prompt
from ctiforge.progress import Progress
from ctiforge.records.article import ArticleRecord, read_records
from ctiforge.records.formatted import TRAINED_ON, VALIDATION_ARTICLES, ExampleRow, FormatReport, TokenReport
from ctiforge.records.model_note import FORMATS, ChatTemplate, Format, PromptText, WindowSizes
from ctiforge.training.encoding import count_tokens, encode_example, load_tokenizer, tokenizer_hash
from ctiforge.training.templates import choose_template, use_template

# Share of the room beside the prompt that the window gets; the rest is the answer's.
_WINDOW_SHARE = 0.6
# Special tokens and boundary merges that a count by pieces does not see.
_SLACK_TOKENS = 8
# A window shorter than this shows no sentence.
_LEAST_WINDOW_TOKENS = 24


@dataclass(frozen=True)
class FormatOptions:
    """What a person may choose about preparation; see `ctiforge format-extract --help`."""

    text_format: Format
    """How a prompt and its answer are written as one text, one of `FORMATS`."""
    prompt_version: str
    """The name of the prompt: `short-v1` and so on."""
    max_length: int
    """Tokens of prompt, window and answer together."""
    window_tokens: int | None = None
    """Tokens of a window; None: 60 % of the room beside the prompt."""
    empty_share: float = 0.3
    """Share of training windows without any item, 0 to below 1."""
    validation_share: float = 0.1
    """Share of the articles that validation gets, 0 to 1."""
    seed: int = 0
    """Chooses the validation articles and the empty windows."""
    overlap_quantile: float = 0.95
    """Share of the training items that the overlap of windows is long enough for, 0 to 1."""
    repeat_items: int = 2
    """Examples of an epoch that teach the same item of an article, at most."""
    template_args: Mapping[str, Any] = field(default_factory=dict)
    """Variables of the model's chat template that are fixed."""
    end_tokens: tuple[str, ...] = ()
    """What ends an answer, where it is not what the template ends with."""
    close_thought: bool = False
    """Whether a thought that the template opens is closed before the answer."""
    template: ChatTemplate | None = None
    """How the chat template is used, as `with_own` finds it; None: as the tokenizer brings it."""
    prompt: PromptText | None = None
    """The text of a prompt of the team's own, as `with_own` reads it; None: the one of this package."""

    def params(self) -> dict[str, Any]:
        """List what enters the fingerprint; choices of later versions only where they were made."""
        later = ("template_args", "end_tokens", "close_thought", "template", "prompt")
        return {name: each for name, each in asdict(self).items() if each or name not in later}


@dataclass(frozen=True)
class Prepared:
    """Examples of both parts, what was removed for leaking, and the report."""

    train: list[Example]
    validation: list[Example]
    sizes: WindowSizes
    types: tuple[str, ...]
    leaked: list[dict[str, str]]
    report: TokenReport
    training_values: dict[str, list[str]]
    articles: list[ArticleRecord]
    """Those that examples of either part were cut from."""
    validation_articles: list[ArticleRecord]
    """All that were held back for validation, those without an example too."""


def format_records(
    inputs: Mapping[str, Path], out: Path, model: str, options: FormatOptions, formats: Sequence[Format]
) -> dict[str, Any]:
    """Turn harvested articles into training examples that fit the target model.

    Args:
        inputs: `records` → the harvest's file or folder; `test_set…` → test sets that nothing trained on may repeat;
            `prompt`, `template` → a prompt and a chat template of the team's own, where there are.
        out: The folder for examples, the articles they are cut from, guide files and `format.json`.
        model: The base model whose tokenizer counts: a folder, a hub name, or `demo`.
        options: What a person chose.
        formats: The formats that guide files are written in.

    Returns:
        What `format.json` holds.

    Raises:
        DataError: Nothing is left to train on.
        UsageError: `max_length` has no room beside the prompt, or the tokenizer cannot be loaded.
    """
    tokenizer = load_tokenizer(str(inputs.get("model", model)))
    options = with_own(options, inputs, tokenizer)
    use_template(tokenizer, options.template)
    records = read_records(inputs["records"])
    held_out = [article for _, article in held_out_articles(inputs)]
    prepared = prepare(records, held_out, options, tokenizer)
    return write_prepared(prepared, options, tokenizer, model, formats, out)


def with_own(options: FormatOptions, inputs: Mapping[str, Path], tokenizer: Any) -> FormatOptions:
    """Read the team's own prompt and template, and find how the template is used.

    Raises UsageError for a file that is none, or a template that opens a thought where nobody said what to do with it.
    """
    version, prompt = read_prompt_file(inputs["prompt"]) if "prompt" in inputs else (options.prompt_version, None)
    template = None
    if options.text_format == "messages":
        template = choose_template(
            tokenizer,
            arguments=options.template_args,
            jinja=inputs["template"].read_text(encoding="utf-8-sig") if "template" in inputs else None,
            end_tokens=options.end_tokens,
            close_thought=options.close_thought,
        )
    return replace(options, prompt_version=version, prompt=prompt, template=template)


def prepare(
    records: Sequence[ArticleRecord], test_articles: Sequence[ArticleRecord], options: FormatOptions, tokenizer: Any
) -> Prepared:
    """Split, check for leaks, locate, window, thin out empty windows, and count.

    Raises DataError where nothing is left to train on, UsageError where `max_length` has no room
    beside the prompt.
    """
    render, count_example = example_tools(options, tokenizer)
    usable = [record for record in records if record.labelled_types and record.content.strip()]
    if not usable:
        raise DataError("no article with a labeled type and a text: harvest more, or look at the harvest's report")
    split = split_by_group(usable, options.validation_share, options.seed)
    kept, leaked = remove_leaks(split.train, split.validation, test_articles)
    if not kept:
        raise DataError(f"no article is left to train on: all {len(split.train)} repeat a validation or test article")
    located = [_located(part, tokenizer) for part in (kept, split.validation)]
    types = tuple(sorted({name for record in usable for name in record.labelled_types}))
    sizes = window_sizes(options, types, located[0], render, count_example)
    repeats = options.repeat_items
    cut = [[article_examples(article, sizes, render, count_example, repeats) for article in part] for part in located]
    windows = [[example for article in part for example in article.examples] for part in cut]
    train, validation = (thin_out_empty(part, options.empty_share, options.seed) for part in windows)
    if not train:
        raise DataError("no training window is left: every item is too long for --max-length, raise it")
    report = token_report(
        train,
        validation,
        all_windows=[*windows[0], *windows[1]],
        counts=_counts([*located[0], *located[1]], [*cut[0], *cut[1]], sizes),
        unplaced=_unplaced([*located[0], *located[1]]),
        truncation=truncation_report(
            [_whole(article, render, count_example) for article in located[0] if article.targets], options.max_length
        ),
    )
    used = {example.article_id for example in (*train, *validation)}
    articles = [record for record in (*kept, *split.validation) if record.id in used]
    return Prepared(train, validation, sizes, types, leaked, report, _values(train), articles, list(split.validation))


def example_tools(options: FormatOptions, tokenizer: Any) -> tuple[RenderPrompt, CountExample]:
    """Make what renders a window as a prompt, and what counts prompt and answer, in this format for this tokenizer."""
    prompt = find_prompt(options.prompt_version, options.prompt)
    return partial(_render, options.text_format, prompt, tokenizer), partial(_count_example, tokenizer)


def window_sizes(
    options: FormatOptions,
    types: Sequence[str],
    articles: Sequence[LocatedArticle],
    render: RenderPrompt,
    count_example: CountExample,
) -> WindowSizes:
    """Compute window and overlap in tokens: the overlap is as long as nearly all training items.

    One long item does not make all windows repeat each other: it gets one of its own in training, and is asked about
    again where a window cuts it at inference.
    """
    prompt_tokens = count_example(render(types, "", True), "").prompt
    room = options.max_length - prompt_tokens - _SLACK_TOKENS
    window = options.window_tokens or int(room * _WINDOW_SHARE)
    if window < _LEAST_WINDOW_TOKENS or window >= room:
        raise UsageError(
            f"--max-length {options.max_length} leaves {max(room, 0)} tokens beside the prompt's {prompt_tokens}"
            f" ({options.prompt_version}): too few for a window of {max(window, _LEAST_WINDOW_TOKENS)} and its answer"
        )
    lengths = sorted(length for article in articles for length in article.target_tokens)
    overlap = lengths[max(math.ceil(options.overlap_quantile * len(lengths)), 1) - 1] if lengths else 0
    return WindowSizes(options.max_length, window, min(max(overlap, 1), window * 3 // 4))


def remove_leaks(
    train: Sequence[ArticleRecord], validation: Sequence[ArticleRecord], test: Sequence[ArticleRecord]
) -> tuple[list[ArticleRecord], list[dict[str, str]]]:
    """Leave out the training articles that repeat a held-out one (see `leaks_between`).

    The second value lists what was removed: article, reason, and the held-out article it repeats.
    """
    held_out = [*validation, *test]
    found: dict[int, Leak] = {}
    for index, leak in leaks_between(train, held_out):
        found.setdefault(index, leak)
    kept = [record for index, record in enumerate(train) if index not in found]
    removed = [{"id": leak.training_id, "reason": leak.how, "as": leak.test_id} for leak in found.values()]
    return kept, removed


def thin_out_empty(examples: Sequence[Example], empty_share: float, seed: int) -> list[Example]:
    """Keep every window with an item, and of the empty ones as many as make up `empty_share` of the result."""
    empty = [example for example in examples if not example.observables]
    full = len(examples) - len(empty)
    allowed = round(full * empty_share / (1 - empty_share)) if full else len(empty)
    ranked = sorted(empty, key=lambda example: _hash(f"{seed}:{example.article_id}:{example.start}"))
    kept = {id(example) for example in ranked[:allowed]}
    return [example for example in examples if example.observables or id(example) in kept]


def write_prepared(
    prepared: Prepared, options: FormatOptions, tokenizer: Any, model: str, formats: Sequence[Format], out: Path
) -> dict[str, Any]:
    """Write examples, the articles they are cut from, a guide file a format and format.json; return what that holds."""
    for name, examples in (("train", prepared.train), ("validation", prepared.validation)):
        lines = "".join(_row(example).model_dump_json() + "\n" for example in examples)
        (out / f"{name}.jsonl").write_text(lines, encoding="utf-8")
    for name, articles in ((TRAINED_ON, prepared.articles), (VALIDATION_ARTICLES, prepared.validation_articles)):
        (out / name).write_text("".join(each.model_dump_json() + "\n" for each in articles), encoding="utf-8")
    prompt = find_prompt(options.prompt_version, options.prompt)
    for text_format in formats:
        rows = [
            guide_row(
                text_format,
                prompt,
                example.types,
                example.window,
                example.answer,
                platform=example.asks_platform,
            )
            for example in prepared.train
        ]
        (out / f"train_{text_format}.json").write_text(json.dumps(rows, ensure_ascii=False, indent=1), encoding="utf-8")
    report = FormatReport(
        format=options.text_format,
        formats=tuple(formats),
        model=model,
        tokenizer_hash=tokenizer_hash(tokenizer),
        prompt_version=options.prompt_version,
        types=prepared.types,
        sizes=prepared.sizes,
        empty_share=options.empty_share,
        leaked=tuple(prepared.leaked),
        report=prepared.report,
        template=options.template,
        prompt=options.prompt,
    )
    report.write(out)
    (out / "training_values.json").write_text(
        json.dumps(prepared.training_values, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
    )
    return report.model_dump(mode="json")


def write_guide_files(output: Path, formats: Sequence[Format]) -> None:
    """Copy the guide files of an output folder beside it, as `X_<format>.json` for an output `X.json`.

    Args:
        output: The output that was asked for, `X.json`; its files lie in the folder `X`.
        formats: The formats to copy.
    """
    folder = output.with_suffix("")
    for text_format in formats:
        shutil.copyfile(folder / f"train_{text_format}.json", output.with_name(f"{output.stem}_{text_format}.json"))


def formats_of(choice: str) -> tuple[Format, ...]:
    """Read what a `--format` flag asks for.

    Args:
        choice: A format's name, or `all`.

    Returns:
        The formats.

    Raises:
        UsageError: There is no such format.
    """
    if choice == "all":
        return FORMATS
    for known in FORMATS:
        if choice == known:
            return (known,)
    raise UsageError(f"--format {choice!r} is unknown: choose {', '.join(FORMATS)} or all")


def _render(
    text_format: Format, prompt: Prompt, tokenizer: Any, types: Sequence[str], window: str, platform: bool
) -> str:
    return render_prompt(text_format, prompt, types, window, tokenizer, platform=platform)


def _count_example(tokenizer: Any, prompt: str, answer: str) -> ExampleLengths:
    encoded = encode_example(tokenizer, prompt, answer)
    answer_tokens = len(encoded.input_ids) - encoded.answer_start
    return ExampleLengths(encoded.answer_start, answer_tokens, sum(label >= 0 for label in encoded.labels))


def _located(records: Sequence[ArticleRecord], tokenizer: Any) -> list[LocatedArticle]:
    located = []
    with Progress("format_extract", len(records)) as progress:
        for record in records:
            located.append(locate_article(record, partial(count_tokens, tokenizer)))
            progress.advance()
    return located


def _counts(articles: Sequence[LocatedArticle], cut: Sequence[ArticleExamples], sizes: WindowSizes) -> dict[str, int]:
    kept = lost = too_long = 0
    for article, examples in zip(articles, cut, strict=True):
        answered = {(item.type, item.value) for example in examples.examples for item in example.observables}
        unfit = {(item.type, item.value) for item in examples.too_long}
        wanted = {(target.observable.type, target.observable.value) for target in article.targets}
        kept += len(wanted & answered)
        too_long += len(wanted & unfit)
        lost += len(wanted - answered - unfit)
    return {
        "items": kept,
        "answers_lost": lost,
        "items_too_long": too_long,
        "items_beyond_overlap": sum(article.targets_longer_than(sizes.overlap_tokens) for article in articles),
        "machine_labels_dropped": sum(len(article.dropped) for article in articles),
        "human_labels_unlocated": sum(len(article.unlocated_human) for article in articles),
    }


def _unplaced(articles: Sequence[LocatedArticle]) -> dict[str, int]:
    """Count the labels that stand nowhere, by type."""
    found = (each for article in articles for each in (*article.dropped, *article.unlocated_human))
    return dict(sorted(Counter(each.observable.type for each in found).items()))


def _whole(article: LocatedArticle, render: RenderPrompt, count_example: CountExample) -> tuple[int, int]:
    """Count the tokens of the article taken whole: (prompt, answer), as a right-truncating recipe would see it."""
    prompt = render(article.record.labelled_types, article.record.content, True)
    lengths = count_example(prompt, render_answer([target.observable for target in article.targets]))
    return lengths.prompt, lengths.answer


def _values(examples: Sequence[Example]) -> dict[str, list[str]]:
    values: dict[str, set[str]] = {}
    for example in examples:
        for item in example.observables:
            values.setdefault(item.type, set()).add(item.value)
    return {name: sorted(found) for name, found in sorted(values.items())}


def _row(example: Example) -> ExampleRow:
    row = asdict(example)
    row.pop("window")
    return ExampleRow(**row | {"observables": Counter(item.type for item in example.observables)})


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
