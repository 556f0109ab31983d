"""What preparation did to the answers, in tokens, beside what right-truncation would have done."""

from collections.abc import Sequence
from statistics import median
from typing import Any

from ctiforge.extract.dataset.examples import Example
from ctiforge.records.formatted import TokenReport, Truncation


def truncation_report(lengths: Sequence[tuple[int, int]], max_length: int) -> Truncation:
    """Count what is left of whole articles, (prompt, answer) tokens each, cut on the right at `max_length`."""
    kept = [max(0, min(answer, max_length - prompt)) for prompt, answer in lengths]
    total = sum(answer for _, answer in lengths)
    seen = sum(min(prompt + answer, max_length) for prompt, answer in lengths)
    return Truncation(
        articles_with_answer=len(lengths),
        answers_whole=sum(part == answer for part, (_, answer) in zip(kept, lengths, strict=True)),
        answers_gone=sum(part == 0 for part in kept),
        answer_tokens_kept_share=_share(sum(kept), total),
        loss_tokens_answer_share=_share(sum(kept), seen),
    )


def token_report(
    train: Sequence[Example],
    validation: Sequence[Example],
    *,
    all_windows: Sequence[Example],
    counts: dict[str, int],
    unplaced: dict[str, int],
    truncation: Truncation,
) -> TokenReport:
    """Compute the figures over the examples kept; `all_windows` are those before empty ones were thinned out.

    `counts` holds items, answers_lost, items_too_long, items_beyond_overlap, machine_labels_dropped and
    human_labels_unlocated, which only the caller knows; `unplaced` are the last two by type.
    """
    every = [*train, *validation]
    prompts = [example.prompt_tokens for example in every]
    answers = [example.answer_tokens for example in every]
    return TokenReport(
        examples=len(train),
        validation_examples=len(validation),
        prompt_tokens_median=median(prompts or [0]),
        prompt_tokens_max=max(prompts, default=0),
        answer_tokens_median=median(answers or [0]),
        answer_tokens_max=max(answers, default=0),
        tokens_max=max((example.tokens for example in every), default=0),
        empty_share_training=_empty_share(train),
        empty_share_inference=_empty_share(all_windows),
        answers_kept_share=_share(counts["items"], counts["items"] + counts["answers_lost"] + counts["items_too_long"]),
        loss_tokens_answer_share=_share(sum(answers), sum(example.loss_tokens for example in every)),
        loss_tokens_answer_share_if_all=_share(sum(answers), sum(prompts) + sum(answers)),
        right_truncation=truncation,
        unplaced_by_type=unplaced,
        **counts,
    )


def report_rows(report: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Lay out a token report as rows for a table.

    Args:
        report: A `TokenReport` as a dictionary: the `report` of `format.json`.

    Returns:
        (figure, ours, what right-truncation at the same length would give) each; "" where there is nothing to compare.
    """
    cut = report["right_truncation"]
    partly = cut["articles_with_answer"] - cut["answers_gone"] - cut["answers_whole"]
    lost_there = f"{cut['answers_gone']} gone, {partly} cut of {cut['articles_with_answer']} articles"
    return [
        ("examples for training / validation", f"{report['examples']} / {report['validation_examples']}", ""),
        ("prompt tokens, median / max", f"{report['prompt_tokens_median']:g} / {report['prompt_tokens_max']}", ""),
        ("answer tokens, median / max", f"{report['answer_tokens_median']:g} / {report['answer_tokens_max']}", ""),
        ("longest example, tokens", str(report["tokens_max"]), ""),
        ("items kept", str(report["items"]), ""),
        ("answers lost", str(report["answers_lost"]), lost_there),
        (
            "share of items / answer tokens kept",
            *_percents(report["answers_kept_share"], cut["answer_tokens_kept_share"]),
        ),
        (
            "share of loss tokens that are answer",
            *_percents(report["loss_tokens_answer_share"], cut["loss_tokens_answer_share"]),
        ),
        ("items too long for --max-length", str(report["items_too_long"]), ""),
        ("items longer than the overlap", str(report["items_beyond_overlap"]), ""),
        ("machine labels not in the text, dropped", str(report["machine_labels_dropped"]), ""),
        ("human labels not in the text, kept", str(report["human_labels_unlocated"]), ""),
        *(
            (f"labels not in the text: {type_}", str(count), "")
            for type_, count in report.get("unplaced_by_type", {}).items()
        ),
        ("empty windows, training", f"{report['empty_share_training']:.1%}", ""),
        ("empty windows, inference", f"{report['empty_share_inference']:.1%}", ""),
    ]


def _percents(ours: float, theirs: float) -> tuple[str, str]:
    return f"{ours:.1%}", f"{theirs:.2%}"


def _empty_share(examples: Sequence[Example]) -> float:
    return _share(sum(not example.observables for example in examples), len(examples))


def _share(part: float, whole: float) -> float:
    return part / whole if whole else 0.0
