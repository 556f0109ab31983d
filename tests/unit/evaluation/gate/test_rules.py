import pytest

from ctiforge.errors import UsageError
from ctiforge.evaluation.gate.rules import rules_of
from ctiforge.lines.extract import EXTRACT

RULE = EXTRACT.rules


def test_a_margin_may_be_set_for_what_the_gate_has() -> None:
    rules = rules_of("extract", {"macro_f1": 0.2, "micro_f1": 0.01})
    assert (rules.margin, rules.guardrails["macro_f1"], rules.guardrails["grounded"]) == (0.01, 0.2, 0)
    assert set(rules.guardrails) == set(RULE.guardrails)
    with pytest.raises(UsageError, match="no such figure; there are micro_f1, macro_f1"):
        rules_of("extract", {"speed": 0.1})
    with pytest.raises(UsageError, match="a margin is a number above 0"):
        rules_of("extract", {"grounded": 0})
    for nothing in (float("nan"), float("inf"), -1.0):
        with pytest.raises(UsageError, match="a margin is a number above 0"):
            rules_of("extract", {"json_validity": nothing})
