"""By which id an engine serves a version."""

import pytest

from ctiforge.serving.loading import choose_served


@pytest.mark.parametrize(
    ("served", "others", "found"),
    [
        (["x", "ctiforge/agent@3"], [], "ctiforge/agent@3"),
        (["ctiforge/agent@2"], [], None),
        (["agent-Q4_K_M"], [], "agent-Q4_K_M"),
        (["team/agent-bf16.gguf"], [], "team/agent-bf16.gguf"),
        (["agent"], [], "agent"),
        (["agent-next", "agent-next-q8_0", "other-agent-q8_0"], [], None),
        # a file's name does not say which of two versions it is
        (["agent-Q4_K_M"], ["agent"], None),
        (["agent-Q4_K_M", "ctiforge/agent@3"], ["agent"], "ctiforge/agent@3"),
        ([], [], None),
    ],
)
def test_a_version_is_known_by_its_id_or_its_file(served: list[str], others: list[str], found: str | None) -> None:
    assert choose_served("agent", "3", served, others) == found
