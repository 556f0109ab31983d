import json
import os
import random
from collections import Counter

import pytest

from ctiforge.data.articles import Article, Execution
from ctiforge.data.generations import ReadResult, read_result
from ctiforge.data.states import ExtractorState, TypeState
from ctiforge.errors import DataError
from ctiforge.extract.harvest.harvest import HarvestOptions, check_minimum, harvest
from ctiforge.extract.harvest.report import HarvestCounts, print_report
from ctiforge.records.article import ArticleRecord
from ctiforge.records.observable import Observable

UNREADABLE = Execution("completed", "", ReadResult(None, set_aside=Counter({"extraction_result is null": 1})))
FAILED = Execution(
    "completed", "", ReadResult("G2", states={"cmdline": TypeState(ExtractorState.FAILED, "parse failure")})
)


def make_text(seed: int, words: int = 120) -> str:
    rng = random.Random(seed)
    return " ".join("".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=rng.randint(2, 9))) for _ in range(words))


def found(
    *values: str, types=("cmdline", "registry"), status="completed", at="2026-01-01", models=None, evaluation=False
) -> Execution:
    observables = tuple(Observable(type="cmdline", value=value, platform="Windows") for value in values)
    states = {
        type_: TypeState(ExtractorState.FOUND if type_ == "cmdline" and values else ExtractorState.NOTHING)
        for type_ in types
    }
    return Execution(status, at, ReadResult("G2", observables, states), models or {}, evaluation)


def make_article(article_id: str, *executions: Execution, content: str | None = "", url: str | None = None) -> Article:
    text = make_text(int(article_id)) if content == "" else content
    address = url or f"https://x.invalid/{article_id}"
    return Article(article_id, address, f"Title {article_id}", text, 50.0, list(executions))


def test_records_are_written_by_id_with_their_labels(run) -> None:
    report, records, _ = run([make_article("10", found("whoami")), make_article("9", found("id"))])

    assert [r.id for r in records] == ["9", "10"]
    assert records[0].observables == (Observable(type="cmdline", value="id", platform="Windows"),)
    assert records[0].labelled_types == ("cmdline", "registry")
    assert records[0].labelled_by == "model"
    assert records[0].group == records[0].content_hash[:16]
    assert (report.positives, report.observables, report.platforms) == (2, 2, {"Windows": 2})
    assert report.labelled_articles == {"cmdline": 2, "registry": 2}


@pytest.mark.parametrize(
    ("worse", "better"),
    [
        (found("a", status="failed", at="2026-02-01"), found("b", status="completed")),
        (found("a", at="2026-01-01"), found("b", at="2026-01-02")),
    ],
)
@pytest.mark.parametrize("order", [1, -1])
def test_the_best_execution_counts(run, worse: Execution, better: Execution, order: int) -> None:
    _, records, _ = run([make_article("1", *[worse, better][::order])])

    assert [o.value for o in records[0].observables] == ["b"]


def test_each_type_has_its_own_labeler_and_what_is_left_out_is_counted(run) -> None:
    one = found("a", types=("cmdline",), at="2026-01-02", models={"CmdlineExtract_model": "good"})
    other = found("b", types=("cmdline", "registry"), models={"ExtractAgent": "old"})
    own = found("c", types=("cmdline",), at="2026-01-03", models={"ExtractAgent": "ctiforge/extract-agent-x@3"})
    evaluation = found("d", types=("cmdline",), at="2026-01-04", evaluation=True)
    articles = [make_article("1", one, other, own, evaluation), make_article("2", own), make_article("3", evaluation)]

    report, records, _ = run(articles)

    (record,) = records
    assert [o.value for o in record.observables] == ["a"]
    assert {type_: (each.by, each.name, each.why) for type_, each in record.type_labels.items()} == {
        "cmdline": ("model", "good", "found"),
        "registry": ("model", "old", "found nothing"),
    }
    assert set(record.labelled_types) == set(record.type_labels)
    assert report.labelers == {"model good": 1, "model old": 1}
    assert (report.evaluation_runs, report.own_answers) == (2, 2)
    assert report.excluded == {
        "only answers of models of ours": 1,
        "only evaluation runs of the application": 1,
    }
    assert [o.value for o in run(articles, own_answers=True)[1][0].observables] == ["c"]
    assert [o.value for o in run(articles, labelers=("old",))[1][0].observables] == ["b"]


def test_only_a_completed_execution_proves_that_there_is_nothing(run) -> None:
    articles = [make_article("1", found("a", status="failed")), make_article("2", found(status="failed"))]

    report, records, _ = run(articles)

    assert [r.labelled_types for r in records] == [("cmdline",)]
    assert report.excluded == {"no type labelled: every extraction failed or was skipped": 1}


def test_failed_types_are_counted_and_the_rest_is_kept(run) -> None:
    result = {"subresults": {"cmdline": {"items": ["whoami"]}, "registry_keys": {"error": "timeout", "items": []}}}

    report, records, _ = run([make_article("1", Execution("completed", "", read_result(result)))])

    assert records[0].labelled_types == ("cmdline",)
    assert report.unlabelled == {"registry: error": 1}


@pytest.mark.parametrize(
    ("content", "execution", "reason"),
    [
        (None, found("a"), "no content"),
        ("", None, "no execution of the chosen status"),
        (" \n", found("a"), "no content"),
        ("text", UNREADABLE, "extraction_result is null"),
        ("text", FAILED, "no type labelled: every extraction failed or was skipped"),
    ],
)
def test_each_exclusion_has_its_reason(run, content, execution, reason: str) -> None:
    bad = make_article("1", *([execution] if execution else []), content=content)

    report, records, _ = run([bad, make_article("2", found("a"))])

    assert report.excluded == {reason: 1}
    assert [r.id for r in records] == ["2"]


