from collections import Counter

from ctiforge.reporting.exchange import MARKS, SHOWN, exchange_findings, exchanged
from ctiforge.reporting.places import Places
from tests.unit.reporting.making import articles, evaluation

RECORDS = articles(40)
PLACES = Places({record.id: record.content for record in RECORDS})
HALF = evaluation(RECORDS, "half", finds_every=2)
THIRD = evaluation(RECORDS, "third", finds_every=3)
INVENTING = evaluation(RECORDS, "inventing", invents=True)


def test_what_only_one_of_two_found_is_lost_or_gained():
    items = list(exchanged(HALF, THIRD))
    assert {each.article.id for each in items if each.kind == "lost"} == {
        f"a{number}" for number in range(40) if number % 2 == 0 and number % 3
    }
    assert {each.article.id for each in items if each.kind == "gained"} == {
        f"a{number}" for number in range(40) if number % 3 == 0 and number % 2
    }
    assert list(exchanged(HALF, HALF)) == []


def test_what_only_one_of_two_got_wrong_is_newly_wrong_or_no_longer():
    assert Counter(each.kind for each in exchanged(HALF, INVENTING)) == {"gained": 40, "newly wrong": 40}
    assert Counter(each.kind for each in exchanged(INVENTING, HALF)) == {"lost": 40, "no longer wrong": 40}


def test_an_item_is_shown_with_its_article_and_its_passage():
    findings = exchange_findings(list(exchanged(HALF, INVENTING)), "model in use", PLACES)
    gained, wrong = findings.groups
    assert gained.title == "Gained: the new model finds what the model in use missed"
    assert (gained.counts, gained.more) == ("20 cmdline, 20 services", 40 - SHOWN)
    first = gained.findings[0]
    assert (first.value, first.mark.word, first.article) == ("whoami /all /fo 1", "gained", "a1 · Report 1")
    assert [piece.text for piece in first.passages[0].pieces if piece.is_marked] == ["whoami /all /fo 1"]
    assert wrong.findings[0].remarks == ("Of type cmdline. It does not stand so in the article.",)
    assert set(findings.words) == set(MARKS)
