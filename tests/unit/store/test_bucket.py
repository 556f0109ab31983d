"""Which lifecycle rules remove what a bucket with versions keeps."""

from typing import Any

import pytest

from ctiforge.store.bucket import ends_versions, lock_note

ENDS = {"NoncurrentVersionExpiration": {"NoncurrentDays": 30}}


@pytest.mark.parametrize(
    ("rule", "ends"),
    [
        ({"Status": "Enabled", "Filter": {}} | ENDS, True),
        ({"Status": "Enabled", "Prefix": "a/"} | ENDS, True),
        ({"Status": "Enabled", "Filter": {"Prefix": "a/b/"}} | ENDS, True),
        ({"Status": "Enabled", "Filter": {"Prefix": "a/b/c/"}} | ENDS, False),
        ({"Status": "Disabled", "Filter": {}} | ENDS, False),
        ({"Status": "Enabled", "Filter": {"Tag": {"Key": "k", "Value": "v"}}} | ENDS, False),
        ({"Status": "Enabled", "Filter": {}, "Expiration": {"Days": 3}}, False),
    ],
)
def test_a_rule_for_the_whole_store_is_needed(rule: dict[str, Any], ends: bool) -> None:
    assert ends_versions([rule], "a/b/") is ends


def test_a_lock_without_a_default_holds_while_it_is_held() -> None:
    assert "while it is held" in lock_note({"ObjectLockEnabled": "Enabled"})
    assert "for 2 years after" in lock_note({"Rule": {"DefaultRetention": {"Mode": "COMPLIANCE", "Years": 2}}})
