"""The gate's own test, for what the gate was not asked about: no look is counted, and nothing is promoted."""

from dataclasses import replace

from ctiforge.errors import GateError
from ctiforge.evaluation.gate.gate import check_same_test_set, decide
from ctiforge.evaluation.gate.sides import Scored
from ctiforge.lines import find_line
from ctiforge.records.decision import Check, Decision


def tried(line: str, new: Scored, other: Scored, role: str) -> Decision | None:
    """Hold the new model against another one as the gate would; None where the two were scored differently."""
    try:
        check_same_test_set(new, other, "")
    except GateError:
        return None
    return decide(line, find_line(line).rules, new, replace(other, who=f"the {role}"))


def deciding_check(decision: Decision | None) -> Check | None:
    """Find the primary check that a decision rests on; None where nothing was compared.

    It is the candidate's own, but where the last candidates together were what showed the gain.
    """
    primary = [check for check in decision.checks if check.role == "primary"] if decision else []
    if not primary:
        return None
    own, together = primary[0], primary[-1]
    return together if together.verdict == "better" and (own.gain or 0) > 0 and own.verdict != "better" else own


def find_check(decision: Decision | None, figure: str) -> Check | None:
    """Find the first check of a figure, type or class: the one against what stands."""
    return next((each for each in decision.checks if each.figure == figure), None) if decision else None
