"""An export as tables to read."""

from collections.abc import Iterable, Mapping
from typing import Any

from ctiforge.release.merge import limit
from ctiforge.tables import print_table


def print_export(summary: Mapping[str, Any], uri: str | None) -> None:
    """Print what was merged, what each file holds, and how it compares with its source.

    Args:
        summary: What `export.json` holds, as the stage's manifest keeps it.
        uri: Where the export lies.
    """
    merge = summary["merge"]
    what = "adapter merged into its base" if merge["adapter"] else "no adapter, so nothing to merge"
    print(
        f"{summary['name']}: {what}; largest logit difference {merge['largest_difference']:.1e} "
        f"(at most {limit(merge['largest_logit']):.0e}), largest logit {merge['largest_logit']:.1f}"
    )
    files = summary.get("files", [])
    if files:
        rows = [
            (
                each["file"],
                f"{each['bytes'] / 1e6:,.1f} MB",
                ", ".join(f"{n} {name}" for name, n in each["tensor_types"].items()),
                each["texts_read_alike"],
                each["prompts_rendered_alike"],
            )
            for each in files
        ]
        print_table(
            "files; texts read and prompts rendered by llama.cpp, all as in training",
            ("file", "size", "tensors", "texts", "prompts"),
            rows,
        )
    for warning in dict.fromkeys(warning for each in files for warning in each["warnings"]):
        print(f"warning: {warning}")
    if summary.get("parity"):
        print_parity(summary["parity"])
    elif files:
        print("warning: no --test-data, so nobody has looked whether the files answer as their source does")
    print(f"-> {uri}")


def print_parity(parity: Iterable[Mapping[str, Any]]) -> None:
    """Print each exported file beside its source."""

    def figure(value: float | None) -> str:
        return "n/a" if value is None else f"{value:.3f}"

    rows = [
        (
            each["file_type"],
            figure(each["source_f1"]),
            figure(each["f1"]),
            f"{each['same_windows']} of {each['windows']}",
            f"{each['same_articles']} of {each['articles']}",
        )
        for each in parity
    ]
    print_table("against the source", ("file", "micro-F1, source", "exported", "same answers", "same articles"), rows)
