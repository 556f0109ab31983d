from ctiforge.osbert.augment import augment
from ctiforge.records.os_article import Evidence, LabeledArticle

TEXT = "".join(f"Filler sentence number {n} says nothing. " for n in range(20)) + "It ran on Windows Server 2019. " * 6


def _article(text: str, *evidence: Evidence) -> LabeledArticle:
    return LabeledArticle(
        id="7", content=text, content_hash="h", label="Windows", labeler="keywords", evidence=evidence
    )


def test_copies_follow_their_article_and_always_come_out_the_same() -> None:
    made = augment([_article(TEXT)], 2, seed=0)
    assert [each.id for each in made] == ["7", "7+1", "7+2"]
    assert made == augment([_article(TEXT)], 2, seed=0)
    assert len({each.content_hash for each in made}) == 3
    assert {each.label for each in made} == {"Windows"}


def test_sentences_are_dropped_but_not_those_with_evidence() -> None:
    cue = "schtasks /create"
    text = "".join(f"Sentence {n} is filler. " for n in range(40)) + f"Then {cue} was run. "
    start = text.index(cue)
    shown = Evidence(label="Windows", quote=cue, start=start, end=start + len(cue))
    for copy in augment([_article(text, shown)], 5, seed=1)[1:]:
        assert cue in copy.content
        assert len(copy.content) < len(text)


def test_names_of_systems_are_masked_now_and_then() -> None:
    copies = augment([_article(TEXT)], 6, seed=0)[1:]
    assert any("the system" in copy.content for copy in copies)
    assert any("Windows Server 2019" in copy.content for copy in copies)


def test_a_copy_is_a_near_duplicate_of_its_article() -> None:
    article, copy = augment([_article(TEXT)], 1, seed=0)
    assert copy.group == article.content_hash