def test_min_observables_counts_positives_and_spares_negatives(run) -> None:
    articles = [make_article("1", found("a")), make_article("2", found("a", "b")), make_article("3", found())]

    report, records, _ = run(articles, min_observables=2, negative_ratio=0.5)

    assert [r.id for r in records] == ["2", "3"]
    assert report.excluded == {"fewer than 2 observables": 1}


@pytest.mark.parametrize(("ratio", "negatives"), [(0.0, 0), (0.2, 2), (0.5, 8), (0.9, 20)])
def test_negatives_are_a_share_of_what_is_kept(run, ratio: float, negatives: int) -> None:
    articles = [make_article(str(n), found("a") if n < 8 else found()) for n in range(28)]

    report, _, _ = run(articles, negative_ratio=ratio)

    assert (report.positives, report.negatives) == (8, negatives)


def test_the_seed_chooses_the_negatives(run) -> None:
    articles = [make_article(str(n), found("a") if n < 8 else found()) for n in range(40)]

    first, again, other = (run(articles, seed=seed)[2] for seed in (1, 1, 2))

    assert first == again
    assert first != other


def test_status_filter(run) -> None:
    report, records, _ = run(
        [make_article("1", found("a", status="failed")), make_article("2", found("b"))], status_filter=("completed",)
    )

    assert [r.id for r in records] == ["2"]
    assert report.excluded == {"no execution of the chosen status": 1}


def test_duplicates_by_url_content_and_nearly_are_merged_to_the_best(run) -> None:
    text = make_text(77)
    articles = [
        make_article("1", found("worse", types=("cmdline",)), content=text),
        make_article("2", found("best"), content=text.upper()),
        make_article("3", found("near", types=("cmdline",)), content=text + " Published elsewhere."),
        make_article("4", found("same url", types=("cmdline",)), url="http://www.x.invalid/2/?utm_source=a"),
        make_article("5", found("other")),
    ]

    report, records, _ = run(articles)

    assert [r.id for r in records] == ["2", "5"]
    assert report.excluded == {"duplicate of another article": 3}
    assert records[0].group != records[1].group


def test_test_sets_and_excluded_urls_stay_out_with_their_near_duplicates(run) -> None:
    held = ArticleRecord(id="t", content=make_text(1), content_hash="", url="https://test.invalid/t")
    articles = [
        make_article("1", found("a")),
        make_article("2", found("a"), content=make_text(1) + " tail"),
        make_article("3", found("a"), url="https://www.test.invalid/t/"),
        make_article("4", found("a")),
        make_article("5", found("a"), content=make_text(4) + " tail"),
        make_article("6", found("a")),
    ]

    urls = ["https://x.invalid/4?utm_medium=x"]

    report, records, _ = run(articles, held_out=[("in test set real@1", held)], urls=urls)

    assert [r.id for r in records] == ["6"]
    assert report.excluded == {"in test set real@1": 3, "--exclude-urls": 2}


def test_one_id_for_two_articles_loses_none(run) -> None:
    other = make_article("7", found("b"), content=make_text(8), url="https://y.invalid")
    articles = [make_article("7", found("a")), other]

    _, records, _ = run(articles)

    assert sorted(r.id for r in records) == ["7", "7~2"]


def test_the_order_of_reading_changes_no_byte(run) -> None:
    articles = [make_article(str(n), found("a") if n % 3 else found()) for n in range(60)]
    articles += [make_article(str(n + 100), found("b"), content=make_text(n) + " tail") for n in range(10)]
    first = run(articles)[2]

    for seed in range(3):
        random.Random(seed).shuffle(articles)
        assert run(articles)[2] == first


def test_huge_articles_and_many_items(run) -> None:
    values = [f"whoami {n}" for n in range(10_000)]

    report, records, _ = run([make_article("1", found(*values), content="x y " * 1_250_000)])

    assert len(records[0].content) == 5_000_000
    assert report.observables == 10_000


def test_a_full_disk_is_said_as_such(tmp_path, monkeypatch) -> None:
    articles = (make_article(str(n), found("a")) for n in range(10))
    full = os.fdopen(os.open("/dev/full", os.O_RDWR), "wb", 0)
    monkeypatch.setattr("ctiforge.extract.harvest.scratch._open_lines", lambda path: full)

    with pytest.raises(OSError, match="No space left"):
        harvest(articles, [], [], HarvestOptions(), tmp_path, tmp_path / "scratch")
    assert list((tmp_path / "scratch").iterdir()) == []


def test_too_few_articles_stop_unless_forced() -> None:
    with pytest.raises(DataError, match="99 articles kept, 100 are the minimum"):
        check_minimum(HarvestCounts(kept=99), force=False)

    assert "500 are recommended" in str(check_minimum(HarvestCounts(kept=99), force=True))
    assert check_minimum(HarvestCounts(kept=500), force=False) is None


def test_the_report_is_json_and_prints(run, capsys) -> None:
    from rich.console import Console

    report, _, _ = run([make_article("1", found("a")), make_article("2", found(), content=None)])
    report.files_set_aside = {"bad.json": "empty file"}
    print_report(report, Console(width=120))

    assert json.loads(report.as_record().to_json())["excluded"] == {"no content": 1}
    printed = capsys.readouterr().out
    for words in ("read", "kept", "no content", "cmdline", "Windows", "G2", "bad.json: empty file", "1.00 an article"):
        assert words in printed
