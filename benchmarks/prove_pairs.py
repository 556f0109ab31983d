"""Prints pairs that were judged by hand beside what the scores say of them (make prove-pairs)."""

import tomllib
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ctiforge.evaluation.scoring.matching import match
from ctiforge.pod.entry import run_program
from ctiforge.records.observable import Observable

PAIRS = Path(__file__).parents[1] / "tests" / "unit" / "evaluation" / "scoring" / "pairs.toml"


@dataclass(frozen=True)
class JudgedPair:
    """An expected and a predicted value with a person's verdict."""

    type: str
    rule: str
    expected: str
    predicted: str
    verdict: str
    """found, in part or not found."""
    why: str


def judged_pairs() -> list[JudgedPair]:
    """Read the pairs."""
    read = tomllib.loads(PAIRS.read_text(encoding="utf-8"))
    return [JudgedPair(type=type_, **pair) for type_, pairs in read.items() for pair in pairs]


def verdict(type_: str, expected: str, predicted: str) -> str:
    """What the scores say of two values."""
    first = match([Observable(type=type_, value=expected)], [Observable(type=type_, value=predicted)])[0]
    return "found" if first.predicted else "in part" if first.near else "not found"


def main() -> None:
    """Print each pair with both verdicts, and how many agree."""
    table = Table("type", "rule", "expected", "predicted", "by hand", "scored")
    pairs = judged_pairs()
    agreed = 0
    for pair in pairs:
        scored = verdict(pair.type, pair.expected, pair.predicted)
        agreed += scored == pair.verdict
        mark = "" if scored == pair.verdict else "[bold red]"
        table.add_row(pair.type, pair.rule, escape(pair.expected), escape(pair.predicted), pair.verdict, mark + scored)
    Console(width=180).print(table)
    print(f"{agreed} of {len(pairs)} pairs are scored as a person judged them")


if __name__ == "__main__":
    run_program(main)
