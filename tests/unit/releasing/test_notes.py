"""The notes of a release are its section of the changelog."""

import pytest

from releasing import notes

CHANGELOG = """# Changelog

## [Unreleased]

## [0.2.0] - 2026-12-01

### Added

- **A thing** ([guide](docs/guides/team.md), [standard](https://example.org/a)).

## [0.1.0] - 2026-11-30

- First.
"""


def test_a_versions_section_ends_where_the_next_begins() -> None:
    assert notes.notes(CHANGELOG, "0.1.0") == "- First.\n"


def test_links_to_pages_become_text_and_others_stay() -> None:
    assert notes.notes(CHANGELOG, "0.2.0") == (
        "### Added\n\n- **A thing** (guide, [standard](https://example.org/a)).\n"
    )


@pytest.mark.parametrize(
    ("version", "told"), [("0.3.0", "no section"), ("0.1", "no section"), ("Unreleased", "nothing")]
)
def test_a_version_of_which_nothing_is_told_has_no_notes(version: str, told: str) -> None:
    with pytest.raises(LookupError, match=told):
        notes.notes(CHANGELOG, version)


def test_what_is_not_released_yet_has_notes(capsys: pytest.CaptureFixture[str]) -> None:
    assert notes.main(["99.0.0"]) == 1
    assert "no section [99.0.0]" in capsys.readouterr().err
    assert notes.main(["Unreleased"]) == 0
    assert "### Added" in capsys.readouterr().out
    assert notes.main([]) == 2
