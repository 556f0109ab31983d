"""Each check on data that has the fault and on data that has not."""

import pytest

from ctiforge.extract.dataset.check import check_harvest, check_prepared, check_records, leak_findings
from ctiforge.records.formatted import ExampleRow, FormatReport
from ctiforge.records.harvest import HarvestReport
from ctiforge.records.observable import Observable
from tests import making


@pytest.fixture
def articles(article):
    """Twelve articles with a command, eight without, of many sites, a platform each."""

    def make(positive=12, negative=8, **changes):
        records = []
        for number in range(positive + negative):
            found = [f"whoami /user{number}"] if number < positive else []
            record = article(
                f"Report {number}: it ran whoami /user{number}.",
                article_id=str(number),
                url=f"https://site{number}.invalid/a",
                labelled_types=("cmdline",),
                cmdline=found,
            )
            records.append(record.model_copy(update=changes))
        return records

    return make


def checks(records):
    return [(each.level, each.check) for each in check_records(records)]


def platforms(record, *names):
    items = [Observable(type="cmdline", value=item.value, platform=names[0]) for item in record.observables]
    return record.model_copy(update={"observables": tuple(items)})


def test_data_without_a_fault_has_no_finding(articles):
    assert checks(articles()) == []


def test_no_example_at_all_is_an_error_and_the_only_finding(articles):
    assert checks(articles(positive=0)) == [("error", "no examples")]
    assert checks([]) == [("error", "no examples")]


def test_too_few_examples_of_a_type(articles):
    (finding,) = check_records(articles(positive=9))

    assert finding.text == "cmdline occurs in 9 of 17 articles: too few to learn or to measure"
    assert finding.remedy


def test_a_type_that_is_always_found(articles):
    assert checks(articles(positive=60, negative=1)) == [("warning", "missing negatives")]
    assert checks(articles(positive=60, negative=2)) == []


def test_one_type_that_drowns_the_others(articles, article):
    services = [
        article(f"The service Svc{n} starts.", article_id=f"s{n}", services=[f"Svc{n}"], labelled_types=("services",))
        for n in range(10)
    ]
    quiet = [article("Nothing here.", article_id=f"q{n}", labelled_types=("services",)) for n in range(2)]
    spread = [each.model_copy(update={"content_hash": each.id}) for each in (*services, *quiet)]

    assert ("warning", "type skew") in checks([*articles(positive=60, negative=5), *spread])
    assert ("warning", "type skew") not in checks([*articles(positive=20, negative=5), *spread])


def test_a_platform_that_hardly_occurs(articles):
    records = articles(positive=100, negative=8)
    mixed = [platforms(record, "Linux" if number < 1 else "Windows") for number, record in enumerate(records)]

    (finding,) = check_records(mixed)

    assert (finding.check, finding.text[:43]) == ("platform skew", "1 of 100 labeled platforms are Linux: it is")


def test_one_article_or_one_site_that_speaks_for_the_rest(articles, article):
    values = [f"net user u{n}" for n in range(20)]
    large = article("\n".join(values), article_id="large", url="https://large.invalid/", cmdline=values)
    one_site = [each.model_copy(update={"url": "https://one.invalid/"}) for each in articles()]

    assert checks([*articles(), large.model_copy(update={"labelled_types": ("cmdline",)})]) == [
        ("warning", "article skew")
    ]
    assert checks(one_site) == [("warning", "article skew")]


def test_copies(articles):
    records = articles()

    assert checks([*records, records[0].model_copy(update={"id": "copy", "url": "https://c.invalid/"})]) == [
        ("warning", "duplicates")
    ]


@pytest.mark.parametrize(("absent", "expected"), [(0, []), (2, ["warning"]), (11, ["error"])])
def test_values_that_stand_nowhere_in_their_article(articles, absent, expected):
    records = [
        each.model_copy(update={"content": f"Nothing {number}"}) if number < absent else each
        for number, each in enumerate(articles())
    ]

    assert [each.level for each in check_records(records) if each.check == "unlocatable answers"] == expected


def test_executions_that_disagree():
    found = making.harvest(
        articles_read_again=20,
        disagreements={"cmdline": 8, "services": 3},
        least_agreement={"7": 0.0, "3": 0.5},
    )

    (finding,) = check_harvest(HarvestReport(**found))

    assert finding.text == "cmdline: of 20 articles read more than once, the executions of 8 found different values"
    assert finding.remedy.endswith("7, 3")
    assert list(check_harvest(HarvestReport(**making.harvest()))) == []


def prepared(rows=(("p1", "a1"), ("p2", "a2")), leaked=(), **changes):
    figures = making.token_report(**{"items": 100, "items_too_long": 0} | changes)
    report = FormatReport(**making.formatted(leaked=list(leaked), report=figures))
    found = check_prepared(report, [ExampleRow(**making.example(prompt=p, answer=a)) for p, a in rows])
    return [(each.level, each.check) for each in found]


def test_examples():
    assert prepared() == []
    assert prepared(tokens_max=305) == [("error", "lengths")]
    assert prepared(items_too_long=2) == [("warning", "lengths")]
    assert prepared(validation_examples=0) == [("warning", "validation")]
    assert prepared(empty_share_training=0.0) == [("warning", "missing negatives")]
    assert prepared(leaked=[{"id": "1"}]) == [("warning", "leaks")]
    assert prepared([("p", "a"), ("p", "b"), ("q", "a")]) == [("warning", "duplicates")]
    assert prepared([("p", "a"), ("p", "a"), ("p", "a")]) == [("warning", "duplicates")]


def test_a_leak_is_an_error():
    (finding,) = leak_findings([("t1", "a7", "the same page")])

    assert (finding.level, finding.text) == ("error", "test article t1 is training article a7 (the same page)")
