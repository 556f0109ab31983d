"""An export as tables to read."""

from collections.abc import Iterable

from ctiforge.records.exported import ExportReport, MergeReport, ParityReport
from ctiforge.release.merge import limit
from ctiforge.release.servers import vllm_line
from ctiforge.tables import print_table


def print_export(report: ExportReport, uri: str | None, served: str) -> None:
    """Print what was merged, what each file holds, and how it compares with its source.

    Args:
        report: What `export.json` holds.
        uri: Where the export lies.
        served: What a server is to call the model.
    """
    print(f"{report.name}: {_merge_line(report.merge) if report.merge else 'the adapter alone'}")
    if report.files:
        rows = [
            (
                each.file,
                f"{each.bytes / 1e6:,.1f} MB",
                ", ".join(f"{n} {name}" for name, n in each.tensor_types.items()),
                each.texts_read_alike,
                each.prompts_rendered_alike,
            )
            for each in report.files
        ]
        print_table(
            "files; texts read and prompts rendered by llama.cpp as in training",
            ("file", "size", "tensors", "texts", "prompts"),
            rows,
        )
    for warning in dict.fromkeys(warning for each in report.files for warning in each.warnings):
        print(f"warning: {warning}")
    if report.parity:
        print_parity(report.parity)
    elif report.files and report.merge:
        print("warning: no --test-data, so nobody has looked whether the files answer as their source does")
    if report.cost:
        cost = report.cost
        print(
            f"took {cost.peak_memory / 1e9:.1f} GB of memory, {cost.scratch / 1e9:.1f} GB of scratch, "
            f"{cost.seconds:.0f} s"
        )
    print(f"-> {uri}")
    if report.merge and not report.files and report.context:
        line = vllm_line(str(uri), served, report.merge.dtype, report.context)
        print(f"vLLM serves it so (not tried by ctiforge):\n  {line}")


def _merge_line(merge: MergeReport) -> str:
    what = "adapter merged into its base" if merge.adapter else "no adapter"
    if merge.largest_difference is None or merge.largest_logit is None:
        if not merge.weights_compared:
            return f"{what}, the weights are the checkpoint's own ({merge.dtype})"
        return (
            f"{what} in {merge.dtype}; {merge.weights_compared} merged weights computed again, largest difference "
            f"{merge.largest_weight_difference:.1e} of their length; too many weights to compare logits"
        )
    return (
        f"{what} in {merge.dtype}; largest logit difference {merge.largest_difference:.1e} "
        f"(at most {limit(merge.largest_logit, merge.dtype):.0e}), largest logit {merge.largest_logit:.1f}"
    )


def print_parity(parity: Iterable[ParityReport]) -> None:
    """Print each exported file beside its source."""

    def figure(value: float | None) -> str:
        return "n/a" if value is None else f"{value:.3f}"

    rows = [
        (
            each.file_type,
            figure(each.source_f1),
            figure(each.f1),
            f"{each.same_windows} of {each.windows}",
            f"{each.same_articles} of {each.articles}",
        )
        for each in parity
    ]
    print_table("against the source", ("file", "micro-F1, source", "exported", "same answers", "same articles"), rows)
