"""The rules of a line's gate, with what a person set otherwise."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from ctiforge.errors import UsageError
from ctiforge.lines import find_line
from ctiforge.lines.line import GateRules


def parse_margins(texts: Sequence[str]) -> dict[str, float]:
    """Read margins as a person writes them.

    Args:
        texts: Each `figure=number`, like `macro_f1=0.02`.

    Returns:
        Figure to margin, in the figure's own unit.

    Raises:
        UsageError: A text is none of that form.
    """
    try:
        pairs = [(name.strip(), float(value)) for name, _, value in (text.partition("=") for text in texts)]
    except ValueError:
        raise UsageError(f"--margin {' '.join(texts)}: write it as figure=number, like macro_f1=0.02") from None
    return dict(pairs)


def rules_of(line: str, margins: Mapping[str, float]) -> GateRules:
    """Take a line's rules with some margins replaced.

    Args:
        line: The line's name.
        margins: Figure → the loss that is let pass, above 0, in the figure's own unit.

    Returns:
        The rules.

    Raises:
        UsageError: The gate has no such figure, or a margin is not above 0.
    """
    rules = find_line(line).rules
    for name, margin in margins.items():
        if name not in (rules.primary, *rules.guardrails):
            known = ", ".join((rules.primary, *rules.guardrails))
            raise UsageError(f"--margin {name}: the gate of {line} has no such figure; there are {known}")
        if not 0 < margin < math.inf:
            raise UsageError(f"--margin {name}={margin:g}: a margin is a number above 0")
    primary = margins.get(rules.primary, rules.margin)
    guardrails = {name: margins.get(name, own) for name, own in rules.guardrails.items()}
    return replace(rules, margin=primary, guardrails=guardrails)
