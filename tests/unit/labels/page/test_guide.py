import pytest

from ctiforge.errors import DataError, UsageError
from ctiforge.labels.page.guide import GENERAL, read_guide, render_guide
from ctiforge.records.observable import TYPES


def test_the_guide_that_ships_speaks_of_every_type() -> None:
    assert set(read_guide(None)) == {GENERAL, *TYPES}


def test_sections_are_read_by_type_and_the_rest_is_for_all() -> None:
    guide = render_guide(
        "Before.\n\n## cmdline\n\n**Counts:** `net`.\n\n## Our own words\n\nMore.\n\n## `registry`\n\n- a\n- b\n"
    )

    assert guide["cmdline"].strip() == "<p><strong>Counts:</strong> <code>net</code>.</p>"
    assert "<li>a</li>" in guide["registry"]
    assert "Before." in guide[GENERAL]
    assert "More." in guide[GENERAL]


def test_what_could_do_harm_stays_text() -> None:
    text = "<script>alert(1)</script> [a](javascript:alert(1)) ![b](https://x.invalid/b.png) <https://x.invalid>"
    (html,) = render_guide(text).values()

    assert not any(tag in html for tag in ("<script", "<a", "<img"))


def test_a_guide_that_cannot_be_read_is_one_line(tmp_path) -> None:
    (tmp_path / "guide.md").write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match="name a Markdown file"):
        read_guide(tmp_path / "missing.md")
    with pytest.raises(DataError, match="not UTF-8"):
        read_guide(tmp_path / "guide.md")
