import random

from ctiforge.extract.testset_review import draw_sample, review_line
from ctiforge.records.article import ArticleRecord
from ctiforge.records.observable import Observable


def make_record(number: int, type_: str | None, platform: str | None = "Windows", words: int = 50) -> ArticleRecord:
    value = f"whoami /user:{number}"
    observables = (Observable(type=type_, value=value, platform=platform),) if type_ else ()
    return ArticleRecord(
        id=str(number),
        content=f"They ran {value} there. " + "word " * words,
        content_hash=f"{number:064x}",
        observables=observables,
        labelled_types=("cmdline", "registry"),
        group=f"group {number}",
    )


def test_a_sample_takes_from_every_stratum() -> None:
    common = [make_record(n, "cmdline") for n in range(200)]
    rare = [make_record(1000, "registry"), make_record(1001, None), make_record(1002, "cmdline", "Linux")]
    long = [make_record(1003, "cmdline", words=10_000)]

    sample = draw_sample([*common, *rare, *long], 10, seed=0)

    assert len(sample) == 10
    assert {"1000", "1001", "1002", "1003"} <= {record.id for record in sample}


def test_the_sample_is_the_seeds_not_the_orders() -> None:
    records = [make_record(n, random.Random(n).choice(["cmdline", "registry", None])) for n in range(100)]
    first = draw_sample(records, 20, seed=1)
    random.Random(5).shuffle(records)

    assert draw_sample(records, 20, seed=1) == first
    assert draw_sample(records, 20, seed=2) != first


def test_one_article_of_a_group_of_near_duplicates_is_drawn() -> None:
    records = [make_record(n, "cmdline").model_copy(update={"group": "one"}) for n in range(10)]

    assert len(draw_sample(records, 5, seed=0)) == 1


def test_a_review_line_shows_the_evidence_and_leaves_the_annotator_open() -> None:
    row = review_line(make_record(7, "cmdline")).model_dump(exclude_unset=True)

    assert row["observables"][0]["evidence"].startswith("They ran whoami /user:7 there.")
    assert row["annotator"] == ""
    assert row["labelled_types"] == ("cmdline", "registry")
    assert "labelled_by" not in row
    assert row["os_label"] is None


def test_a_review_line_keeps_a_label_that_somebody_gave() -> None:
    record = make_record(7, "cmdline").model_copy(update={"os_label": "Linux"})

    assert review_line(record).os_label == "Linux"


def test_an_item_that_is_not_in_the_text_is_said_so() -> None:
    record = make_record(7, "cmdline").model_copy(update={"content": "Nothing of it."})

    assert review_line(record).observables[0].evidence == "NOT FOUND in the article"
