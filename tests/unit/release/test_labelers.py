"""Who labeled is found in an address however the name is written there."""

import pytest

from ctiforge.release.labelers import names_one, people_of
from tests.unit.release.test_dataset_upload import article


@pytest.mark.parametrize(
    ("annotator", "path"),
    [
        ("Jane Doe", "authors/jane%20doe/a"),
        ("Jane Doe", "%6aane-doe/x"),
        ("Jane Doe", "%256aane-doe/x"),
        ("Jane Doe", "~janedoe/a"),
        ("Jane Doe", "@JaneDoe2/a"),
        ("Jane Doe", "doe-jane/a"),
        ("Jane Doe", "a/j-doe/1"),
        ("Jane Doe", "author/doe"),
        ("Doe, Jane", "by-doe/a"),
        ("jane.doe@acmesec.com", "author/jane.doe/1"),
        ("jdoe@acmesec.com", "author/jdoe/2"),
        ("Jane Doe <jane.doe@acmesec.com>", "author/jane-doe/2"),
        ("ACME\\jdoe", "author/jdoe-2/2"),
        ("José Pérez", "jose-perez/a"),
        ("José Pérez", "jos%C3%A9-p%C3%A9rez/a"),
        ("Jörg Müller", "joerg-mueller/a"),
        ("Jörg Müller", "jorg-muller/a"),
        ("Søren Łoś", "soren-los/a"),
        ("Jane Q. Doe", "jane-doe/a"),
        ("Jane Doe", "jane-q-doe/a"),
        ("Jane Doe", "janeqdoe/a"),
        ("Doe, Jane", "jdoe/a"),
        ("Doe, Jane", "@janedoe/x"),
        ("ann; Doe, Jane", "@janedoe/x"),
        ("Doe, Jane Q.", "janedoe/x"),
        ("van der Berg, Jan", "jberg/x"),
        ("Jane Q. Doe", "jqdoe/a"),
        ("O'Brien", "obrien/a"),
        ("Ann O’Brien", "aobrien/a"),
        ("x9y8", "u/x9y8"),
        ("李伟", "作者李伟"),
        ("김민수", "by-김민수/1"),
        ("ann; Jane Doe", "jane-doe/a"),
        ("ann; Jane Doe", "by-ann/a"),
        ("Ann and Jane Doe", "jane-doe/a"),
    ],
)
def test_a_name_in_an_address_is_found(annotator: str, path: str) -> None:
    assert names_one(f"https://vendor.com/{path}", people_of(article(annotator=annotator, type_labels={})))


@pytest.mark.parametrize("annotator", ["Jane Doe", "Doe, Jane", "jane.doe@vendor.com", "Ann", "x9y8", "李伟", None])
def test_words_that_hold_parts_of_a_name_are_not(annotator: str | None) -> None:
    people = people_of(article(annotator=annotator, type_labels={}))
    assert not names_one("https://vendor.com/posts/how-it-does-planning-in-janeiro/1", people)


def test_a_text_is_looked_at_line_by_line_and_a_model_is_nobody() -> None:
    people = people_of(article(annotator="Jane Doe"))
    assert people == {"Jane Doe", "Zora Quill"}
    assert names_one("One line.\nBy Jane Doe, 2024", people)
    assert not names_one("Jane came.\nThen a doe ran.", people)
