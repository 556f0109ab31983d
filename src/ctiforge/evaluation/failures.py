"""How much of an evaluation may fail: some answers may never come, too many that do not are no evaluation."""

from collections.abc import Sequence

from ctiforge.errors import CannotGoOnError

MOST_FAILED = 0.02
"""Share of what was asked that may stay without an answer."""


def check_failures(name: str, errors: Sequence[str], asked: int, what: str) -> None:
    """Refuse an evaluation of which too much failed.

    Args:
        name: What was evaluated.
        errors: Why each question that has no answer failed, the first to fail first.
        asked: How many questions there were.
        what: What they are, in the plural, as in `windows`.

    Raises:
        CannotGoOnError: More than `MOST_FAILED` of them failed.
    """
    if len(errors) <= MOST_FAILED * asked:
        return
    raise CannotGoOnError(
        f"{name} failed on {len(errors)} of {asked} {what}, more than {MOST_FAILED:.0%}; the first time with: "
        f"{errors[0]}. Nothing is published: mend that and run the same command again"
    )
